package proxy

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// way is what becomes of a connection: what the routing decides of it before
// anything is read or dialled. The server goes it; Routing.Explain tells it.
type way struct {
	end     end
	chain   *chain            // that of the port; nil: there is none
	cluster *upstream.Cluster // whose endpoint the dialled address is; nil: there is none
	why     string            // it is closed, or would be but for AWS
}

// end is where a way leads.
type end uint8

const (
	// Nobody takes it.
	endsClosed end = iota
	// To the address that was dialled.
	endsPassed
	// To *.amazonaws.com, if TLS asks for it; else nobody takes it.
	endsAWS
	// To a target of the chain, if TLS does not ask for *.amazonaws.com.
	endsTCPOrAWS
	// To a target of the chain.
	endsTCP
	// Its requests are the chain's to route.
	endsHTTP
)

// wayOut decides what becomes of a connection that the app opens to a port
// (App Mesh 2.3): the chain is that of the backend port. Where there is one, what
// the documents declare is believed. Without one everything passes under
// ALLOW_ALL, and under DROP_ALL nothing but TLS to *.amazonaws.com.
func (r *Routing) wayOut(port uint16) way {
	ch := r.outbound[port]
	switch {
	case ch == nil && r.allowAll != nil:
		return way{end: endsPassed, cluster: r.allowAll}
	case ch == nil:
		return way{end: endsAWS, cluster: r.aws, why: "egress filter DROP_ALL, and no backend has the port"}
	case ch.spec.Refuse != "":
		return way{end: endsAWS, chain: ch, cluster: r.aws, why: ch.spec.Refuse}
	case ch.spec.Protocol == mesh.TCP && port == httpsPort && r.aws != nil:
		return way{end: endsTCPOrAWS, chain: ch, cluster: r.aws}
	}
	return ch.way()
}

// wayIn decides what becomes of a connection that somebody opens to a port of
// the node (App Mesh 2.2).
func (r *Routing) wayIn(port uint16) way {
	ch := r.inbound[port]
	if ch == nil {
		return way{why: "no listener has the port"}
	}
	return ch.way()
}

// way decides what becomes of a connection of the chain.
func (ch *chain) way() way {
	switch {
	case ch.spec.Refuse != "":
		return way{chain: ch, why: ch.spec.Refuse}
	case ch.spec.Protocol == mesh.TCP:
		return way{end: endsTCP, chain: ch}
	}
	return way{end: endsHTTP, chain: ch}
}

// wayOfTLS decides what becomes of TLS on a port of HTTP backends: it passes to
// *.amazonaws.com and is closed otherwise.
func (r *Routing) wayOfTLS(d mesh.Direction, serverName string) way {
	if d == mesh.Egress && r.aws != nil && l4.IsAWS(serverName) {
		return way{end: endsPassed, cluster: r.aws}
	}
	return way{why: tlsOnHTTP}
}

const tlsOnHTTP = "TLS where HTTP is served"

// wayOfProxy decides what becomes of a request that names a host, on a
// connection that nothing redirected, where no chain has the host: CONNECT, or an
// absolute form as HTTP_PROXY makes them. A chain is to take it as a tunnel. The
// port of backends is theirs: other hosts on it get 404, under ALLOW_ALL too (App
// Mesh 2.3). Elsewhere the egress filter holds. The failure is the answer.
func (r *Routing) wayOfProxy(d mesh.Direction, req *l7.Request) (way, *l7.Failure) {
	host, port := proxyTarget(req.Authority)
	aws := req.IsConnect() && l4.IsAWS(strings.ToLower(host)) // which always passes
	ch := r.outbound[port]
	switch {
	case d == mesh.Ingress:
	case ch != nil && !aws && req.IsConnect():
		return way{end: endsHTTP, chain: ch}, nil
	case ch != nil && !aws:
		return way{}, errNoRoute
	case r.allowAll != nil:
		return way{end: endsPassed, cluster: r.allowAll}, nil
	case aws && r.aws != nil:
		return way{end: endsPassed, cluster: r.aws}, nil
	}
	return way{}, &l7.Failure{Status: 403, Flag: l7.FlagNoRoute, Details: "egress_filter",
		Body: "egress filter DROP_ALL: " + string(req.Authority) + " is no backend of this node", Close: true}
}

// proxyTarget is the host and port that a request names.
func proxyTarget(authority []byte) (host string, port uint16) {
	if host, port = splitHostPort(authority); port == 0 {
		port = 80
	}
	return host, port
}
