package relay

import (
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// spliceAfter is what a direction carries through user space first: most
// connections end before it pays to take a pipe.
const spliceAfter = 256 << 10

// Splicing is what all relays of a process share to move bytes inside the
// kernel: the pipes, and the count of what went through them.
type Splicing struct {
	after uint64
	pipes sock.Pipes
	bytes *stat.Counter
}

// NewSplicing makes it, with the cells tcp.spliced_bytes_total (both directions,
// as written) and tcp.splice_pipes (open, each of them two descriptors).
func NewSplicing(stats *stat.Set) *Splicing {
	s := &Splicing{after: spliceAfter, bytes: stats.Group("tcp.", &splicingLayout).Counter(0)}
	stats.GaugeFunc("tcp.splice_pipes", s.pipes.Open)
	return s
}

var splicingLayout = stat.Layout{Counters: []string{"spliced_bytes_total"}}

// Run is Run, but that a direction that has carried 256 KiB between two sockets
// goes on inside the kernel. On a nil Splicing it never does.
func (s *Splicing) Run(down, up Side, idle time.Duration) Result {
	r := s.Begin(down, up, idle)
	r.Run()
	return r.Result()
}

// Begin makes ready what Run does; nothing passes yet.
func (s *Splicing) Begin(down, up Side, idle time.Duration) *Relay {
	r := &Relay{idle: idle}
	if s != nil && down.Conn.CanSplice() && up.Conn.CanSplice() {
		r.splicing = s
	}
	r.prepare(&down, &up)
	return r
}
