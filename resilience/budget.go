package resilience

import (
	"math/bits"
	"sync/atomic"
)

// Envoy's defaults of a retry budget.
const (
	DefaultRetryPercent        = 20
	DefaultMinRetryConcurrency = 3
)

// RetryBudget bounds the retries that a cluster may have under way at once, by
// a share of its traffic (Envoy: retry_budget). It is shared by all requests
// to the cluster and outlives snapshots; methods may be called from any
// goroutine. The zero value refuses nothing: use NewRetryBudget.
type RetryBudget struct {
	percent atomic.Uint32
	least   atomic.Uint32

	active   atomic.Int64
	overflow atomic.Uint64
}

// NewRetryBudget makes a budget, see Configure.
func NewRetryBudget(percent, minConcurrency uint32) *RetryBudget {
	b := new(RetryBudget)
	b.Configure(percent, minConcurrency)
	return b
}

// Configure sets how many retries may be under way: percent of the cluster's
// requests, and minConcurrency in any case. percent 0 turns the budget off:
// retries are then counted and never refused. Retries under way stay counted.
func (b *RetryBudget) Configure(percent, minConcurrency uint32) {
	b.least.Store(minConcurrency)
	b.percent.Store(percent)
}

// RetryPermit is the right to one retry. It lives in the exchange; its owner
// calls Release when the exchange ends, however it ends, and that is all: an
// Acquire for the next retry gives the last one back first, and Release may be
// called when nothing is held, or twice. The zero value holds nothing. It
// belongs to one goroutine and must not be copied while it holds something.
type RetryPermit struct {
	from *RetryBudget
}

// Acquire asks b for the right to a retry and tells whether it was given.
// requests is how many of the cluster's requests are active or waiting for a
// connection. What the permit held before is released first: the retry
// that it was for has had its outcome (Envoy: the resource is held until the
// attempt is evaluated). A refusal is counted and leaves the permit empty;
// the failed response is then the answer (flag UO, upstream_rq_retry_overflow).
func (p *RetryPermit) Acquire(b *RetryBudget, requests uint64) bool {
	p.Release()
	if !b.take(requests) {
		b.overflow.Add(1)
		return false
	}
	p.from = b
	return true
}

// Release gives the permit back, if it holds one.
func (p *RetryPermit) Release() {
	if p.from != nil {
		p.from.active.Add(-1)
		p.from = nil
	}
}

// Active is how many retries are under way.
func (b *RetryBudget) Active() int64 { return b.active.Load() }

// Overflow is how many retries were refused since the start.
func (b *RetryBudget) Overflow() uint64 { return b.overflow.Load() }

func (b *RetryBudget) take(requests uint64) bool {
	percent := b.percent.Load()
	if percent == 0 {
		b.active.Add(1)
		return true
	}
	allowed := max(share(requests, percent), int64(b.least.Load()))
	for {
		active := b.active.Load()
		if active >= allowed {
			return false
		}
		if b.active.CompareAndSwap(active, active+1) {
			return true
		}
	}
}

// share is percent of requests, rounded down.
func share(requests uint64, percent uint32) int64 {
	const largest = 1<<63 - 1
	hi, lo := bits.Mul64(requests, uint64(percent))
	if hi > 0 {
		return largest
	}
	return int64(min(lo/100, largest))
}
