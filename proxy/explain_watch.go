package proxy

import (
	"slices"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/route"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// watch looks on while a request is decided and writes down what it sees. A nil
// one sees nothing: traffic has none.
type watch struct {
	to       *explain.Explanation
	hosts    []mesh.VirtualHost // those of the listener
	rewrite  *mesh.Rewrite
	original string
	fields   int // the request had before it was rewritten
}

// listenerRoutes sees the look-up among the routes of a listener.
func (w *watch) listenerRoutes(t *route.Table[*upstream.Cluster], req *l7.Request) {
	if w != nil {
		w.pass("listener", req, t.Explain(req))
	}
}

// rewrites sees a request that a gateway route is going to rewrite.
func (w *watch) rewrites(r *mesh.Route, req *l7.Request) {
	if w == nil {
		return
	}
	if w.rewrite = r.Rewrite; w.rewrite == nil {
		w.rewrite = &mesh.Rewrite{Service: r.Service.Name, Origin: r.Origin}
	}
	w.original, w.fields = address(req), len(req.Header.Fields)
}

// serviceRoutes sees the look-up among the routes of the virtual service behind
// a gateway route, for the request as it was rewritten.
func (w *watch) serviceRoutes(r *route.Route[*upstream.Cluster], req *l7.Request) {
	if w != nil {
		w.pass(r.Spec.Service.Name, req, r.ExplainNext(req))
	}
}

func (w *watch) pass(of string, req *l7.Request, look route.Look) {
	p := explain.Pass{Of: of, Authority: string(req.Authority), Target: string(req.Target), Untried: look.Untried}
	if look.Host == nil {
		p.Hosts = others(w.hosts, p.Authority)
	} else {
		p.Host = &explain.Host{Name: look.Host.Name, Domain: look.Domain, Origin: explain.Origin(look.Host.Origin)}
	}
	for i := range look.Tries {
		try := &look.Tries[i]
		p.Tries = append(p.Tries, explain.Try{Route: try.Spec.Name, Match: try.Spec.Match.String(), Taken: try.Taken,
			Failed: try.Failed, Had: try.Had, Origin: explain.Origin(try.Spec.Origin)})
	}
	w.to.Passes = append(w.to.Passes, p)
}

// others are the virtual hosts that an authority is none of: the likest, and the
// first few.
func others(hosts []mesh.VirtualHost, authority string) (names []string) {
	const most = 10
	all := make([]string, len(hosts))
	for i := range hosts {
		all[i] = hosts[i].Name
	}
	name, _ := splitHostPort([]byte(authority))
	if near := mesh.Nearest(name, all); near != "" {
		names = append(names, near)
	}
	for _, name := range all {
		if len(names) < most && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// done sees the request as it is to be sent.
func (w *watch) done(req *l7.Request) {
	if w.rewrite == nil {
		return
	}
	w.to.Rewrite = &explain.Rewrite{Words: w.rewrite.String(), Before: w.original, After: address(req), Origin: explain.Origin(w.rewrite.Origin)}
	for i := w.fields; i < len(req.Header.Fields); i++ {
		f := &req.Header.Fields[i]
		w.to.Rewrite.Gets = append(w.to.Rewrite.Gets, string(f.Name)+": "+string(f.Value))
	}
}

func address(req *l7.Request) string { return string(req.Authority) + string(req.Target) }
