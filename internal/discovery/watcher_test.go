package discovery

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// fakeDNS answers at once, by host: addresses, or an error; no entry is a
// server that never answers.
type fakeDNS struct {
	mu     sync.Mutex
	says   map[string]any
	asked  []string
	at     []time.Duration
	origin time.Time
	open   int
	most   int
}

func newFakeDNS() *fakeDNS { return &fakeDNS{says: make(map[string]any), origin: time.Now()} }

func (f *fakeDNS) say(host string, what any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says[host] = what
}

func (f *fakeDNS) Resolve(ctx context.Context, host string, preference mesh.IPPreference) (Answer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, host+" "+preference.String())
	f.at = append(f.at, time.Since(f.origin))
	f.open++
	f.most = max(f.most, f.open)
	what := f.says[host]
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.open--; f.mu.Unlock() }()
	switch what := what.(type) {
	case error:
		return Answer{}, fmt.Errorf("look up %q: %w", host, what)
	case string:
		var a Answer
		for addr := range strings.FieldsSeq(what) {
			a.Addrs = append(a.Addrs, netip.MustParseAddr(addr))
		}
		return a, nil
	}
	<-ctx.Done()
	return Answer{}, fmt.Errorf("%w: %w", ErrUnanswered, ctx.Err())
}

// bench is a Watcher with its fake and what it has been telling.
type bench struct {
	t *testing.T
	*Watcher
	sleep func(time.Duration) // by the bubble's clock
	dns   *fakeDNS
	stats stat.Set
	told  []string // "name: set" for each Update
	saw   []string // "host: reason" for each Report
	// sets is the latest set by cluster.
	sets map[string]string
}

// inBubble runs the test against a clock of its own; refreshes come without
// jitter, every 5 s from the start.
func inBubble(t *testing.T, options Options, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, sleep: time.Sleep, dns: newFakeDNS(), sets: make(map[string]string)}
		options.Resolver, options.Stats = b.dns, &b.stats
		if options.Rand == nil {
			options.Rand = func() float64 { return 0 }
		}
		options.Report = func(host string, err error) { b.saw = append(b.saw, fmt.Sprintf("%s: %v", host, reason(err))) }
		w, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		b.Watcher = w
		defer w.Close()
		test(b)
	})
}

func (b *bench) watch(clusters ...*mesh.Cluster) {
	var watches []Watch
	for _, c := range clusters {
		watches = append(watches, Watch{c, func(addrs []netip.AddrPort) {
			set := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(addrs), "["), "]")
			b.told = append(b.told, c.Name+": "+set)
			b.sets[c.Name] = set
		}})
	}
	b.Sync(watches)
	synctest.Wait()
	b.fence()
}

// after lets time pass.
func (b *bench) after(d time.Duration) {
	b.fence()
	b.sleep(d)
	synctest.Wait()
	b.fence()
}

// fence orders what the test does with what Updates do: those hold the lock.
func (b *bench) fence() {
	b.mu.Lock()
	defer b.mu.Unlock()
}

func (b *bench) expect(why, cluster, want string) {
	b.t.Helper()
	if got := b.sets[cluster]; got != want {
		b.t.Errorf("%s: %s has %q, want %q", why, cluster, got, want)
	}
}

func (b *bench) counted(cluster string) string {
	g := b.stats.Group("cluster."+cluster+".", Cells)
	var s []string
	for i, name := range Cells.Counters {
		s = append(s, fmt.Sprintf("%s %d", strings.TrimPrefix(name, "update_"), g.Counter(i).Value()))
	}
	return strings.Join(s, ", ")
}

func cluster(name string, kind mesh.DiscoveryKind, host string, port uint16) *mesh.Cluster {
	return &mesh.Cluster{Name: name, Discovery: mesh.Discovery{Kind: kind, Host: host, Port: port}}
}

func TestStrictIsAllSortedLogicalTheFirst(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("h", "10.0.0.2 10.0.0.1")
		b.watch(cluster("strict", mesh.StrictDNS, "h", 80), cluster("logical", mesh.LogicalDNS, "H", 81))
		b.expect("strict", "strict", "10.0.0.1:80 10.0.0.2:80")
		b.expect("logical", "logical", "10.0.0.2:81")
		if got := fmt.Sprint(b.dns.asked); got != "[h none]" {
			t.Errorf("one lookup serves both: %s", got)
		}
		told := len(b.told)
		b.after(20 * time.Second)
		if len(b.told) != told {
			t.Errorf("told without a change: %v", b.told)
		}
		b.dns.say("h", "10.0.0.1 10.0.0.2")
		b.after(5 * time.Second)
		b.expect("another order is another first", "logical", "10.0.0.1:81")
		if got := b.told[told:]; !slices.Equal(got, []string{"logical: 10.0.0.1:81"}) {
			t.Errorf("and the same set: %v", got)
		}
		if got := b.counted("strict"); got != "attempt 6, success 6, failure 0, empty 0, no_rebuild 5, kept_stale 0" {
			t.Error(got)
		}
	})
}

