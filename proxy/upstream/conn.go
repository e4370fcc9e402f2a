package upstream

import (
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h1"
)

// conn is one pooled HTTP/1.1 connection: idle in its endpoint's pool, or
// leased to one exchange.
type conn struct {
	*h1.Client
	endpoint *Endpoint
	waiter   l7.Waiter // wakes who waits on the connection

	born      time.Duration
	idleSince time.Duration
	requests  uint32 // given back after so many
	rx, tx    uint64
}

func newConn(e *Endpoint, sc *sock.Conn, crew *l7.Crew) *conn {
	c := &conn{Client: h1.NewClient(sc, crew), endpoint: e, born: sock.Now()}
	c.waiter.Wake = sc.Wake
	e.connected(cxHTTP1Total)
	return c
}

// lend ties the connection to who waits for it (leg).
func (c *conn) lend(ex *l7.Exchange) {
	if ex.Peer != nil {
		c.Conn().Watch(ex.Peer.Gone())
		ex.Peer.Wait(&c.waiter)
	}
}

// unlend unties it again.
func (c *conn) unlend(ex *l7.Exchange) {
	if ex.Peer != nil {
		ex.Peer.Wait(nil)
	}
	c.Conn().Watch(nil)
}

// reused tells that it has carried a request before (leg).
func (c *conn) reused() bool { return c.requests > 0 }

func (c *conn) remote() netip.AddrPort { return c.Conn().Remote() }

// ReadBy, WriteBy and Wake are the connection's (leg).
func (c *conn) ReadBy(t time.Duration) { c.Conn().ReadBy(t) }

// WriteBy bounds writes.
func (c *conn) WriteBy(t time.Duration) { c.Conn().WriteBy(t) }

// Wake wakes who waits on the connection.
func (c *conn) Wake() { c.Conn().Wake() }

// finish gives the connection back to the pool when it can take another
// request, else closes it (leg).
func (c *conn) finish(ex *l7.Exchange, complete bool) (pumped uint64) {
	reusable, pumped := c.Finish(complete)
	c.unlend(ex)
	c.account()
	c.requests++
	stats := c.endpoint.cluster.stats
	if most := c.endpoint.cluster.manager.settings.MaxRequestsPerConnection; reusable && most > 0 && c.requests >= most {
		stats.Counter(cxMaxRequests).Inc()
		reusable = false
	}
	if complete && c.Closing() {
		stats.Counter(cxCloseNotify).Inc()
	}
	if reusable {
		c.idleSince = ex.Clock
		c.endpoint.pool.put(c)
	} else {
		c.close(stats.Counter(cxDestroyLocal))
	}
	return pumped
}

// account moves what was read and written since the last time to the cells.
func (c *conn) account() {
	rx, tx := c.Conn().Traffic()
	stats := c.endpoint.cluster.stats
	stats.Counter(cxRxBytes).Add(rx - c.rx)
	stats.Counter(cxTxBytes).Add(tx - c.tx)
	c.rx, c.tx = rx, tx
}

// close closes the connection and gives its place in the limits back.
func (c *conn) close(why *stat.Counter) {
	c.Conn().Close()
	c.account()
	c.endpoint.disconnected(why, c.born)
}

// expired tells that an idle connection may be closed by its peer any moment.
func (c *conn) expired(now time.Duration) bool {
	limit := defaultIdle
	if announced := c.KeepFor(); announced > 0 {
		// A second before the peer does, or at three quarters of a short one.
		limit = max(announced-time.Second, announced*3/4)
	}
	return now-c.idleSince >= limit
}

// defaultIdle is how long an idle connection is kept when its peer announces
// nothing: below the shortest keep-alive among common application servers
// (Node.js: 5 s). Envoy keeps an hour and loses requests to the race.
const defaultIdle = 4 * time.Second

func micros(d time.Duration) uint64 { return uint64(max(d, 0) / time.Microsecond) }
