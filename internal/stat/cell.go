package stat

import "sync/atomic"

// Counter only grows (but for a reset through the admin API).
// The zero value is ready; all methods may be called from any goroutine.
type Counter struct{ n atomic.Uint64 }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Value is the count since the start or the last reset.
func (c *Counter) Value() uint64 { return c.n.Load() }

// Reset sets the count to 0 (admin: /reset_counters).
func (c *Counter) Reset() { c.n.Store(0) }

// Gauge goes up and down. The zero value is ready.
type Gauge struct{ n atomic.Int64 }

// Inc adds one.
func (g *Gauge) Inc() { g.n.Add(1) }

// Dec takes one away.
func (g *Gauge) Dec() { g.n.Add(-1) }

// Add adds n, which may be negative, and gives the new value.
func (g *Gauge) Add(n int64) int64 { return g.n.Add(n) }

// Set replaces the value.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Value is the current value.
func (g *Gauge) Value() int64 { return g.n.Load() }

// Codes counts responses by status code, 100 to 599; others are dropped.
// It takes no memory before the first Inc. The zero value is ready.
type Codes struct{ cells atomic.Pointer[[500]Counter] }

// Inc counts one response of the code.
func (c *Codes) Inc(code int) {
	if code < 100 || code > 599 {
		return
	}
	cells := c.cells.Load()
	if cells == nil {
		c.cells.CompareAndSwap(nil, new([500]Counter))
		cells = c.cells.Load()
	}
	cells[code-100].Inc()
}

// Each calls yield for every code counted at least once, ascending.
func (c *Codes) Each(yield func(code int, cell *Counter)) {
	cells := c.cells.Load()
	if cells == nil {
		return
	}
	for i := range cells {
		if cells[i].Value() > 0 {
			yield(i+100, &cells[i])
		}
	}
}
