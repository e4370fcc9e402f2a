package h2

import (
	"sync/atomic"
	"time"
)

// goingAway is how far a graceful shutdown has come (RFC 9113 6.8, Envoy 2.11):
// a first GOAWAY that refuses nothing tells the peer to open no more streams;
// when it has heard that, the second says which were the last.
type goingAway struct {
	step  goAwayStep
	timer *time.Timer
	over  atomic.Bool // nothing is left to do: the reader ends
}

type goAwayStep uint8

const (
	staying goAwayStep = iota
	announced
	leaving
)

// shutdownPing is the payload of the PING whose answer tells that the peer has
// read what came before it; a peer that does not answer is given a second.
const (
	shutdownPing = 0x6f75747269646572
	shutdownWait = time.Second
	// longAgo is a deadline that has passed, on every clock.
	longAgo time.Duration = -1 << 62
)

// shutdown begins a graceful end.
func (c *conn) shutdown() {
	c.mu.Lock()
	if c.going.step != staying || c.err != nil {
		c.mu.Unlock()
		return
	}
	c.going.step = announced
	c.appendGoAway(maxStreamID, NoError, "")
	c.appendPing(shutdownPing)
	c.going.timer = time.AfterFunc(shutdownWait, c.lastGoAway)
	c.mu.Unlock()
	c.flush()
}

// lastGoAway is the second step.
func (c *conn) lastGoAway() {
	c.mu.Lock()
	if c.going.step != announced || c.err != nil {
		c.mu.Unlock()
		return
	}
	c.going.timer.Stop()
	c.going.step = leaving
	c.appendGoAway(c.last, NoError, "")
	c.maybeOver()
	c.mu.Unlock()
	c.flush()
}

// maybeOver ends the connection if it is leaving and no stream is left, under
// the lock.
func (c *conn) maybeOver() {
	if c.going.step == leaving && c.open == 0 && !c.going.over.Swap(true) {
		c.sock.ReadBy(longAgo)
		c.sock.Wake()
	}
}

// stopTimer ends what shutdown began.
func (c *conn) stopTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.going.timer != nil {
		c.going.timer.Stop()
	}
}
