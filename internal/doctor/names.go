package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Bounds of looking names up.
const (
	nameTime    = 2 * time.Second
	allNameTime = 10 * time.Second
	namesAtOnce = 16
	slowName    = time.Second
	mostNames   = 20 // findings of one kind; the rest is a number
)

// use is what a name is for.
type use struct {
	service   bool // apps dial it
	discovery bool // the sidecar finds endpoints by it
}

// lookup is one name and its answer.
type lookup struct {
	host  string
	use   use
	addrs []netip.Addr
	took  time.Duration
	err   error
	asked bool
}

// names says which names of the documents do not resolve as they must.
func (c *chart) names(ctx context.Context) []Finding {
	all := c.resolver()
	if c.patient.Snapshot == nil {
		return all
	}
	uses := wanted(c.patient.Snapshot)
	lookups := c.resolve(ctx, uses)
	if silent(lookups) {
		all[0].Verdict, all[0].Seen = Wrong, fmt.Sprintf("%s: none of %d names got an answer: %s", all[0].Seen, len(lookups), said(lookups[0].err))
		all[0].Why = "neither the app nor the sidecar finds anything by name"
		all[0].Fix = "let this namespace reach the server at port 53, by UDP and TCP, or name another in resolv.conf"
		return all
	}
	var bad []Finding
	good, unasked, slowest := 0, 0, lookup{}
	for _, l := range lookups {
		if !l.asked {
			unasked++
			continue
		}
		if l.took > slowest.took {
			slowest = l
		}
		if f := c.judge(l); f.Verdict == Good {
			good++
		} else {
			bad = append(bad, f)
		}
	}
	if good > 0 {
		f := Finding{About: "names", Verdict: Good, Seen: fmt.Sprintf("%d of %d resolve, the slowest in %s", good, len(lookups), slowest.took.Round(time.Millisecond))}
		if slowest.took > slowName {
			f.Verdict, f.Why = Doubtful, slowest.host+" takes long: the sidecar sees changes late, and the app waits for it"
		}
		all = append(all, f)
	}
	if more := len(bad) - mostNames; more > 0 {
		bad = append(bad[:mostNames], Finding{About: "names", Verdict: Wrong, Seen: fmt.Sprintf("%d more do not resolve as they must", more)})
	}
	if unasked > 0 {
		bad = append(bad, Finding{About: "names", Verdict: Unseen, Seen: fmt.Sprintf("%d were not asked for: %s for all were over", unasked, allNameTime)})
	}
	return append(all, bad...)
}

// silent: no server answered anything, not even that there is no such name.
func silent(lookups []lookup) bool {
	for _, l := range lookups {
		var dns *net.DNSError
		if l.err == nil || errors.As(l.err, &dns) && dns.IsNotFound {
			return false
		}
	}
	return len(lookups) > 0 && lookups[0].asked
}

// resolver says which servers are asked.
func (c *chart) resolver() []Finding {
	text, err := readFile(c.machine.Root, "etc/resolv.conf")
	f := Finding{About: "resolver", Verdict: Good}
	var servers []string
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "nameserver" {
			servers = append(servers, w[1])
		}
	}
	switch {
	case err != nil:
		f.Verdict, f.Seen, f.Why = Doubtful, "/etc/resolv.conf: "+plain(err), "127.0.0.1 is asked, as resolv.conf(5) says"
		f.Fix = "mount the task's resolv.conf"
	case len(servers) == 0:
		f.Verdict, f.Seen, f.Why = Doubtful, "/etc/resolv.conf names no server", "127.0.0.1 is asked, as resolv.conf(5) says"
	default:
		f.Seen = strings.Join(servers, ", ")
	}
	return []Finding{f}
}

