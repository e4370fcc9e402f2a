package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Table finds the route of a request. It is immutable: any number of
// goroutines may use it. The zero value has no virtual host and matches nothing.
type Table[D any] struct {
	hosts map[string]*virtualHost[D]
	// suffixes serve what hosts do not hold; empty where no domain has a "*".
	suffixes suffixes[D]
	// other serves the domain "*": every authority that neither of them holds.
	other *virtualHost[D]
	// anyPort takes the port off an authority before it is looked for.
	anyPort bool
}

type virtualHost[D any] struct {
	src    *mesh.VirtualHost
	routes []Route[D]
	probes []probe // one for each of routes
}

// maxDomain bounds a domain: a DNS name has 253 bytes at most, a port six more.
const maxDomain = 320

// Compile builds the table of one listener. resolve is called once for each
// distinct cluster that a route points to; what it returns is what Pick gives.
// l's virtual hosts are kept and must not change afterwards.
//
// An error says which route of which virtual host cannot be served and where
// it was written: a regular expression that does not compile or is too large,
// a domain given twice (Envoy rejects such a configuration), a condition that
// means nothing.
func Compile[D any](l *mesh.Listener, resolve func(*mesh.Cluster) D) (*Table[D], error) {
	hosts := l.VirtualHosts
	c := compiler[D]{resolve: resolve, resolved: map[*mesh.Cluster]D{}}
	t := &Table[D]{hosts: map[string]*virtualHost[D]{}, anyPort: l.AnyPort}
	for i := range hosts {
		host, err := c.host(&hosts[i])
		if err == nil {
			err = t.add(hosts[i].Domains, host)
		}
		if err != nil {
			return nil, fmt.Errorf("compiling virtual host %q (%s): %w", hosts[i].Name, hosts[i].Origin, err)
		}
	}
	return t, nil
}

// Match gives the route that takes the request: the first match, in order, of
// the virtual host that its authority names (Envoy: no longest-prefix logic,
// nothing is tried after a match, a virtual host without a match does not fall
// back to "*"). false means 404, response flag NR.
//
// The authority is compared without regard to case; a port in it counts
// (App Mesh 2.4), but on a listener that says otherwise. The target must have
// been normalized. Nothing of req is kept.
//
// A route with a Spec.Service is a gateway's: the request goes on with
// Route.Rewrite and Route.Next.
func (t *Table[D]) Match(req *l7.Request) (*Route[D], bool) {
	host := t.host(req.Authority)
	if host == nil {
		return nil, false
	}
	return host.match(req)
}

// match gives the first route that matches.
func (host *virtualHost[D]) match(req *l7.Request) (*Route[D], bool) {
	path, query := split(req.Target)
	for i := range host.probes {
		if host.probes[i].excludes(path) {
			continue
		}
		if r := &host.routes[i]; r.match.holds(req, path, query) {
			return r, true
		}
	}
	return nil, false
}

// host gives the virtual host of an authority: by its name, by the longest
// suffix, or the one that takes all.
func (t *Table[D]) host(authority []byte) *virtualHost[D] {
	if t.anyPort {
		authority = withoutPort(authority)
	}
	if host, ok := t.hosts[string(authority)]; ok {
		return host
	}
	if len(authority) <= maxDomain && hasUpper(authority) {
		var buf [maxDomain]byte
		authority = lower(&buf, authority)
		if host, ok := t.hosts[string(authority)]; ok {
			return host
		}
	}
	if host := t.suffixes.host(authority); host != nil {
		return host
	}
	return t.other
}

// split takes a target apart; query is without its "?". CONNECT has no path,
// and "OPTIONS *" none that a route can name: path is nil (Envoy: a request
// without a path needs a connect_matcher; one whose path does not begin with
// "/" is answered 404 before routing).
func split(target []byte) (path, query []byte) {
	if len(target) == 0 || target[0] != '/' {
		return nil, nil
	}
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		return target[:i], target[i+1:]
	}
	return target, nil
}

// lower gives an authority that fits into buf in lower case.
func lower(buf *[maxDomain]byte, authority []byte) []byte {
	for i, c := range authority {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	return buf[:len(authority)]
}

func hasUpper(b []byte) bool {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

func (t *Table[D]) add(domains []string, host *virtualHost[D]) error {
	for _, domain := range domains {
		domain = strings.ToLower(domain)
		switch {
		case domain == "*":
			if t.other != nil {
				return errors.New(`domain "*": another virtual host has it already; give it to one`)
			}
			t.other = host
		case domain == "" || len(domain) > maxDomain:
			return fmt.Errorf("domain %.40q: must have 1 to %d bytes", domain, maxDomain)
		case strings.Contains(domain[1:], "*"):
			return fmt.Errorf(`domain %q: a "*" may stand alone or in front, nowhere else`, domain)
		case domain[0] == '*':
			if !t.suffixes.add(domain[1:], host) {
				return fmt.Errorf("domain %q: another virtual host has it already; give it to one", domain)
			}
		case t.hosts[domain] != nil:
			return fmt.Errorf("domain %q: another virtual host has it already; give it to one", domain)
		default:
			t.hosts[domain] = host
		}
	}
	return nil
}

// compiler holds what is shared while one table is built.
type compiler[D any] struct {
	resolve  func(*mesh.Cluster) D
	resolved map[*mesh.Cluster]D
	// services are those that gateway routes lead to, each compiled once.
	services map[*mesh.VirtualHost]*virtualHost[D]
}

func (c *compiler[D]) host(src *mesh.VirtualHost) (*virtualHost[D], error) {
	host := &virtualHost[D]{
		src:    src,
		routes: make([]Route[D], len(src.Routes)),
		probes: make([]probe, len(src.Routes)),
	}
	for i := range src.Routes {
		spec := &src.Routes[i]
		r := &host.routes[i]
		r.Host, r.Spec = src, spec
		if err := r.compile(c); err != nil {
			return nil, fmt.Errorf("route %q (%s): %w", spec.Name, spec.Origin, err)
		}
		host.probes[i] = r.match.path.probe()
	}
	return host, nil
}

func (c *compiler[D]) cluster(cluster *mesh.Cluster) D {
	d, ok := c.resolved[cluster]
	if !ok {
		d = c.resolve(cluster)
		c.resolved[cluster] = d
	}
	return d
}
