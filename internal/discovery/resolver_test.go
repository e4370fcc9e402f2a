package discovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// ask looks a name up and says in a word what came of it.
func ask(t *testing.T, r *Resolver, host string, preference mesh.IPPreference) string {
	t.Helper()
	answer, err := r.Resolve(t.Context(), host, preference)
	switch {
	case errors.Is(err, ErrNoName):
		return "no name"
	case errors.Is(err, ErrEmpty):
		return "empty"
	case errors.Is(err, ErrUnanswered):
		return "unanswered"
	case err != nil:
		return err.Error()
	}
	return fmt.Sprint(answer.Addrs)
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	r := resolverFor(t, "", startDNS(t, zone(
		rr("both.test.", 9, "192.0.2.7"), rr("both.test.", 9, "192.0.2.5"), rr("both.test.", 9, "2001:db8::1"),
		rr("four.test.", 9, "192.0.2.7"), rr("six.test.", 9, "2001:db8::1"), rr("odd.test.", 9, "0.0.0.0"),
	)))
	for _, c := range []struct {
		host       string
		preference mesh.IPPreference
		want       string
	}{
		{"both.test", mesh.AnyFamily, "[2001:db8::1]"},
		{"both.test", mesh.IPv6Preferred, "[2001:db8::1]"},
		{"both.test", mesh.IPv4Preferred, "[192.0.2.7 192.0.2.5]"},
		{"both.test", mesh.IPv4Only, "[192.0.2.7 192.0.2.5]"},
		{"both.test", mesh.IPv6Only, "[2001:db8::1]"},
		{"BOTH.test.", mesh.IPv6Only, "[2001:db8::1]"},
		{"four.test", mesh.AnyFamily, "[192.0.2.7]"},
		{"four.test", mesh.IPv6Only, "empty"},
		{"six.test", mesh.IPv4Preferred, "[2001:db8::1]"},
		{"six.test", mesh.IPv4Only, "empty"},
		{"odd.test", mesh.AnyFamily, "empty"},
		{"none.test", mesh.AnyFamily, "no name"},
		{"192.0.2.9", mesh.AnyFamily, "[192.0.2.9]"},
		{"2001:db8::9", mesh.IPv4Only, "[2001:db8::9]"},
		{"not..a.name", mesh.AnyFamily, "no name"},
		{"", mesh.AnyFamily, "no name"},
		{string(make([]byte, 300)), mesh.AnyFamily, "no name"},
	} {
		if got := ask(t, r, c.host, c.preference); got != c.want {
			t.Errorf("%q %v: %s, want %s", c.host, c.preference, got, c.want)
		}
	}
}