func TestRefreshesAreSpread(t *testing.T) {
	inBubble(t, Options{Refresh: 10 * time.Second, Rand: func() float64 { return 0.5 }}, func(b *bench) {
		b.dns.say("h", "10.0.0.1")
		b.watch(cluster("c", mesh.StrictDNS, "h", 80))
		b.after(25 * time.Second)
		if got := fmt.Sprint(b.dns.at); got != "[0s 10.5s 21s]" {
			t.Error(got)
		}
	})
}

func TestASilentServerChangesNothingForEver(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("h", "10.0.0.1")
		b.watch(cluster("c", mesh.StrictDNS, "h", 80))
		b.dns.say("h", ErrUnanswered)
		b.after(24 * time.Hour)
		b.expect("a day later", "c", "10.0.0.1:80")
		if got := b.counted("c"); got != "attempt 17281, success 1, failure 17280, empty 0, no_rebuild 0, kept_stale 17280" {
			t.Error(got)
		}
		b.dns.say("h", "10.0.0.2")
		b.after(5 * time.Second)
		b.expect("back again", "c", "10.0.0.2:80")
		if got := fmt.Sprint(b.saw); got != "[h: no server answered h: <nil>]" {
			t.Errorf("reported: %s", got)
		}
	})
}

func TestANameThatIsGoneKeepsItsEndpointsForAMinute(t *testing.T) {
	for _, gone := range []error{ErrNoName, ErrEmpty} {
		inBubble(t, Options{}, func(b *bench) {
			b.dns.say("h", "10.0.0.1")
			b.watch(cluster("c", mesh.StrictDNS, "h", 80))
			b.dns.say("h", gone) // seen first after 5 s
			b.after(64 * time.Second)
			b.expect("59 s after it was gone", "c", "10.0.0.1:80")
			b.after(time.Second)
			b.expect("60 s after", "c", "")
			if got := b.told[len(b.told)-1]; got != "c: " {
				t.Errorf("told %q", got)
			}
			if got := b.counted("c"); got != "attempt 14, success 1, failure 0, empty 13, no_rebuild 0, kept_stale 12" {
				t.Error(got)
			}
			b.after(10 * time.Second)
			b.dns.say("h", "10.0.0.2")
			b.after(5 * time.Second)
			b.expect("back again", "c", "10.0.0.2:80")
		})
	}
}

func TestAGoodAnswerEndsTheCount(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("h", "10.0.0.1")
		b.watch(cluster("c", mesh.StrictDNS, "h", 80))
		for range 5 {
			b.dns.say("h", ErrNoName)
			b.after(50 * time.Second)
			b.expect("for 50 s", "c", "10.0.0.1:80")
			b.dns.say("h", "10.0.0.1")
			b.after(5 * time.Second)
		}
	})
}

func TestEmptyKeepIsASetting(t *testing.T) {
	inBubble(t, Options{EmptyKeep: -1}, func(b *bench) {
		b.dns.say("h", "10.0.0.1")
		b.watch(cluster("c", mesh.StrictDNS, "h", 80))
		b.dns.say("h", ErrNoName)
		b.after(5 * time.Second)
		b.expect("not at all", "c", "")
	})
}

func TestCloudMapRemembersWhileAnswersAreFull(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		first, second := eight(1), eight(11)
		b.dns.say("s.ns", first)
		b.watch(cluster("c", mesh.CloudMap, "s.ns", 80))
		if got := fmt.Sprint(b.dns.asked); got != "[s.ns IPv4_PREFERRED]" {
			t.Errorf("Cloud Map without a preference is IPv4, then IPv6: %s", got)
		}
		b.dns.say("s.ns", second)
		b.after(5 * time.Second)
		b.count("both draws", 16)
		b.after(54 * time.Second) // 59 s since the first draw
		b.count("still", 16)
		b.after(time.Second)
		b.count("what was last seen a minute ago goes", 8)
		b.dns.say("s.ns", first)
		b.after(5 * time.Second)
		b.count("again", 16)
		b.dns.say("s.ns", "10.0.0.1 10.0.0.2")
		b.after(5 * time.Second)
		b.expect("an answer that is not full is whole", "c", "10.0.0.1:80 10.0.0.2:80")
		b.dns.say("s.ns", second)
		b.after(5 * time.Second)
		b.count("and nothing from before it comes back", 10)
	})
}

