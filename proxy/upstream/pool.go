package upstream

import (
	"slices"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pool is an endpoint's idle HTTP/1.1 connections and who waits for one. It is LIFO:
// the connection used last is used next, so that surplus ones age out (Envoy
// 4.2). The lock is held for a few instructions.
type pool struct {
	endpoint *Endpoint

	mu      sync.Mutex
	idle    []*conn
	waiting []chan *conn // oldest first
	retired bool         // the endpoint has left its cluster
	swept   bool         // the sweeper knows the pool
}

// take gives the idle connection used last, or nil.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pop()
}

// pop is take under the lock.
func (p *pool) pop() *conn {
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return c
}

// put gives a connection back: to who has waited longest, else to the pool.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	if p.retired {
		p.mu.Unlock()
		c.close(p.endpoint.cluster.stats.Counter(cxDestroyLocal))
		return
	}
	if len(p.waiting) > 0 {
		// Under the lock: who gives up waiting takes itself off the list first.
		p.waiting[0] <- c
		p.waiting = slices.Delete(p.waiting, 0, 1)
		p.mu.Unlock()
		return
	}
	p.idle = append(p.idle, c)
	fresh := !p.swept
	p.swept = true
	p.mu.Unlock()
	if fresh {
		p.endpoint.cluster.manager.sweeper.add(p)
	}
}

// vacant gives the place of a connection that has gone to who has waited
// longest. When somebody else was faster, their place comes free one day too.
func (p *pool) vacant() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 && p.endpoint.reserve() {
		p.waiting[0] <- nil
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

// wait waits for a connection of the pool, or for a place to open one (nil,
// true), until the time by (0: for ever) or until the client leaves (nil,
// false). One or the other may have come back since the caller looked.
func (p *pool) wait(ex *l7.Exchange, by time.Duration) (c *conn, ok bool) {
	turn := make(chan *conn, 1)
	p.mu.Lock()
	if len(p.waiting) == 0 {
		if c = p.pop(); c != nil || p.endpoint.reserve() {
			p.mu.Unlock()
			return c, true
		}
	}
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	if c, ok = await(ex, turn, by); ok {
		return c, true
	}
	return p.leave(turn)
}

// leave gives up waiting. A connection or a place that came at the same moment
// is passed on.
func (p *pool) leave(turn chan *conn) (*conn, bool) {
	p.mu.Lock()
	if i := slices.Index(p.waiting, turn); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return nil, false
	}
	p.mu.Unlock()
	if c := <-turn; c != nil {
		p.put(c)
	} else {
		p.endpoint.free()
	}
	return nil, false
}

// retire closes the idle connections; busy ones are closed when they come back.
func (p *pool) retire() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.retired = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.close(p.endpoint.cluster.stats.Counter(cxDestroyLocal))
	}
}

// sweep closes connections that were idle too long or that the peer has
// closed, and tells whether any idle one is left.
func (p *pool) sweep(now time.Duration) bool {
	var dead []*conn
	p.mu.Lock()
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		if c.expired(now) || c.Conn().Quiet() != nil {
			dead = append(dead, c)
			return true
		}
		return false
	})
	left := len(p.idle) > 0
	p.swept = left
	p.mu.Unlock()
	stats := p.endpoint.cluster.stats
	for _, c := range dead {
		if c.expired(now) {
			stats.Counter(cxIdleTimeout).Inc()
			c.close(stats.Counter(cxDestroyLocal))
		} else {
			c.close(stats.Counter(cxDestroyRemote))
		}
	}
	return left
}