func TestChainsAreFollowedWithinTheAnswer(t *testing.T) {
	t.Parallel()
	r := resolverFor(t, "", startDNS(t, func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
		switch query.Questions[0].Name.String() {
		case "chain.test.": // in no helpful order, with a stranger among them
			return []dnsmessage.Message{reply(query, 0,
				rr("C.test.", 30, "192.0.2.1"), rr("b.test.", 5, "c.TEST."), rr("stranger.test.", 1, "192.0.2.66"), rr("Chain.test.", 60, "b.test."))}
		case "loop.test.":
			return []dnsmessage.Message{reply(query, 0, rr("loop.test.", 5, "other.test."), rr("other.test.", 5, "loop.test."))}
		case "dangling.test.":
			return []dnsmessage.Message{reply(query, 0, rr("dangling.test.", 5, "other.test."))}
		}
		return nil
	}))
	answer, err := r.Resolve(t.Context(), "chain.test", mesh.IPv4Only)
	if err != nil || fmt.Sprint(answer.Addrs) != "[192.0.2.1]" || answer.TTL != 5*time.Second {
		t.Errorf("%v %v: want the address at the end and the least TTL", answer, err)
	}
	for _, host := range []string{"loop.test", "dangling.test"} {
		if got := ask(t, r, host, mesh.IPv4Only); got != "empty" {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestTruncatedAnswersComeByTCP(t *testing.T) {
	t.Parallel()
	var many []dnsmessage.Resource
	for i := range 200 {
		many = append(many, rr("many.test.", 9, fmt.Sprintf("198.51.100.%d", i)))
	}
	s := startDNS(t, func(query dnsmessage.Message, tcp bool) []dnsmessage.Message {
		m := reply(query, 0, many...)
		if !tcp {
			m.Truncated, m.Answers = true, m.Answers[:3]
		}
		return []dnsmessage.Message{m}
	})
	answer, err := resolverFor(t, "", s).Resolve(t.Context(), "many.test", mesh.IPv4Only)
	if err != nil || len(answer.Addrs) != 200 {
		t.Errorf("%d addresses, %v", len(answer.Addrs), err)
	}
	if got := s.questions(); got != "many.test. A, tcp many.test. A" {
		t.Error(got)
	}
}

func TestForgedAnswersAreNotTaken(t *testing.T) {
	t.Parallel()
	r := resolverFor(t, "", startDNS(t, func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
		bad := rr("host.test.", 9, "192.0.2.66")
		wrongID, wrongName, wrongType, aQuery := reply(query, 0, bad), reply(query, 0, bad), reply(query, 0, bad), reply(query, 0, bad)
		wrongID.ID++
		wrongName.Questions = []dnsmessage.Question{{Name: name("evil.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
		wrongType.Questions = []dnsmessage.Question{{Name: name("host.test."), Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET}}
		aQuery.Response = false
		return []dnsmessage.Message{wrongID, wrongName, wrongType, aQuery, reply(query, 0, rr("host.test.", 9, "192.0.2.1"))}
	}))
	if got := ask(t, r, "host.test", mesh.IPv4Only); got != "[192.0.2.1]" {
		t.Error(got)
	}
}

func TestAFloodOfForgeriesEnds(t *testing.T) {
	t.Parallel()
	r := resolverFor(t, "options attempts:1", startDNS(t, func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
		m := reply(query, 0, rr("host.test.", 9, "192.0.2.66"))
		m.ID++
		flood := make([]dnsmessage.Message, maxStrays+10)
		for i := range flood {
			flood[i] = m
		}
		return flood
	}))
	if got := ask(t, r, "host.test", mesh.IPv4Only); got != "unanswered" {
		t.Error(got)
	}
}

func TestEveryServerIsTried(t *testing.T) {
	t.Parallel()
	failing := func(rcode dnsmessage.RCode) *dnsServer {
		return startDNS(t, func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
			return []dnsmessage.Message{reply(query, rcode)}
		})
	}
	referring := startDNS(t, func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
		m := reply(query, 0)
		m.RecursionAvailable = false
		return []dnsmessage.Message{m}
	})
	good := startDNS(t, zone(rr("host.test.", 9, "192.0.2.1")))
	r := resolverFor(t, "", startDNS(t, silent), failing(dnsmessage.RCodeServerFailure), failing(dnsmessage.RCodeRefused), referring, good)
	if got := ask(t, r, "host.test", mesh.IPv4Only); got != "[192.0.2.1]" {
		t.Error(got)
	}
	r = resolverFor(t, "options attempts:1", failing(dnsmessage.RCodeServerFailure), startDNS(t, silent))
	if got := ask(t, r, "host.test", mesh.IPv4Only); got != "unanswered" {
		t.Error(got)
	}
	// NXDOMAIN is an answer: the next server is not asked.
	next := startDNS(t, zone(rr("gone.test.", 9, "192.0.2.1")))
	r = resolverFor(t, "", startDNS(t, zone()), next)
	if got := ask(t, r, "gone.test", mesh.IPv4Only); got != "no name" || next.questions() != "" {
		t.Error(got, next.questions())
	}
}

func TestAServerWithoutEDNS(t *testing.T) {
	t.Parallel()
	r := resolverFor(t, "", startDNS(t, func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
		if len(query.Additionals) > 0 {
			m := reply(query, dnsmessage.RCodeFormatError)
			m.Questions = nil
			return []dnsmessage.Message{m}
		}
		return []dnsmessage.Message{reply(query, 0, rr("host.test.", 9, "192.0.2.1"))}
	}))
	if got := ask(t, r, "host.test", mesh.IPv4Only); got != "[192.0.2.1]" {
		t.Error(got)
	}
}

func TestOneFamilyUnanswered(t *testing.T) {
	t.Parallel()
	onlyA := func(then func(dnsmessage.Message, bool) []dnsmessage.Message) *dnsServer {
		return startDNS(t, func(query dnsmessage.Message, tcp bool) []dnsmessage.Message {
			if query.Questions[0].Type == dnsmessage.TypeAAAA {
				return []dnsmessage.Message{reply(query, dnsmessage.RCodeServerFailure)}
			}
			return then(query, tcp)
		})
	}
	if got := ask(t, resolverFor(t, "", onlyA(zone(rr("host.test.", 9, "192.0.2.1")))), "host.test", mesh.AnyFamily); got != "[192.0.2.1]" {
		t.Error("the other family counts:", got)
	}
	// Half a failure must not look like a name that is gone.
	if got := ask(t, resolverFor(t, "", onlyA(zone())), "host.test", mesh.AnyFamily); got != "unanswered" {
		t.Error(got)
	}
	if got := ask(t, resolverFor(t, "", onlyA(zone())), "host.test", mesh.IPv4Preferred); got != "unanswered" {
		t.Error(got)
	}
}

