package upstream

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// muxConn is one HTTP/2 connection of an endpoint, shared by its streams.
type muxConn struct {
	pool   *mux
	client *h2.Client
	born   time.Duration

	requests uint32       // streams opened; under the pool's lock
	active   atomic.Int32 // streams open
	listed   atomic.Bool  // it is in ready; written under the pool's lock
	leaving  atomic.Bool  // it takes no more streams; likewise
	ending   atomic.Bool
	cut      atomic.Bool // its end has cut a stream
	why      int         // the counter of its end
}

func newMuxConn(m *mux, sc *sock.Conn) *muxConn {
	c := &muxConn{pool: m, born: sock.Now()}
	m.endpoint.connected(cxHTTP2Total)
	c.client = h2.NewClient(sc, m.endpoint.cluster.http2.Load(), c.changed)
	return c
}

// place opens a stream, if there is room. It is called under the pool's lock.
func (c *muxConn) place() (place, bool) {
	if c.leaving.Load() {
		return place{}, false
	}
	s := c.client.Open()
	if s == nil {
		return place{}, false
	}
	c.requests++
	reused := c.active.Add(1) == 1 && c.requests > 1
	cluster := c.pool.endpoint.cluster
	if most := cluster.manager.settings.MaxRequestsPerConnection; most > 0 && c.requests >= most {
		cluster.stats.Counter(cxMaxRequests).Inc()
		c.pool.forget(c) // it ends with its last stream: ended
	}
	return place{conn: c, stream: s, reused: reused}, true
}

// ended tells that one of its streams has given its place back.
func (c *muxConn) ended() {
	left := c.active.Add(-1)
	switch {
	case c.leaving.Load():
		if left == 0 {
			c.end(cxDestroyLocal)
		}
	case !c.listed.Load():
		c.pool.freed(c)
	}
}

// changed is called by the connection's reader when it takes no more streams,
// or more than before.
func (c *muxConn) changed(*h2.Client) { c.pool.heard(c) }

// end closes the connection once its streams have ended, and counts it then.
func (c *muxConn) end(why int) {
	if !c.ending.Swap(true) {
		c.why = why
		c.client.Retire()
		c.pool.endpoint.cluster.manager.crew.Do(c)
	}
}

// Run waits for the end of a connection and counts it (l7.Task).
func (c *muxConn) Run() {
	<-c.client.Done()
	stats := c.pool.endpoint.cluster.stats
	var breach *h2.Error
	if errors.As(c.client.Err(), &breach) && !breach.Remote {
		stats.Counter(cxProtocolError).Inc()
	}
	c.pool.endpoint.disconnected(stats.Counter(c.why), c.born)
}

// stream is a leg on an HTTP/2 connection. It is part of a forwarding, so that
// a request takes no memory for it.
type stream struct {
	*h2.ClientStream
	conn   *muxConn
	before bool // reused
	// waiter wakes the stream in wakes, whoever uses it: who wakes one that has
	// passed on makes it look again, no more.
	waiter l7.Waiter
	wakes  atomic.Pointer[h2.ClientStream]
}

// make prepares a stream's memory, once.
func (s *stream) make() {
	s.waiter.Wake = func() {
		if st := s.wakes.Load(); st != nil {
			st.Wake()
		}
	}
}

func (s *stream) use(p place) { s.ClientStream, s.conn, s.before = p.stream, p.conn, p.reused }

// lend ties the stream to who waits for it (leg).
func (s *stream) lend(ex *l7.Exchange) {
	if ex.Peer == nil {
		s.Watch(nil)
		return
	}
	s.Watch(ex.Peer.Gone())
	s.wakes.Store(s.ClientStream)
	ex.Peer.Wait(&s.waiter)
}

// reused tells that the connection had been idle (leg).
func (s *stream) reused() bool { return s.before }

func (s *stream) remote() netip.AddrPort { return s.conn.client.Conn().Remote() }

// cutFirst tells, once, that the connection's end has cut a stream.
func (s *stream) cutFirst() bool { return !s.conn.cut.Swap(true) }

// finish ends the stream and gives its place back (leg).
func (s *stream) finish(ex *l7.Exchange, _ bool) (pumped uint64) {
	pumped = s.Finish()
	if ex.Peer != nil {
		ex.Peer.Wait(nil)
	}
	s.wakes.Store(nil)
	c := s.conn
	s.ClientStream, s.conn = nil, nil
	c.ended()
	return pumped
}
