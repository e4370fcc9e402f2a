package upstream

import (
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h1"
)

// conn is one pooled connection: idle in its endpoint's pool, or leased to one
// exchange.
type conn struct {
	*h1.Client
	endpoint *Endpoint
	waiter   l7.Waiter // wakes who waits on the connection

	born      time.Duration
	idleSince time.Duration
	used      bool // has carried a request
	rx, tx    uint64
}

func newConn(e *Endpoint, sc *sock.Conn, crew *l7.Crew) *conn {
	c := &conn{Client: h1.NewClient(sc, crew), endpoint: e, born: sock.Now()}
	c.waiter.Wake = sc.Wake
	cl := e.cluster
	cl.stats.Counter(cxTotal).Inc()
	cl.stats.Counter(cxHTTP1Total).Inc()
	cl.stats.Gauge(cxActive).Inc()
	e.Cells.CxTotal.Inc()
	e.Cells.CxActive.Inc()
	return c
}

// lend ties the connection to who waits for it: when the client leaves, what
// waits on the connection is woken and fails.
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
	cl := c.endpoint.cluster
	cl.stats.Counter(cxDestroy).Inc()
	why.Inc()
	cl.stats.Gauge(cxActive).Dec()
	cl.stats.Histogram(cxLength).Observe(micros(sock.Now() - c.born))
	c.endpoint.Cells.CxActive.Dec()
	c.endpoint.free()
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
