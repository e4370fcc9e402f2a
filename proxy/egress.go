package proxy

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// serveEgress serves a connection of the egress port (App Mesh 2.3): the chain
// is that of the backend port the app dialed. TLS to *.amazonaws.com passes
// always; without a chain everything passes under ALLOW_ALL and nothing under
// DROP_ALL.
func (c *conn) serveEgress() {
	routing := c.server.Routing()
	dst, redirected := c.sock.OriginalDst()
	if !redirected {
		c.serveDirectEgress()
		return
	}
	ch := routing.outbound[dst.Port()]
	switch {
	case ch == nil && routing.allowAll != nil:
		c.pass(routing.allowAll, dst, "")
	case ch == nil:
		if name, ok := c.awsName(); ok && routing.aws != nil {
			c.pass(routing.aws, dst, name)
			return
		}
		c.refuse(dst, "egress filter DROP_ALL, and no backend has the port")
	case ch.spec.Refuse != "", ch.spec.Protocol == mesh.TCP && dst.Port() == httpsPort:
		// On this port the client speaks first, so a look at what it says
		// holds nobody up. On other TCP ports nothing is waited for, so that
		// servers that speak first work (Envoy's TLS inspector stalls them).
		if name, ok := c.awsName(); ok && routing.aws != nil {
			c.pass(routing.aws, dst, name)
			return
		}
		c.serveChain(ch, dst)
	default:
		c.serveChain(ch, dst)
	}
}

const httpsPort = 443

// serveDirectEgress serves a connection made straight to the egress port: a
// sidecar that nothing redirects to. It must not be an open proxy.
func (c *conn) serveDirectEgress() {
	if !c.sock.Remote().Addr().IsLoopback() {
		c.refuse(c.sock.Local(), "the egress port takes direct connections from this host alone")
		return
	}
	c.serveHTTP(httpConn{conn: c, find: byAuthority, local: c.sock.Local()})
}

// passIdle closes connections that no document speaks of when they carry
// nothing: the peer of one may be gone for good (Envoy: TCP proxy idle_timeout).
const passIdle = time.Hour

// pass relays bytes to the address that the app chose.
func (c *conn) pass(cluster *upstream.Cluster, dst netip.AddrPort, serverName string) {
	s := l4.Session{Down: c.sock, Local: dst, ServerName: serverName, Cluster: cluster.Name(), Idle: passIdle}
	stream, err := cluster.ConnectTo(dst)
	c.relay(&s, stream, err)
}

// serveTCP relays bytes to one of the chain's clusters.
func (c *conn) serveTCP(ch *chain, dst netip.AddrPort) {
	s := l4.Session{Down: c.sock, Local: dst, Idle: ch.spec.IdleTimeout.Value}
	cluster := ch.targets.Pick(rand.Uint64())
	if cluster == nil {
		c.refuse(dst, "the route has no target with a weight")
		return
	}
	s.Cluster = cluster.Name()
	stream, err := cluster.Connect()
	c.relay(&s, stream, err)
}

func (c *conn) relay(s *l4.Session, stream *upstream.Stream, err error) {
	start := sock.Now()
	c.server.exchanges.Add(1) // a stream is something under way: a drain waits for it
	defer c.server.exchanges.Add(-1)
	if err != nil {
		c.server.Log.Debug("connecting upstream failed", component("tcp"), "cluster", s.Cluster, "error", err)
	} else {
		s.Relay(stream)
	}
	c.logStream(s, start, err)
}

// awsName tells whether the connection begins with TLS to *.amazonaws.com,
// which App Mesh always lets through. It waits for the client's first bytes,
// for a limited time (Envoy: listener_filters_timeout).
func (c *conn) awsName() (string, bool) {
	name, ok := l4.ServerName(c.sock, listenerFiltersTimeout)
	return name, ok && l4.IsAWS(name)
}