func TestSearchList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ why, conf, host, want, asked string }{
		{"enough dots: as it is first", "search a.test b.test", "x.y", "no name", "x.y. A, x.y.a.test. A, x.y.b.test. A"},
		{"too few dots: the list first", "search a.test b.test", "host", "[192.0.2.1]", "host.a.test. A, host.b.test. A"},
		{"ndots", "search a.test b.test\noptions ndots:2", "x.y", "no name", "x.y.a.test. A, x.y.b.test. A, x.y. A"},
		{"a final dot: nothing else", "search a.test b.test", "host.", "no name", "host. A"},
		{"an empty one is searched past", "search empty.test b.test", "host", "[192.0.2.1]", "host.empty.test. A, host.b.test. A"},
		{"empty says more than missing", "search empty.test a.test", "host", "empty", "host.empty.test. A, host.a.test. A, host. A"},
		{"not past one unanswered", "search broken.test b.test\noptions attempts:1", "host", "unanswered", "host.broken.test. A"},
	} {
		names := zone(rr("host.b.test.", 9, "192.0.2.1"), rr("host.empty.test.", 9, "2001:db8::1"))
		s := startDNS(t, func(query dnsmessage.Message, tcp bool) []dnsmessage.Message {
			if query.Questions[0].Name.String() == "host.broken.test." {
				return []dnsmessage.Message{reply(query, dnsmessage.RCodeServerFailure)}
			}
			return names(query, tcp)
		})
		if got := ask(t, resolverFor(t, c.conf, s), c.host, mesh.IPv4Only); got != c.want || s.questions() != c.asked {
			t.Errorf("%s: %s by %s, want %s by %s", c.why, got, s.questions(), c.want, c.asked)
		}
	}
}

func TestHostsComeFirst(t *testing.T) {
	t.Parallel()
	s := startDNS(t, zone(rr("host.test.", 9, "192.0.2.1"), rr("six.test.", 9, "2001:db8::1")))
	r := resolverFor(t, "", s)
	write(t, r.Hosts, "10.0.0.1 host.test alias # host\n10.0.0.2 HOST.test.\n::1 loop\n10.0.0.3 six.test\nnonsense x\n")
	for _, c := range []struct {
		host       string
		preference mesh.IPPreference
		want       string
	}{
		{"host.test", mesh.AnyFamily, "[10.0.0.1 10.0.0.2]"},
		{"Alias", mesh.IPv4Only, "[10.0.0.1]"},
		{"loop", mesh.AnyFamily, "[::1]"},
		{"six.test", mesh.IPv6Only, "[2001:db8::1]"},
		{"localhost", mesh.IPv4Only, "[127.0.0.1]"},
		{"app.localhost", mesh.AnyFamily, "[::1]"},
	} {
		if got := ask(t, r, c.host, c.preference); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.host, c.preference, got, c.want)
		}
	}
	if s.questions() != "six.test. AAAA" {
		t.Error("asked:", s.questions())
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	old, new := startDNS(t, zone(rr("host.test.", 9, "192.0.2.1"))), startDNS(t, zone(rr("host.test.", 9, "192.0.2.2")))
	r := resolverFor(t, "", old, new)
	expect := func(why, want string) {
		t.Helper()
		if got := ask(t, r, "host.test", mesh.IPv4Only); got != want {
			t.Errorf("%s: %s, want %s", why, got, want)
		}
	}
	expect("at first", "[192.0.2.1]")
	write(t, r.ResolvConf, "nameserver 192.0.2.2\n")
	expect("another server", "[192.0.2.2]")
	os.Remove(r.ResolvConf)
	expect("a file that vanishes changes nothing", "[192.0.2.2]")
	write(t, r.Hosts, "10.0.0.1 host.test\n")
	expect("a new host", "[10.0.0.1]")
	write(t, r.Hosts, "10.0.0.1 other.test\n")
	os.Chtimes(r.Hosts, time.Unix(1, 0), time.Unix(1, 0))
	expect("a host less", "[192.0.2.2]")
}

func TestALookupEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	r := resolverFor(t, "options timeout:30", startDNS(t, func(dnsmessage.Message, bool) []dnsmessage.Message {
		cancel(errors.New("enough"))
		return nil
	}))
	if _, err := r.Resolve(ctx, "host.test", mesh.AnyFamily); !errors.Is(err, ErrUnanswered) {
		t.Error(err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := startDNS(t, silent)
	r := resolverFor(t, "options attempts:1", s)
	r.ResolvConf = filepath.Join(t.TempDir(), "none")
	if got := ask(t, r, "host.test", mesh.AnyFamily); got != "unanswered" {
		t.Error(got)
	}
}
