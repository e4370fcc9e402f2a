package proxy

import (
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// A client that has gone is seen by a sweep over the exchanges that take
// longer, not by a reader of its own: sweepEvery and sweepAfter together keep
// below 200 ms. A FIN counts as gone, as in Envoy.
const (
	sweepEvery = 50 * time.Millisecond
	sweepAfter = 100 * time.Millisecond
)

// sweep looks for clients that have gone until the server stops.
func (s *Server) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s.exchanges.Load() > 0 {
				s.sweepOnce(sock.Now())
			}
		case <-s.quit:
			return
		}
	}
}

func (s *Server) sweepOnce(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		begun := time.Duration(c.begun.Load())
		if begun > 0 && now-begun >= sweepAfter && !c.peer.Gone().Load() && c.sock.PeerGone() {
			c.peer.Leave()
		}
	}
}
