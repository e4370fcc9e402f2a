package resilience

import (
	"math/bits"
	"time"
)

// DefaultBackoffBase is the first interval where no other is given (Envoy:
// upstream.base_retry_backoff_ms). The largest is ten times the first.
const DefaultBackoffBase = 25 * time.Millisecond

// Backoff says how long to wait before each retry of one request: full
// jitter, uniform in [0, interval), where the interval doubles from Base to
// Max (Envoy 3.7). The zero value is Envoy's default: up to 25, 50, 100, 200,
// 250, 250 ... ms. It belongs to one exchange and is not safe for concurrent use.
type Backoff struct {
	// Base is the first interval; 0 is DefaultBackoffBase.
	Base time.Duration
	// Max is the largest interval; 0 is ten times Base. One below Base holds
	// from the first interval on.
	Max time.Duration

	interval time.Duration
}

// Next gives the wait before the next retry. draw is random bits. The result
// is at least 0 and less than the interval, to the nanosecond (Envoy: to the
// millisecond).
func (b *Backoff) Next(draw uint64) time.Duration {
	base, longest := b.bounds()
	if b.interval == 0 {
		b.interval = min(base, longest)
	}
	interval := b.interval
	// Envoy's rule: double below half of the maximum, else go to the maximum,
	// so that 200 is followed by 250 and nothing overflows.
	if interval < longest/2 {
		b.interval = interval * 2
	} else {
		b.interval = longest
	}
	wait, _ := bits.Mul64(draw, uint64(interval))
	return time.Duration(wait)
}

// Reset makes the next wait a first one.
func (b *Backoff) Reset() { b.interval = 0 }

func (b *Backoff) bounds() (base, longest time.Duration) {
	base = b.Base
	if base <= 0 {
		base = DefaultBackoffBase
	}
	longest = b.Max
	if longest <= 0 {
		longest = base * 10
		if longest/10 != base {
			longest = 1<<63 - 1
		}
	}
	return base, longest
}
