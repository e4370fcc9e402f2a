package proxy

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/relay"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// upgrade writes the answer to an upgrade and relays bytes both ways until both
// sides end. The route's idle timeout goes on; its timeout does not.
func (h *http1) upgrade(e *exchange) (keep bool) {
	lease, ok := e.Lease.(interface {
		Hijack() (c *sock.Conn, early []byte, idle time.Duration)
	})
	if !ok {
		return false
	}
	if _, err := h.codec.WriteResponse(&e.Exchange); err != nil {
		return false
	}
	h.stats.Counter(cxUpgradesTotal).Inc()
	h.stats.Gauge(cxUpgradesActive).Inc()
	up, late, idle := lease.Hijack()
	s := l4.Session{Down: h.sock, Early: h.codec.Early(), Late: late, Idle: idle, Splicing: h.server.streams.splicing}
	h.conn.begun.Store(0) // a tunnel ends by its own FINs, not by the sweep
	h.sock.WatchRead(nil)
	up.Watch(nil)
	s.RelayConn(up)
	e.Clock = sock.Now()
	e.BytesReceived, e.BytesSent = e.BytesReceived+s.Received, e.BytesSent+s.Sent
	h.stats.Gauge(cxUpgradesActive).Dec()
	h.upgradeEnded(e, s.End)
	return false
}

// upgradeEnded says how a tunnel ended, if not by its two FINs.
func (h *http1) upgradeEnded(e *exchange, end relay.End) {
	switch end {
	case relay.Idle:
		e.Flags.Set(l7.FlagStreamIdleTimeout)
		e.Details = "stream_idle_timeout"
		h.stats.Counter(rqIdleTimeout).Inc()
	case relay.DownstreamBroke:
		e.left()
		h.stats.Counter(rqRxReset).Inc()
	case relay.UpstreamBroke:
		e.Flags.Set(l7.FlagConnectionTermination)
		e.Details = "upstream_reset_after_response_started{connection_termination}"
	}
}

// connect answers CONNECT to a backend's port. To a TCP backend it relays; to
// HTTP backends it serves what comes through the tunnel as if they had been
// dialed.
func (h *http1) connect(e *exchange, ch *chain) (keep bool) {
	f := ch.noTunnel(h.listener.bind.Direction)
	switch {
	case f != nil:
		h.replyAndClose(e, f)
		return false
	case ch.spec.Protocol == mesh.TCP:
		cluster := ch.targets.Pick(rand.Uint64())
		if cluster == nil {
			h.replyAndClose(e, errNoWeight)
			return false
		}
		stream, err := cluster.Connect()
		s := l4.Session{Cluster: cluster.Name(), Idle: ch.spec.IdleTimeout.Value}
		return h.tunnel(e, s, stream, err)
	}
	if !h.established(e) {
		return false
	}
	h.conn.begun.Store(0)
	inner := httpConn{conn: h.conn, chain: ch, routing: h.server.Routing(), find: byPort, local: h.local}
	inner.early = h.codec.Early()
	h.serveHTTP(inner)
	return false
}

// noTunnel is the answer to a CONNECT that the chain does not take; nil: it does.
func (ch *chain) noTunnel(d mesh.Direction) *l7.Failure {
	switch {
	case d == mesh.Ingress:
		// Envoy: CONNECT is no upgrade that this listener allows.
		return &l7.Failure{Status: 403, Details: "upgrade_failed", Close: true}
	case ch.spec.Refuse != "":
		return &l7.Failure{Status: 503, Flag: l7.FlagConnectionFailure, Details: "listener_refused",
			Body: "port " + strconv.Itoa(int(ch.spec.Port)) + " is not served: " + ch.spec.Refuse, Close: true}
	}
	return nil
}

// tunnel answers CONNECT and relays, if the stream could be opened. The
// request's memory is kept meanwhile: the access log is told of it.
func (h *http1) tunnel(e *exchange, s l4.Session, stream *upstream.Stream, err error) (keep bool) {
	if err != nil {
		h.replyAndClose(e, err.(*l7.Failure))
		return false
	}
	if !h.established(e) {
		stream.Close()
		return false
	}
	h.conn.begun.Store(0) // a tunnel ends by its own FINs, not by the sweep
	h.sock.WatchRead(nil)
	s.Down, s.Early = h.sock, h.codec.Early()
	h.relay(&s, stream, nil)
	return false
}

// established answers a CONNECT with 200.
func (h *http1) established(e *exchange) bool {
	e.Response.Status, e.Response.Upgraded, e.Response.Body = 200, true, l7.Empty
	_, err := h.codec.WriteResponse(&e.Exchange)
	return err == nil
}

// forwardProxy serves what names a host that is no backend: CONNECT, or an
// absolute-form request as HTTP_PROXY makes them, on a connection that was not
// redirected. The egress filter holds here too.
func (h *http1) forwardProxy(e *exchange) (keep bool) {
	w, f := h.server.Routing().wayOfProxy(h.listener.bind.Direction, &e.Request)
	switch {
	case f == errNoRoute:
		h.stats.Counter(noRoute).Inc()
		e.reply(f)
		return h.respond(e)
	case f != nil:
		h.replyAndClose(e, f)
		return false
	case w.chain != nil:
		return h.connect(e, w.chain)
	}
	cluster := w.cluster
	host, port := proxyTarget(e.Request.Authority)
	addr, err := resolve(host, port)
	if err != nil {
		h.replyAndClose(e, &l7.Failure{Status: 503, Flag: l7.FlagNoHealthyUpstream, Details: "no_healthy_upstream",
			Body: "no healthy upstream", Close: true, Cause: err})
		return false
	}
	if e.Request.IsConnect() {
		stream, err := cluster.ConnectTo(addr)
		return h.tunnel(e, l4.Session{Local: addr, Cluster: cluster.Name(), Idle: passIdle, Witness: h.server.witness()}, stream, err)
	}
	if err := cluster.ForwardTo(&e.Exchange, addr, passRoute); err != nil {
		f, ok := err.(*l7.Failure)
		if !ok || f.Status == 0 {
			return false
		}
		e.reply(f)
	}
	return h.respond(e)
}

// passRoute is the route of requests that no document routes: App Mesh's
// default timeouts, no retries.
var passRoute = &mesh.Route{
	Timeout: mesh.Timeout{Value: 15 * time.Second},
	Idle:    mesh.Timeout{Value: streamIdle},
}

// replyAndClose answers with a failure, as the last thing on the connection.
func (h *http1) replyAndClose(e *exchange, f *l7.Failure) {
	e.reply(f)
	e.Response.Close = true
	h.respond(e)
}

// resolveTimeout bounds the lookup of a name that is no backend.
const resolveTimeout = 5 * time.Second

// resolve looks up a host that the app asks to be connected to.
func resolve(host string, port uint16) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), port), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), port), nil
}
