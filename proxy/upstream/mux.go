package upstream

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// mux is an endpoint's HTTP/2 connections and who waits for a place on one.
// Another connection is opened only when those there are full, one at a time:
// each halves what can be written at once (Envoy 4.2 opens them as needed, too).
// It is opened by a goroutine of its own, for all who wait; when that fails,
// all of them fail (Envoy 4.2: a connect failure purges every pending request).
//
// Choosing a connection and taking a place on it are one step, under the lock,
// which is never held while anything blocks. Nobody waits while a connection is
// in ready.
type mux struct {
	endpoint *Endpoint

	mu      sync.Mutex
	all     []*muxConn // that take streams
	ready   []*muxConn // those that may have room; the last is asked first
	waiting []chan place
	dialing bool
	retired bool // the endpoint has left its cluster
	swept   bool // the sweeper knows the pool
}

// place is a stream's place on a connection, or why there is none.
type place struct {
	conn   *muxConn
	stream *h2.ClientStream // nil: failed says why
	reused bool             // no other was open on it, and some had been
	failed outcome
}

// take gives a place on a connection that is there.
func (m *mux) take() (place, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pick()
}

// pick is take under the lock.
func (m *mux) pick() (place, bool) {
	for n := len(m.ready); n > 0; n = len(m.ready) {
		c := m.ready[n-1]
		if p, ok := c.place(); ok {
			return p, true
		}
		// Whose stream ends from now on finds the connection not listed and says
		// so; who did before has made room already.
		m.unlist(c)
		if p, ok := c.place(); ok {
			m.list(c)
			return p, true
		}
	}
	return place{}, false
}

// wait waits for a place, until the time by (0: for ever) or until the client
// leaves. overflow is called if a connection would be opened for it but for the
// cluster's limit.
func (m *mux) wait(ex *l7.Exchange, by time.Duration, overflow func()) (place, bool) {
	turn := make(chan place, 1)
	m.mu.Lock()
	if p, ok := m.pick(); ok {
		m.mu.Unlock()
		return p, true
	}
	if err := m.endpoint.cluster.manager.dialing.Err(); err != nil {
		m.mu.Unlock()
		return place{failed: outcome{reset: connectFailed, err: err}}, true
	}
	m.waiting = append(m.waiting, turn)
	growing := m.grow()
	m.mu.Unlock()
	if !growing {
		overflow()
	}
	if p, ok := await(ex, turn, by); ok {
		return p, true
	}
	return m.leave(turn)
}

// leave gives up waiting. A place that came at the same moment is given back.
func (m *mux) leave(turn chan place) (place, bool) {
	m.mu.Lock()
	i := slices.Index(m.waiting, turn)
	if i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
	}
	m.mu.Unlock()
	if i < 0 {
		if p := <-turn; p.conn != nil {
			p.stream.Finish()
			p.conn.ended()
		}
	}
	return place{}, false
}

// grow has a connection opened, if somebody waits and the limits allow, and
// tells whether one is being opened. It is called under the lock.
func (m *mux) grow() bool {
	if m.dialing || len(m.waiting) == 0 {
		return m.dialing
	}
	if m.dialing = m.endpoint.reserve(); m.dialing {
		m.endpoint.cluster.manager.crew.Do(m)
	}
	return m.dialing
}

// vacant is called when a connection's place in the limits has come free.
func (m *mux) vacant() {
	m.mu.Lock()
	m.grow()
	m.mu.Unlock()
}

// Run opens a connection (l7.Task).
func (m *mux) Run() {
	c := m.endpoint.cluster
	sc, o := m.endpoint.connect(c.manager.dialing, c.Spec().ConnectTimeout)
	if o.reset == answered {
		m.add(sc)
	} else {
		m.fail(o)
	}
}

// fail ends the opening of a connection: whoever waits for it fails with it.
func (m *mux) fail(o outcome) {
	m.mu.Lock()
	m.dialing = false
	waiting := m.dismiss()
	m.mu.Unlock()
	tell(waiting, o)
}

// dismiss takes off the list all who wait, who are to be told why.
func (m *mux) dismiss() []chan place {
	waiting := m.waiting
	m.waiting = nil
	return waiting
}

func tell(waiting []chan place, why outcome) {
	for _, turn := range waiting {
		turn <- place{failed: why}
	}
}

// add takes a new connection in. One that is over before it served anybody
// fails those who wait: another would be, too.
func (m *mux) add(sc *sock.Conn) {
	m.mu.Lock()
	c := newMuxConn(m, sc) // under the lock: it may tell of a change at once
	m.all = append(m.all, c)
	waited := len(m.waiting)
	m.serve(c)
	m.dialing = false
	var dismissed []chan place
	if waited > 0 && len(m.waiting) == waited {
		dismissed = m.dismiss()
	}
	m.grow()
	retired, fresh := m.retired, !m.swept
	m.swept = true
	m.mu.Unlock()
	tell(dismissed, outcome{reset: terminated, err: errNoStream})
	if fresh {
		m.endpoint.cluster.manager.sweeper.add(m)
	}
	if retired {
		m.retire()
	}
}

var errNoStream = errors.New("a new HTTP/2 connection took no stream")

// freed tells of a connection that was not in ready and may have room now.
func (m *mux) freed(c *muxConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.listed.Load() && !c.leaving.Load() && c.client.Usable() {
		m.serve(c)
	}
}

// serve gives a connection's places to who has waited longest; when nobody is
// left, it is one of those that may have room.
func (m *mux) serve(c *muxConn) {
	for len(m.waiting) > 0 {
		p, ok := c.place()
		if !ok {
			return
		}
		m.waiting[0] <- p
		m.waiting = slices.Delete(m.waiting, 0, 1)
	}
	m.list(c)
}

func (m *mux) list(c *muxConn) {
	if c.leaving.Load() {
		return
	}
	c.listed.Store(true)
	m.ready = append(m.ready, c)
}

func (m *mux) unlist(c *muxConn) {
	if i := slices.Index(m.ready, c); i >= 0 {
		m.ready = slices.Delete(m.ready, i, i+1)
	}
	c.listed.Store(false)
}

// forget takes a connection out for good: it takes no more streams.
func (m *mux) forget(c *muxConn) {
	m.unlist(c)
	if i := slices.Index(m.all, c); i >= 0 {
		m.all = slices.Delete(m.all, i, i+1)
	}
	c.leaving.Store(true)
}

// retire closes the connections as their last streams end.
func (m *mux) retire() {
	m.mu.Lock()
	m.retired = true
	left := slices.Clone(m.all)
	for _, c := range left {
		m.forget(c)
	}
	m.mu.Unlock()
	for _, c := range left {
		c.end(cxDestroyLocal)
	}
}

// muxIdle is how long a connection without streams is kept (Envoy: cluster
// idle_timeout). A peer that wants it closed earlier says so by GOAWAY, which
// no request is lost by.
const muxIdle = time.Hour

// sweep closes connections that were idle too long, and tells whether any is
// left.
func (m *mux) sweep(now time.Duration) bool {
	var dead []*muxConn
	m.mu.Lock()
	for _, c := range slices.Clone(m.all) {
		if open, since := c.client.Streams(); open == 0 && now-max(since, c.born) >= muxIdle {
			m.forget(c)
			dead = append(dead, c)
		}
	}
	left := len(m.all) > 0
	m.swept = left
	m.mu.Unlock()
	for _, c := range dead {
		m.endpoint.cluster.stats.Counter(cxIdleTimeout).Inc()
		c.end(cxDestroyLocal)
	}
	return left
}
