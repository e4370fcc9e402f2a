package proxy

import (
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// direct tells of a connection that nothing redirected: each request finds its
// chain by its authority (direct.go).
func (x *explainer) direct() {
	r := x.routing
	x.Direction = mesh.Egress.String()
	if x.Request.Inbound {
		x.Direction = mesh.Ingress.String()
		if r.onlyInbound != nil {
			x.Port = r.onlyInbound.spec.Port
			x.connection(r.onlyInbound.way())
			return
		}
	}
	var ex l7.Exchange
	switch {
	case x.Request.Scheme == "https":
		x.closed(tlsOnHTTP)
	case x.Request.Scheme == "tcp":
		x.closed("bytes do not say where they are to go: ask the port for a tunnel (CONNECT)")
	case x.parse(&ex):
		x.directRequest(&ex)
	}
}

func (x *explainer) directRequest(ex *l7.Exchange) {
	req := &ex.Request
	ch := x.routing.find(req.Authority)
	if x.Request.Inbound {
		ch = x.routing.findPort(req.Authority)
	}
	switch {
	case ch.routes():
		x.Port = ch.spec.Port
		x.listener(ch)
		if req.IsConnect() {
			x.connect(ex, ch)
			return
		}
		x.exchange(ex, ch)
	case req.IsConnect(), req.Absolute:
		x.proxied(ex)
	default:
		x.refused(ex, errNoRoute, "no backend has this name and port; a name alone stands for a backend with one port")
	}
}

// proxied tells of a request that names a host which no chain has.
func (x *explainer) proxied(ex *l7.Exchange) {
	d := mesh.Egress
	if x.Request.Inbound {
		d = mesh.Ingress
	}
	_, x.Port = proxyTarget(ex.Request.Authority)
	w, f := x.routing.wayOfProxy(d, &ex.Request)
	switch {
	case f == errNoRoute:
		x.refused(ex, f, "the port is that of backends, and none of them has the name")
	case f != nil:
		x.refused(ex, f, "the egress filter lets no other host pass")
	case w.chain != nil:
		x.listener(w.chain)
		x.connect(ex, w.chain)
	default:
		x.passed("the host is no backend's, and the egress filter lets it pass", w.cluster.Spec())
		if !ex.Request.IsConnect() {
			x.Verdict.Reason = "the host is no backend's; the request is sent to its address"
			x.Route = routeFacts(passRoute)
		}
	}
}
