package proxy

import (
	"bytes"
	"strconv"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// byPort finds the chain of a connection that was redirected, or came to a port
// of a gateway. It stays the same chain
// until the routing is swapped; a port that has gone with it leaves none.
func byPort(h *httpConn, last *found, _ *l7.Exchange) *chain {
	r := h.server.Routing()
	if r == last.routing {
		return last.chain
	}
	port := h.chain.spec.Port
	chains := r.outbound
	if h.chain.spec.Direction == 0 {
		chains = r.inbound
	}
	ch := chains[port]
	if ch == nil {
		ch = h.listener.leaving.Load() // nil but on a gateway's port that goes
	}
	if !ch.routes() {
		return nil
	}
	last.routing, last.chain = r, ch
	return ch
}

// routes tells that requests can be routed by the chain, which may be nil.
func (ch *chain) routes() bool { return ch != nil && ch.handle != nil && ch.spec.Refuse == "" }

// byAuthority finds the chain of a request on a connection made straight to
// the egress port: by "name:port", or by a bare name if it has one port only.
func byAuthority(h *httpConn, last *found, ex *l7.Exchange) *chain {
	r := h.server.Routing()
	if r == last.routing && last.chain != nil && bytes.Equal(last.named, ex.Request.Authority) {
		return last.chain
	}
	ch := r.find(ex.Request.Authority)
	if !ch.routes() {
		return nil
	}
	last.routing, last.chain = r, ch
	last.named = append(last.named[:0], ex.Request.Authority...)
	return ch
}

// byHostPort finds the chain of a request on a connection made straight to the
// ingress port of a node with several listeners: by the port in its Host.
func byHostPort(h *httpConn, _ *found, ex *l7.Exchange) *chain {
	return h.server.Routing().findPort(ex.Request.Authority)
}

// findPort gives the chain of the listener whose port an authority names.
func (r *Routing) findPort(authority []byte) *chain {
	_, port := splitHostPort(authority)
	if ch := r.inbound[port]; ch.routes() {
		return ch
	}
	return nil
}

// splitHostPort takes an authority apart; port is 0 when there is none.
func splitHostPort(authority []byte) (host string, port uint16) {
	i := bytes.LastIndexByte(authority, ':')
	if i < 0 || bytes.IndexByte(authority[i:], ']') >= 0 {
		return string(bytes.Trim(authority, "[]")), 0
	}
	n, err := strconv.ParseUint(string(authority[i+1:]), 10, 16)
	if err != nil {
		return string(bytes.Trim(authority[:i], "[]")), 0
	}
	return string(bytes.Trim(authority[:i], "[]")), uint16(n)
}
