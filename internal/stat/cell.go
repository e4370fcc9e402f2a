package stat

import "sync/atomic"

// Counter only grows (but for a reset through the admin API).
// The zero value is ready; all methods may be called from any goroutine.
type Counter struct {
	n    atomic.Uint64
	base atomic.Uint64 // n at the last reset: n itself never goes back
}

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Value is the count since the start or the last reset.
func (c *Counter) Value() uint64 {
	base := c.base.Load() // first: n is never behind a base read before it
	return c.n.Load() - base
}

// Used tells whether the counter was ever above 0; a reset does not undo it.
func (c *Counter) Used() bool { return c.n.Load() > 0 }

// Reset makes the count start at 0 again (admin: /reset_counters).
func (c *Counter) Reset() { c.base.Store(c.n.Load()) }

// Gauge goes up and down. The zero value is ready.
type Gauge struct {
	n       atomic.Int64
	touched atomic.Bool
}

// Inc adds one.
func (g *Gauge) Inc() { g.Add(1) }

// Dec takes one away.
func (g *Gauge) Dec() { g.Add(-1) }

// Add adds n, which may be negative, and gives the new value.
func (g *Gauge) Add(n int64) int64 {
	g.touch()
	return g.n.Add(n)
}

// Set replaces the value.
func (g *Gauge) Set(n int64) {
	g.touch()
	g.n.Store(n)
}

// Value is the current value.
func (g *Gauge) Value() int64 { return g.n.Load() }

// Used tells whether the gauge was ever set, though it may be 0 now.
func (g *Gauge) Used() bool { return g.touched.Load() }

// touch costs a load of the line that is written next anyway.
func (g *Gauge) touch() {
	if !g.touched.Load() {
		g.touched.Store(true)
	}
}
