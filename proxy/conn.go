package proxy

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// conn is one accepted connection. One goroutine at a time serves it, from
// accept to close; others look at begun and raise peer's flag.
type conn struct {
	server   *Server
	listener *listener
	sock     *sock.Conn
	peer     l7.Peer
	wake     l7.Waiter

	// begun is when the exchange under way began; 0 between two.
	begun atomic.Int64
	// http2 is the connection at work, if it is one of HTTP/2.
	http2 atomic.Pointer[http2]
	// last is set when the connection may serve one more request and no more.
	last atomic.Bool
	born time.Duration
	// lent is true while it is on a goroutine of the crew.
	lent bool
}

// Run serves the connection, on a goroutine of the crew, whose stack is large,
// as far as it does not wait: it finds out where the connection goes and dials.
// What waits, perhaps for ever, goes on apart.
func (c *conn) Run() {
	c.lent = true
	c.born = sock.Now()
	stats := c.listener.stats
	stats.Counter(lnCxTotal).Inc()
	stats.Gauge(lnCxActive).Inc()
	if c.listener.bind.Direction == mesh.Ingress {
		c.serveIngress()
	} else {
		c.serveEgress()
	}
	if c.lent {
		c.end()
	}
}

// apart serves what has been found out: on a goroutine of its own, whose stack
// stays as small as it can, in place of the crew's. Nothing may follow it there.
func (c *conn) apart(s service) {
	if !c.lent {
		s.serve()
		return
	}
	c.lent = false
	go c.goOn(s)
}

// service is what a connection turns out to carry: HTTP or a stream.
type service interface{ serve() }

func (c *conn) goOn(s service) {
	s.serve()
	c.end()
}

func (c *conn) end() {
	stats := c.listener.stats
	c.sock.Close()
	c.server.mu.Lock()
	delete(c.server.conns, c)
	c.server.mu.Unlock()
	stats.Gauge(lnCxActive).Dec()
	stats.Counter(lnCxDestroy).Inc()
	stats.Histogram(lnCxLength).Observe(uint64((sock.Now() - c.born) / time.Microsecond))
	c.server.serving.Done()
}

// serveIngress serves a connection of the ingress port: the chain is that of
// the node's listener on the port the caller dialed (App Mesh 2.2). On a port of
// a gateway's listener it is that listener's (App Mesh 2.5).
func (c *conn) serveIngress() {
	routing := c.server.Routing()
	if port := c.listener.bind.Chain; port != 0 {
		c.serveOwnPort(routing, port)
		return
	}
	dst, redirected := c.sock.OriginalDst()
	if !redirected {
		c.serveDirectIngress(routing)
		return
	}
	w := routing.wayIn(dst.Port())
	if w.chain == nil {
		c.refuse(dst, w.why)
		return
	}
	c.serveChain(w.chain, dst)
}

// serveDirectIngress serves a connection made straight to the ingress port: it
// goes to the node's only listener, or to the one that its Host's port names.
func (c *conn) serveDirectIngress(routing *Routing) {
	if ch := routing.onlyInbound; ch != nil {
		c.serveChain(ch, c.sock.Local())
		return
	}
	for _, ch := range routing.inbound {
		if ch.spec.Protocol != mesh.TCP {
			c.serveHTTP(httpConn{conn: c, find: byHostPort, local: c.sock.Local()})
			return
		}
	}
	c.refuse(c.sock.Local(), "nothing says which listener a direct connection is for")
}

// serveOwnPort serves a connection to the port of a listener that has one of its
// own. What was accepted while the listener goes is served as it was.
func (c *conn) serveOwnPort(routing *Routing, port uint16) {
	ch := routing.inbound[port]
	if ch == nil {
		ch = c.listener.leaving.Load()
	}
	if ch == nil {
		c.refuse(c.sock.Local(), "no listener has the port")
		return
	}
	c.serveChain(ch, c.sock.Local())
}

// serveChain serves a connection whose chain is known.
func (c *conn) serveChain(ch *chain, dst netip.AddrPort) {
	if c.debug() {
		c.server.Log.Debug("chain", component("conn"), "peer", c.sock.Remote(), "destination", dst, "chain", ch.spec.RouteName())
	}
	switch w := ch.way(); w.end {
	case endsClosed:
		c.refuse(dst, w.why)
	case endsTCP:
		c.serveTCP(ch, dst)
	default:
		c.serveHTTP(httpConn{conn: c, chain: ch, routing: c.server.Routing(), find: byPort, local: dst})
	}
}

// refuse closes a connection that no chain takes (Envoy: no matching filter
// chain found).
func (c *conn) refuse(dst netip.AddrPort, why string) {
	c.listener.stats.Counter(lnNoChain).Inc()
	c.server.Log.Debug("closing connection: no matching filter chain found", component("conn"),
		"peer", c.sock.Remote(), "destination", dst, "why", why)
	c.logRefused(dst)
}

// hurry makes a connection that waits for a request end, and one that is at
// work end after it. One that has been here less than a moment may still send
// its first request.
func (c *conn) hurry() {
	c.last.Store(true)
	c.sock.Wake()
}

// drain tells the client of an HTTP/2 connection to go elsewhere; on HTTP/1 the
// next response will.
func (c *conn) drain() {
	if two := c.http2.Load(); two != nil {
		two.drain()
	}
}

func (c *conn) debug() bool { return c.server.Log.Enabled(context.Background(), slog.LevelDebug) }

func component(name string) slog.Attr { return slog.String("component", name) }
