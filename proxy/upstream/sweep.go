package upstream

import (
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// sweepEvery is how often idle connections are looked at.
const sweepEvery = time.Second

// sweeper closes idle connections in time. It knows only the pools that hold
// some, so that a large mesh costs nothing while it is quiet.
type sweeper struct {
	mu    sync.Mutex
	pools []swept
}

// swept is a pool of either kind. sweep closes what was idle too long, and
// tells whether there is any to come back for.
type swept interface{ sweep(now time.Duration) bool }

func (s *sweeper) add(p swept) {
	s.mu.Lock()
	s.pools = append(s.pools, p)
	s.mu.Unlock()
}

// run sweeps until quit is closed.
func (s *sweeper) run(quit <-chan struct{}) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweep(sock.Now())
		case <-quit:
			return
		}
	}
}

// sweep looks at every pool once. A pool left without idle connections is
// forgotten; it announces itself when it has one again.
func (s *sweeper) sweep(now time.Duration) {
	s.mu.Lock()
	pools := s.pools
	s.pools = nil
	s.mu.Unlock()
	kept := pools[:0]
	for _, p := range pools {
		if p.sweep(now) {
			kept = append(kept, p)
		}
	}
	s.mu.Lock()
	s.pools = append(s.pools, kept...)
	s.mu.Unlock()
}
