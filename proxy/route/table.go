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
	// other serves the domain "*": every authority that hosts does not hold.
	other *virtualHost[D]
}

type virtualHost[D any] struct {
	routes []Route[D]
	probes []probe // one for each of routes
}

// maxDomain bounds a domain: a DNS name has 253 bytes at most, a port six more.
const maxDomain = 320

// Compile builds the table of one listener. resolve is called once for each
// distinct cluster that a route points to; what it returns is what Pick gives.
// hosts is kept and must not change afterwards.
//
// An error says which route of which virtual host cannot be served and where
// it was written: a regular expression that does not compile or is too large,
// a domain given twice (Envoy rejects such a configuration), a condition that
// means nothing.
func Compile[D any](hosts []mesh.VirtualHost, resolve func(*mesh.Cluster) D) (*Table[D], error) {
	c := compiler[D]{resolve: resolve, resolved: map[*mesh.Cluster]D{}}
	t := &Table[D]{hosts: map[string]*virtualHost[D]{}}
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
// (App Mesh 2.4). The target must have been normalized. Nothing of req is kept.
func (t *Table[D]) Match(req *l7.Request) (*Route[D], bool) {
	host := t.host(req.Authority)
	if host == nil {
		return nil, false
	}
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

func (t *Table[D]) host(authority []byte) *virtualHost[D] {
	if host, ok := t.hosts[string(authority)]; ok {
		return host
	}
	if len(authority) <= maxDomain && hasUpper(authority) {
		var buf [maxDomain]byte
		lower := buf[:len(authority)]
		for i, c := range authority {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			lower[i] = c
		}
		if host, ok := t.hosts[string(lower)]; ok {
			return host
		}
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
		case strings.Contains(domain, "*"):
			return fmt.Errorf(`domain %q: wildcards other than "*" alone are not supported`, domain)
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
}

func (c *compiler[D]) host(src *mesh.VirtualHost) (*virtualHost[D], error) {
	host := &virtualHost[D]{
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