// wanted are the names of the documents: those of discovery, and the virtual services that apps dial (App Mesh 1.2).
func wanted(snap *mesh.Snapshot) map[string]use {
	uses := map[string]use{}
	for _, cluster := range snap.Clusters {
		switch cluster.Discovery.Kind {
		case mesh.LogicalDNS, mesh.StrictDNS, mesh.CloudMap:
			if u, isName := uses[cluster.Discovery.Host], !isAddress(cluster.Discovery.Host); isName {
				u.discovery = true
				uses[cluster.Discovery.Host] = u
			}
		}
	}
	for _, l := range snap.Outbound {
		for _, h := range l.VirtualHosts {
			if u := uses[h.Name]; h.Name != "" && !isAddress(h.Name) && !strings.Contains(h.Name, "*") {
				u.service = true
				uses[h.Name] = u
			}
		}
	}
	return uses
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// resolve asks for all names, some at a time, within the time for all.
func (c *chart) resolve(ctx context.Context, uses map[string]use) []lookup {
	ctx, cancel := context.WithTimeout(ctx, allNameTime)
	defer cancel()
	all := make([]lookup, 0, len(uses))
	for _, host := range slices.Sorted(maps.Keys(uses)) {
		all = append(all, lookup{host: host, use: uses[host]})
	}
	var asking sync.WaitGroup
	places := make(chan struct{}, namesAtOnce)
	for i := range all {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		asking.Go(func() {
			defer func() { <-places }()
			all[i].ask(ctx, c.machine.Resolve)
		})
	}
	asking.Wait()
	return all
}

func (l *lookup) ask(ctx context.Context, resolve func(context.Context, string) ([]netip.Addr, error)) {
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	began := time.Now()
	l.addrs, l.err = resolve(ctx, strings.TrimSuffix(l.host, "."))
	l.took, l.asked = time.Since(began), true
}

// judge says what is wrong with an answer.
func (c *chart) judge(l lookup) Finding {
	f := Finding{About: "name " + l.host, Verdict: Wrong}
	loopback := slices.IndexFunc(l.addrs, func(a netip.Addr) bool { return a.Unmap().IsLoopback() })
	switch {
	case l.err != nil:
		f.Seen = "does not resolve: " + said(l.err)
		c.unresolved(&f, l.use)
	case len(l.addrs) == 0:
		f.Seen = "resolves to no address"
		c.unresolved(&f, l.use)
	case loopback >= 0 && l.use.service:
		f.Seen = "resolves to " + l.addrs[loopback].String()
		f.Why = "connections to loopback are never redirected: the app goes past the sidecar"
		f.Fix = "let it resolve to any other address, which need not exist (10.10.10.10, say)"
		if !c.redirects() {
			f.Verdict = Good // the way for an app that dials the sidecar directly
		}
	case loopback >= 0:
		f.Verdict, f.Seen = Doubtful, "resolves to "+l.addrs[loopback].String()
		f.Why, f.Fix = "the service's endpoints would be in this very task", "correct the record, or the node's serviceDiscovery"
	default:
		f.Verdict = Good
	}
	return f
}

// unresolved says what a name that is not there means.
func (c *chart) unresolved(f *Finding, u use) {
	if u.discovery {
		f.Why = "the sidecar finds no endpoints by it: requests get 503"
		f.Fix = "register the service, or correct the node's serviceDiscovery; check the task's DNS and search list"
		return
	}
	f.Why = "an app that looks it up before it connects never reaches the sidecar"
	f.Fix = "give the virtual service's name a record with any address but loopback (a private zone, or extraHosts)"
	if !c.redirects() {
		f.Verdict = Doubtful
		f.Why = "only apps that dial the sidecar directly, with the name in Host, can use it"
	}
}

func (c *chart) redirects() bool { return c.inForce().EgressPort != 0 || c.try.outcome == taken }

// said is a resolver's error in a few words.
func said(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such name"
	case errors.Is(err, context.DeadlineExceeded) || dns != nil && dns.IsTimeout:
		return fmt.Sprintf("no answer within %s", nameTime)
	}
	return plain(err)
}
