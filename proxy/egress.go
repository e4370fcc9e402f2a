package proxy

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// serveEgress serves a connection of the egress port, by the way that leads out
// of the port the app dialed. What passes, passes at once; where TLS to
// *.amazonaws.com alone does, the name that the client asks for is looked at
// first: until then nobody is dialed.
func (c *conn) serveEgress() {
	dst, redirected := c.sock.OriginalDst()
	if !redirected {
		c.serveDirectEgress()
		return
	}
	c.serveRedirectedEgress(dst)
}

func (c *conn) serveRedirectedEgress(dst netip.AddrPort) {
	switch w := c.server.Routing().wayOut(dst.Port()); w.end {
	case endsPassed:
		c.pass(w.cluster, dst, hello{})
	case endsAWS:
		c.serveAWS(w.cluster, dst, w.why)
	case endsTCPOrAWS:
		c.serveHTTPSPort(w.chain, w.cluster, dst)
	default:
		c.serveChain(w.chain, dst)
	}
}

// serveDirectEgress serves a connection made straight to the egress port: a
// sidecar that nothing redirects to. It must not be an open proxy.
func (c *conn) serveDirectEgress() {
	if !c.sock.Remote().Addr().IsLoopback() {
		c.refuse(c.sock.Local(), "the egress port takes direct connections from this host alone")
		return
	}
	c.serveHTTP(httpConn{conn: c, find: byAuthority, local: c.sock.Local()})
}

// sniTimeout is how long a client may take to say which server it wants, where
// that alone can allow its connection. (Envoy: listener_filters_timeout, 15 s.
// Ours is shorter: what ends by it is mostly a server-first protocol that the
// filter forbids, whose app should be told soon.)
const sniTimeout = 5 * time.Second

// serveAWS passes TLS to *.amazonaws.com on, which App Mesh always lets through,
// and refuses everything else.
func (c *conn) serveAWS(aws *upstream.Cluster, dst netip.AddrPort, why string) {
	if aws == nil {
		c.refuse(dst, why)
		return
	}
	hello, ok := c.awsHello(sniTimeout)
	if !ok {
		c.server.streams.sniffs.Counter(sniffRefused).Inc()
		c.refuse(dst, why)
		return
	}
	c.pass(aws, dst, hello)
}

// hello is how a connection begins, as far as it is known.
type hello struct {
	serverName string
	early      []byte // what was read of it
}

// awsHello tells whether the connection begins with TLS to *.amazonaws.com, and
// waits for the client's first bytes.
func (c *conn) awsHello(within time.Duration) (hello, bool) {
	early, name, ok := l4.ServerName(c.sock, within)
	return hello{name, early}, ok && l4.IsAWS(name)
}

// passIdle closes connections that no document speaks of when they carry
// nothing: the peer of one may be gone for good (Envoy: TCP proxy idle_timeout).
const passIdle = time.Hour

// pass relays bytes to the address that the app chose. Nobody waits to know
// what they are: a witness tells from those that pass.
func (c *conn) pass(cluster *upstream.Cluster, dst netip.AddrPort, begun hello) {
	s := l4.Session{Down: c.sock, Early: begun.early, Local: dst, ServerName: begun.serverName, Cluster: cluster.Name(),
		Idle: passIdle, Witness: c.server.witness()}
	stream, err := cluster.ConnectTo(dst)
	c.passOn(&s, stream, err)
}

const httpsPort = 443

// serveHTTPSPort serves the port of a TCP backend on which the app may also
// call AWS. The backend is dialed at once, so that one that speaks first is kept
// from nothing, and whoever speaks first decides: a client that asks for
// *.amazonaws.com goes there, everything else to the backend. On other TCP ports
// nobody looks (Envoy's TLS inspector stalls servers that speak first).
func (c *conn) serveHTTPSPort(ch *chain, aws *upstream.Cluster, dst netip.AddrPort) {
	s, cluster := c.session(ch, dst)
	stream, err := connect(cluster)
	hello, ok := c.awsHelloBefore(stream)
	if ok {
		if stream != nil {
			stream.Close()
		}
		c.pass(aws, dst, hello)
		return
	}
	s.Early = hello.early
	c.passOn(&s, stream, err)
}

// briefly is how long a client may take to say that it wants AWS where the
// backend that it might want as well cannot be reached.
const briefly = 250 * time.Millisecond

// awsHelloBefore is awsHello, but does not wait for the client any longer once
// the stream has anything to say. With no stream, which is nil then, it waits
// briefly: who waits for the backend to speak is to hear that it is not there.
func (c *conn) awsHelloBefore(stream *upstream.Stream) (hello, bool) {
	if stream == nil {
		return c.awsHello(briefly)
	}
	var spoken, asked atomic.Bool
	c.sock.WatchRead(&spoken)
	stream.Conn.WatchRead(&asked)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var p [1]byte
		stream.Conn.Peek(p[:], 1) // also its end is something
		spoken.Store(true)
		c.sock.Wake()
	}()
	begun, ok := c.awsHello(sniTimeout)
	asked.Store(true)
	stream.Conn.Wake()
	<-done
	c.sock.WatchRead(nil)
	stream.Conn.WatchRead(nil)
	return begun, ok
}
