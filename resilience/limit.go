package resilience

import (
	"math"
	"sync/atomic"
)

// CircuitBreaker is the limits of one cluster (Envoy: circuit_breakers,
// default priority; App Mesh: connectionPool). It outlives snapshots: a reload
// changes the limits and keeps what is in use. The zero value limits nothing.
type CircuitBreaker struct {
	// Connections bounds connections to all endpoints of the cluster. An HTTP
	// request that finds it full waits for a connection instead of failing.
	Connections Limit
	// PendingRequests bounds requests that wait for a connection.
	PendingRequests Limit
	// Requests bounds requests under way.
	Requests Limit
}

// Limit counts what is in use and refuses what would exceed a maximum. It is
// exact: among any number of goroutines TryAcquire never lets more than the
// maximum in, and never refuses while there is room (Envoy's workers check
// without a lock and may stand one above). The zero value has no limit.
type Limit struct {
	maximum  atomic.Uint32
	inUse    atomic.Int64
	overflow atomic.Uint64
}

// SetMax sets the maximum; 0 is no limit. Who is in stays in, also above it.
func (l *Limit) SetMax(n uint32) { l.maximum.Store(n) }

// TryAcquire takes one place and tells whether there was one; the caller who
// got it calls Release once. A refusal is counted (503, flag UO; or a
// connection that is not opened).
func (l *Limit) TryAcquire() bool {
	maximum := int64(l.maximum.Load())
	if maximum == 0 {
		l.inUse.Add(1)
		return true
	}
	for {
		n := l.inUse.Load()
		if n >= maximum {
			l.overflow.Add(1)
			return false
		}
		if l.inUse.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Acquire takes one place whether there is one or not; the caller calls
// Release once. It is for what Envoy always lets in: the first connection of
// each endpoint, however full the cluster is.
func (l *Limit) Acquire() { l.inUse.Add(1) }

// Release gives one place back. It panics when nobody holds one: the count
// would be wrong for good, and the limit with it.
func (l *Limit) Release() {
	if l.inUse.Add(-1) < 0 {
		panic("resilience: Limit.Release without an Acquire")
	}
}

// InUse is how many places are taken.
func (l *Limit) InUse() int64 { return l.inUse.Load() }

// Max is the maximum; 0 is no limit.
func (l *Limit) Max() uint32 { return l.maximum.Load() }

// Remaining is how many places are left (Envoy: remaining_*), at least 0;
// math.MaxInt64 without a limit.
func (l *Limit) Remaining() int64 {
	maximum := l.maximum.Load()
	if maximum == 0 {
		return math.MaxInt64
	}
	return max(int64(maximum)-l.inUse.Load(), 0)
}

// Open tells whether the next TryAcquire would be refused (Envoy: *_open).
func (l *Limit) Open() bool { return l.Remaining() == 0 }

// Overflow is how many were refused since the start.
func (l *Limit) Overflow() uint64 { return l.overflow.Load() }
