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
// How many streams a new connection takes is not known until its peer's SETTINGS
// have come: it gets one, the others wait, and no other connection is opened
// meanwhile. (Envoy opens as many as its own limit says, and the peer refuses what
// is too many.) A connection that ends before that fails all who wait, as one
// that could not be opened. So does one whose peer takes no streams at all, by
// overflow, and it is retired: a waiting request costs at most one connection.
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
	fresh   *muxConn // its peer's SETTINGS have not come; nil: there is none
	retired bool     // the endpoint has left its cluster
	swept   bool     // the sweeper knows the pool
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
// tells whether one is being opened, or about to say what it takes. It is called
// under the lock.
func (m *mux) grow() bool {
	if m.dialing || m.fresh != nil || len(m.waiting) == 0 {
		return m.dialing || m.fresh != nil
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

// add takes a new connection in. What its peer says of it, or its end, follows
// (heard), maybe at once.
func (m *mux) add(sc *sock.Conn) {
	m.mu.Lock()
	c := newMuxConn(m, sc) // under the lock: heard comes after
	m.all = append(m.all, c)
	m.dialing, m.fresh = false, c
	m.serve(c)
	m.grow()
	retired, unknown := m.retired, !m.swept
	m.swept = true
	m.mu.Unlock()
	if unknown {
		m.endpoint.cluster.manager.sweeper.add(m)
	}
	if retired {
		m.retire()
	}
}

// heard takes note of what a connection's peer has said: how many streams it
// takes, that it takes no more, or none at all. The connection may have ended,
// too.
func (m *mux) heard(c *muxConn) {
	m.mu.Lock()
	usable, failed := c.client.Usable(), outcome{}
	switch {
	case !usable:
		failed = m.lose(c)
	case c.leaving.Load():
	case c.client.Settled():
		failed = m.settle(c)
	}
	var dismissed []chan place
	if failed.reset != answered {
		dismissed = m.dismiss()
	}
	m.grow()
	ending, retired := c.leaving.Load(), m.retired && m.fresh == nil
	m.mu.Unlock()
	tell(dismissed, failed)
	switch {
	case !usable:
		c.end(cxDestroyRemote)
	case ending && c.active.Load() == 0:
		c.end(cxDestroyLocal)
	}
	if retired {
		m.retire()
	}
}

// lose forgets a connection that takes no more streams, and says how those fail
// who wait: not at all, unless it was a new one.
func (m *mux) lose(c *muxConn) (failed outcome) {
	if !c.leaving.Load() && c.client.Leaving() {
		m.endpoint.cluster.stats.Counter(cxCloseNotify).Inc()
	}
	if m.fresh == c && !c.client.Settled() {
		err := c.client.Err()
		failed = outcome{reset: resetBy(err), err: err}
	}
	m.forget(c)
	return failed
}

// settle serves who waits by what the peer takes.
func (m *mux) settle(c *muxConn) (failed outcome) {
	if m.fresh == c {
		m.fresh = nil
	}
	switch {
	case c.client.MaxStreams() == 0:
		m.forget(c)
		return outcome{reset: overflowed, err: errNoStreams}
	case !c.listed.Load():
		m.serve(c)
	}
	return outcome{}
}

var errNoStreams = errors.New("the HTTP/2 peer takes no streams (SETTINGS_MAX_CONCURRENT_STREAMS is 0)")

// freed tells of a connection that was not in ready and may have room now.
func (m *mux) freed(c *muxConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.listed.Load() && !c.leaving.Load() && c.client.Usable() {
		m.serve(c)
		m.grow() // its last request may have been among them
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
	if m.fresh == c {
		m.fresh = nil
	}
	c.leaving.Store(true)
}

// retire closes the connections as their last streams end. Who still waits is
// served first by one that is new; when the manager closes, they fail.
func (m *mux) retire() {
	m.mu.Lock()
	m.retired = true
	awaited := len(m.waiting) > 0 && m.endpoint.cluster.manager.dialing.Err() == nil
	var left []*muxConn
	for _, c := range slices.Clone(m.all) {
		if c == m.fresh && awaited {
			continue
		}
		m.forget(c)
		left = append(left, c)
	}
	m.grow()
	m.mu.Unlock()
	for _, c := range left {
		c.end(cxDestroyLocal)
	}
}

// muxIdle is how long a connection without streams is kept (Envoy: cluster
// idle_timeout). A peer that wants it closed earlier says so by GOAWAY, which
// no request is lost by.
const muxIdle = time.Hour

// freshMost is how long others wait for what a new connection's peer takes. A
// connection that has not said by then gets no more streams, and another is
// opened.
const freshMost = 5 * time.Second

// sweep closes connections that were idle too long or say nothing, and tells
// whether any is left.
func (m *mux) sweep(now time.Duration) bool {
	var idle []*muxConn
	m.mu.Lock()
	for _, c := range slices.Clone(m.all) {
		if open, since := c.client.Streams(); open == 0 && now-max(since, c.born) >= muxIdle {
			m.forget(c)
			idle = append(idle, c)
		}
	}
	silent := m.fresh
	if silent != nil && now-silent.born >= freshMost {
		m.forget(silent)
	} else {
		silent = nil
	}
	m.grow()
	left := len(m.all) > 0
	m.swept = left
	m.mu.Unlock()
	if silent != nil {
		silent.end(cxDestroyLocal)
	}
	for _, c := range idle {
		m.endpoint.cluster.stats.Counter(cxIdleTimeout).Inc()
		c.end(cxDestroyLocal)
	}
	return left
}
