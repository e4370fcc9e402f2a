package upstream

import (
	"net/netip"
	"sync"
)

// chosen is the endpoints of a cluster whose addresses the app chooses (Envoy:
// ORIGINAL_DST). They come with the first request and go when they have no
// connection left and others are asked for.
type chosen struct {
	mu        sync.Mutex
	endpoints map[netip.AddrPort]*Endpoint
}

// chosenMost bounds the endpoints that are remembered; past it, those without
// a connection are forgotten.
const chosenMost = 256

func (s *chosen) endpoint(c *Cluster, addr netip.AddrPort) *Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.endpoints[addr]; e != nil {
		return e
	}
	if len(s.endpoints) >= chosenMost {
		for old, e := range s.endpoints {
			if e.open.Load() == 0 {
				delete(s.endpoints, old)
			}
		}
	}
	if s.endpoints == nil {
		s.endpoints = make(map[netip.AddrPort]*Endpoint)
	}
	e := newEndpoint(c, addr)
	s.endpoints[addr] = e
	return e
}

// retire closes the idle connections of all of them.
func (s *chosen) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		e.retire()
	}
	s.endpoints = nil
}