func eight(from int) string {
	var s []string
	for i := range 8 {
		s = append(s, fmt.Sprintf("10.0.0.%d", from+i))
	}
	return strings.Join(s, " ")
}

func (b *bench) count(why string, want int) {
	b.t.Helper()
	if got := len(strings.Fields(b.sets["c"])); got != want {
		b.t.Errorf("%s: %d endpoints, want %d", why, got, want)
	}
}

func TestResolved(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("good", "10.0.0.1")
		b.dns.say("bad", ErrNoName)
		clusters := []*mesh.Cluster{
			cluster("good", mesh.StrictDNS, "good", 80), cluster("bad", mesh.LogicalDNS, "bad", 80),
			cluster("late", mesh.StrictDNS, "late", 80), cluster("late2", mesh.CloudMap, "late", 80),
			cluster("literal", mesh.LogicalDNS, "10.0.0.7", 80), cluster("none", mesh.None, "", 0),
			cluster("original", mesh.OriginalDst, "", 0),
			{Name: "static", Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}}},
		}
		b.watch(clusters...)
		ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if late := b.Await(ctx); !slices.Equal(late, []string{"late", "late2"}) || time.Since(start) != 5*time.Second {
			t.Errorf("late: %v after %v", late, time.Since(start))
		}
		for _, name := range []string{"good", "bad", "literal", "none", "original", "static", "unknown"} {
			select {
			case <-b.Resolved(name):
			default:
				t.Errorf("%s is not resolved", name)
			}
		}
		b.expect("a literal needs no DNS", "literal", "10.0.0.7:80")
		b.expect("static", "static", "127.0.0.1:8080")
		if got := b.counted("literal"); !strings.HasPrefix(got, "attempt 0") {
			t.Error(got)
		}
	})
}

func TestSyncKeepsStartsAndStops(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("a", "10.0.0.1")
		b.dns.say("b", "10.0.0.2")
		a, second := cluster("a", mesh.StrictDNS, "a", 80), cluster("b", mesh.StrictDNS, "b", 80)
		b.watch(a)
		b.after(2 * time.Second)
		b.told = nil
		b.watch(cluster("a", mesh.StrictDNS, "a", 80), second)
		if got := fmt.Sprint(b.told); got != "[a: 10.0.0.1:80 b: 10.0.0.2:80]" {
			t.Errorf("the new Update of an old cluster is told what is known: %s", got)
		}
		b.after(3 * time.Second)
		if got := fmt.Sprint(b.dns.at); got != "[0s 2s 5s]" {
			t.Errorf("the lookup of an unchanged cluster goes on as it was: %s", got)
		}
		b.watch(second)
		b.dns.asked, b.told = nil, nil
		b.dns.say("a", "10.0.0.9")
		b.after(10 * time.Second)
		if got := fmt.Sprint(b.dns.asked, b.told); got != "[b none b none] []" {
			t.Errorf("a removed cluster is neither looked up nor told: %s", got)
		}
		b.watch()
		b.after(time.Minute)
		if len(b.lookups) != 0 || len(b.dns.asked) != 2 {
			t.Errorf("%d lookups, asked %v", len(b.lookups), b.dns.asked)
		}
	})
}

func TestAChangedHostKeepsTheOldEndpointsUntilItIsKnown(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("old", "10.0.0.1")
		b.watch(cluster("c", mesh.StrictDNS, "old", 80))
		b.watch(cluster("c", mesh.StrictDNS, "new", 80)) // silent at first
		b.after(time.Second)
		b.expect("while it is looked up", "c", "10.0.0.1:80")
		select {
		case <-b.Resolved("c"):
			t.Error("resolved too soon")
		default:
		}
		b.dns.say("newer", "10.0.0.2")
		b.watch(cluster("c", mesh.StrictDNS, "newer", 80))
		b.expect("as soon as it is known", "c", "10.0.0.2:80")
		b.watch(cluster("c", mesh.StrictDNS, "newer", 81))
		b.expect("another port needs no lookup", "c", "10.0.0.2:81")
		b.watch(cluster("c", mesh.None, "", 81))
		b.expect("no discovery, no endpoints", "c", "")
	})
}

