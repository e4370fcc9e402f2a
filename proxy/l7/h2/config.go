package h2

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Config is what connections share. It must not be copied or changed once it
// is used.
type Config struct {
	Limits Limits
	// Budget bounds what connections buffer; nil: windows do not grow, and
	// nothing bounds the sum of the initial ones.
	Budget *Budget
	// Crew runs the streams and passes bodies on. It must be there.
	Crew *l7.Crew
	// Stats is made with Layout; nil: nothing is counted.
	Stats *stat.Group
	// Received and Sent count bytes while they pass; nil: nobody does.
	Received, Sent *stat.Counter
	// StreamIdle bounds the silence on a downstream stream (Envoy:
	// stream_idle_timeout); ConnIdle how long a downstream connection may be
	// without a stream. 0 is no bound.
	StreamIdle, ConnIdle time.Duration

	servers, clients sync.Pool // of streams
	once             sync.Once
	limits           Limits // with defaults
	cells            *stat.Group
}

// ready fills in what is left to defaults.
func (c *Config) ready() {
	c.once.Do(func() {
		c.limits = c.Limits.or()
		if c.cells = c.Stats; c.cells == nil {
			c.cells = new(stat.Set).Group("http2.", &Layout)
		}
		c.servers.New = func() any { return newServerStream() }
		c.clients.New = func() any { return newClientStream() }
	})
}

// Budget bounds what all connections of the process buffer, and by how much
// their windows grow.
type Budget struct{ left atomic.Int64 }

// NewBudget makes a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := new(Budget)
	b.left.Store(bytes)
	return b
}

// Left is how many bytes are left.
func (b *Budget) Left() int64 { return b.left.Load() }

// take takes n bytes, all or none. A nil budget has none to give.
func (b *Budget) take(n int64) bool {
	if b == nil {
		return false
	}
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *Budget) give(n int64) {
	if b != nil && n != 0 {
		b.left.Add(n)
	}
}
