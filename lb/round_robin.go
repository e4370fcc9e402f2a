package lb

import "sync/atomic"

// RoundRobin takes the endpoints in turn, beginning somewhere (Envoy
// ROUND_ROBIN with equal weights: an index from a random seed, one further
// with each pick). All goroutines share the turn: n picks in a row, by
// whomever, are n different endpoints. The zero value has no endpoints.
type RoundRobin struct {
	size uint64
	turn atomic.Uint64
}

// NewRoundRobin makes a picker over size endpoints. seed is random bits:
// sidecars that start together must not all begin with the same endpoint.
func NewRoundRobin(size int, seed uint64) *RoundRobin {
	r := &RoundRobin{size: uint64(max(size, 0))}
	if r.size > 0 {
		// Far from where the counter wraps and a turn would be cut short.
		r.turn.Store(seed % r.size)
	}
	return r
}

// Pick implements Picker. It looks at nothing in c.
func (r *RoundRobin) Pick(*Context) int {
	switch r.size {
	case 0:
		return None
	case 1:
		return 0
	}
	return int((r.turn.Add(1) - 1) % r.size)
}

// Next says whom Pick would give, in this order, if it were called now; no turn
// is taken. For those who look on; it allocates.
func (r *RoundRobin) Next() []int {
	next, turn := make([]int, r.size), r.turn.Load()
	for i := range next {
		next[i] = int((turn + uint64(i)) % r.size)
	}
	return next
}