func TestASecondClusterOfAKnownHostIsToldAtOnce(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.dns.say("h", "10.0.0.1")
		first := cluster("a", mesh.StrictDNS, "h", 80)
		b.watch(first)
		b.dns.say("h", ErrUnanswered)
		b.watch(first, cluster("b", mesh.LogicalDNS, "h", 81))
		b.expect("at once", "b", "10.0.0.1:81")
		if len(b.dns.asked) != 1 {
			t.Errorf("asked %v", b.dns.asked)
		}
	})
}

func TestFewLookupsAreOpenAtOnce(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		var clusters []*mesh.Cluster
		for i := range 3 * maxOpen {
			host := fmt.Sprintf("h%d", i)
			clusters = append(clusters, cluster(host, mesh.StrictDNS, host, 80))
		}
		b.watch(clusters...)
		b.after(time.Minute)
		if b.dns.most != maxOpen {
			t.Errorf("%d open at once", b.dns.most)
		}
	})
}

func TestCloseGivesUpWhatIsOpen(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.watch(cluster("c", mesh.StrictDNS, "silent", 80))
		b.Close()
		b.Sync([]Watch{{Cluster: cluster("d", mesh.StrictDNS, "h", 80)}})
		if len(b.dns.asked) != 1 || len(b.told) != 0 {
			t.Errorf("after Close: asked %v, told %v", b.dns.asked, b.told)
		}
		b.Close()
	})
}

func TestEndpointsFileWinsOverDNS(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "endpoints.yaml"), "A: [10.1.0.2, '10.1.0.1:9']\nnode: ['[::1]:1']\n")
	inBubble(t, Options{Endpoints: path}, func(b *bench) {
		b.dns.say("a", "10.0.0.1")
		b.dns.say("b", "10.0.0.2")
		bare := &mesh.Cluster{Name: "bare", Node: "node"}
		b.watch(cluster("a", mesh.StrictDNS, "a", 80), cluster("first", mesh.LogicalDNS, "a", 80), cluster("b", mesh.StrictDNS, "b", 80), bare)
		b.expect("listed", "a", "10.1.0.1:9 10.1.0.2:80")
		b.expect("logical", "first", "10.1.0.2:80")
		b.expect("not listed", "b", "10.0.0.2:80")
		b.expect("a node without discovery", "bare", "[::1]:1")
		if got := fmt.Sprint(b.dns.asked); got != "[b none]" {
			t.Errorf("asked: %s", got)
		}

		write(t, path, "b: [10.1.0.3]\n# changed\n")
		b.after(time.Second)
		b.expect("no longer listed", "a", "10.0.0.1:80")
		b.expect("now listed", "b", "10.1.0.3:80")
		b.expect("no longer listed", "bare", "")

		write(t, path, "b: [10.1.0.4]\nc: x\n# broken\n")
		b.after(10 * time.Second)
		b.expect("a broken file changes nothing", "b", "10.1.0.3:80")
		write(t, path, "b: []\n# nothing at all\n")
		b.after(time.Second)
		b.expect("an empty list is a say", "b", "")
		if got := fmt.Sprint(b.saw); got != fmt.Sprintf("[%s: no server answered %s: <nil>]", path, path) {
			t.Errorf("reported: %s", got)
		}
	})
}

func TestEndpointsFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a: [10.0.0.1:80]\nb: 10.0.0.2\n": `f.yaml:2:4: "b": expected a list of ip:port`,
		"a:\n  - 10.0.0.1\n  - host:80\n": `f.yaml:3:5: "a": "host:80" is neither ip:port nor ip`,
		"a: ['10.0.0.1:0']":               `f.yaml:1:5: "a": "10.0.0.1:0" is neither ip:port nor ip`,
		"a: [[10.0.0.1]]":                 `f.yaml:1:5: "a": "" is neither ip:port nor ip`,
		"a: []\nA: []\n":                  `f.yaml:2:1: "A" is listed twice`,
		"- 10.0.0.1\n":                    `f.yaml:1:1: expected a map from discovery name to a list of ip:port`,
		"? [a]\n: [10.0.0.1]\n":           `f.yaml:1:3: expected a discovery name`,
		"a: [10.0.0.1\nb: x: y\n":         "f.yaml:",
		"":                                "",
		`{"a": ["10.0.0.1:80", "::1"]}`:   "",
	} {
		_, err := parseEndpoints("f.yaml", text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := New(Options{Endpoints: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a missing file is no error")
	}
}
