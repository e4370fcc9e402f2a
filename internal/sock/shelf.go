package sock

import (
	"sync"
	"time"
)

// shelf keeps things that cost a descriptor between two uses. The one put back
// last is taken first, and what nobody took for shelfTime is discarded, so that
// a process at rest holds none. discard must be set.
type shelf[T any] struct {
	discard func(T)

	mu    sync.Mutex
	free  []T
	least int  // the fewest there were since the last sweep: nobody needs those
	armed bool // a sweep is due
}

// shelfTime is between two sweeps: what is not used goes after one to two.
const shelfTime = time.Second

// take gives the one that was put back last, if there is one.
func (s *shelf[T]) take() (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return v, false
	}
	v, s.free = s.free[last], s.free[:last]
	s.least = min(s.least, last)
	return v, true
}

// put gives it back.
func (s *shelf[T]) put(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, v)
	if !s.armed {
		s.armed = true
		time.AfterFunc(shelfTime, s.sweep)
	}
}

// sweep discards what was not used since the last one.
func (s *shelf[T]) sweep() {
	s.mu.Lock()
	unused := append([]T(nil), s.free[:s.least]...)
	s.free = append(s.free[:0], s.free[s.least:]...)
	s.least = len(s.free)
	if s.armed = s.least > 0; s.armed {
		time.AfterFunc(shelfTime, s.sweep)
	}
	s.mu.Unlock()
	for _, v := range unused {
		s.discard(v)
	}
}
