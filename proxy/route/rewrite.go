package route

import (
	"fmt"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// gateway is what a gateway route has beyond others: its mesh.Rewrite, and the
// virtual service's routes.
type gateway[D any] struct {
	service *virtualHost[D]
	// host is the new authority; nil keeps the old one, and the request then
	// says name, the virtual service's.
	host, name []byte
	path       pathRewrite
}

// Rewrite makes the request of a gateway route the one that its virtual service
// sees (App Mesh 2.5: what the first pass does, and the second one's
// normalization). The path is rewritten and spelled canonically again, its old
// self kept in x-envoy-original-path; the query stays. The authority becomes the
// virtual service's name, or stays, and then x-app-mesh-virtual-service says the
// name to the app.
//
// What is new lies in the exchange's scratch memory. false is a path that
// NormalizePath refuses: 400.
func (r *Route[D]) Rewrite(ex *l7.Exchange) bool {
	g, req := r.gateway, &ex.Request
	if g.path.kind != keepPath && len(req.Target) > 0 && req.Target[0] == '/' && !g.path.apply(ex, &r.match.path) {
		return false
	}
	if g.host == nil {
		req.Header.Add(l7.NameXAppMeshVirtualService, virtualServiceName, g.name)
		return true
	}
	req.Authority = g.host
	// HTTP/1 has the authority in a field, which the codec writes as it is.
	if host := req.Header.Find(l7.NameHost); host != nil {
		host.Value = g.host
	}
	return true
}

var virtualServiceName = []byte("x-app-mesh-virtual-service")

// Next gives the route that takes a request, rewritten, among those of the
// virtual service that a gateway route leads to (App Mesh 2.5: the second pass).
// false means 404, as in Match.
func (r *Route[D]) Next(req *l7.Request) (*Route[D], bool) { return r.gateway.service.match(req) }

// pathRewrite puts text in the place of a part of the path. The zero value
// changes nothing.
type pathRewrite struct {
	kind pathRewriteKind
	text string
}

type pathRewriteKind uint8

const (
	keepPath    pathRewriteKind = iota
	rewriteAll                  // the whole path
	rewriteHit                  // what the route's condition has matched of it
	rewriteSame                 // a prefix by itself: nothing but x-envoy-original-path
)

// apply rewrites the target, which begins with "/". Envoy says the original one
// also when the new one is equal.
func (p *pathRewrite) apply(ex *l7.Exchange, condition *pathCondition) bool {
	req := &ex.Request
	if p.kind == rewriteSame {
		setOriginalPath(&req.Header, req.Target)
		return true
	}
	path, _ := split(req.Target)
	hit := len(path)
	if p.kind == rewriteHit {
		hit = condition.matched(path)
	}
	target, ok := join(ex, p.text, req.Target[hit:])
	if !ok {
		return false
	}
	setOriginalPath(&req.Header, req.Target)
	req.Target = target
	return true
}

// matched is how much of a path that meets the condition it has matched: a
// prefix, or all of it (Envoy: what prefix_rewrite takes the place of).
func (c *pathCondition) matched(path []byte) int {
	switch c.kind {
	case prefixPath:
		return len(c.text)
	case anyPath:
		return 0
	}
	return len(path)
}

// join writes a target that begins with first and ends with rest, in its
// canonical spelling. It always begins with "/".
func join(ex *l7.Exchange, first string, rest []byte) (target []byte, ok bool) {
	// Room for the text as it is and for its canonical spelling, which may be
	// three times as long: nothing moves meanwhile.
	ex.Scratch = slices.Grow(ex.Scratch, 4*(1+len(first)+len(rest)))
	at := len(ex.Scratch)
	if first == "" || first[0] != '/' {
		ex.Scratch = append(ex.Scratch, '/')
	}
	ex.Scratch = append(append(ex.Scratch, first...), rest...)
	end := len(ex.Scratch)
	target, ok = NormalizePath(ex.Scratch[end:], ex.Scratch[at:end])
	if ok && &target[0] != &ex.Scratch[at] {
		ex.Scratch = ex.Scratch[:end+len(target)]
	}
	return target, ok
}

// setOriginalPath sets x-envoy-original-path, whatever the client says it was.
func setOriginalPath(h *l7.Header, target []byte) {
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == l7.NameXEnvoy && l7.EqualFold(f.Name, "x-envoy-original-path") {
			f.Name = nil
		}
	}
	h.Add(l7.NameXEnvoy, originalPathName, target)
}

var originalPathName = []byte("x-envoy-original-path")

// gateway compiles what a gateway route has beyond others. Without a Rewrite
// nothing is changed.
func (c *compiler[D]) gateway(spec *mesh.Route) (*gateway[D], error) {
	service, err := c.service(spec.Service)
	if err != nil {
		return nil, fmt.Errorf("virtual service %q: %w", spec.Service.Name, err)
	}
	g := &gateway[D]{service: service, name: []byte(spec.Service.Name)}
	switch rewrite := spec.Rewrite; {
	case rewrite == nil:
	case rewrite.Prefix != nil && rewrite.Path != "":
		return nil, fmt.Errorf("rewrite (%s): prefix and path exclude one another; keep one", rewrite.Origin)
	case rewrite.Prefix != nil && *rewrite.Prefix != "" && *rewrite.Prefix == spec.Match.Prefix:
		g.path.kind = rewriteSame
	case rewrite.Prefix != nil:
		g.path = pathRewrite{rewriteHit, *rewrite.Prefix}
	case rewrite.Path != "":
		g.path = pathRewrite{rewriteAll, rewrite.Path}
	}
	if spec.Rewrite != nil && spec.Rewrite.Host != "" {
		g.host = []byte(spec.Rewrite.Host)
	}
	return g, nil
}

// service compiles the routes of a virtual service that gateway routes lead to,
// once.
func (c *compiler[D]) service(src *mesh.VirtualHost) (*virtualHost[D], error) {
	if host := c.services[src]; host != nil {
		return host, nil
	}
	for i := range src.Routes {
		if r := &src.Routes[i]; r.Service != nil {
			return nil, fmt.Errorf("route %q (%s): leads to a virtual service behind a virtual service", r.Name, r.Origin)
		}
	}
	host, err := c.host(src)
	if err != nil {
		return nil, err
	}
	if c.services == nil {
		c.services = make(map[*mesh.VirtualHost]*virtualHost[D])
	}
	c.services[src] = host
	return host, nil
}
