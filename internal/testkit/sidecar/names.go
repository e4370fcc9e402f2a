package sidecar

import (
	"context"
	"net/netip"
	"sync"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Names is a source of endpoints that the test moves. It answers at once with
// what is known, as a resolver whose names are cached. The zero value knows
// nothing.
type Names struct {
	mu      sync.Mutex
	known   map[string][]netip.AddrPort
	watched map[string]bool
	update  func(string, []netip.AddrPort)
}

// Set says where the endpoints of a cluster are from now on.
func (n *Names) Set(cluster string, addrs ...netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[string][]netip.AddrPort)
	}
	n.known[cluster] = addrs
	if n.watched[cluster] {
		n.update(cluster, addrs)
	}
}

// Sync takes over which clusters are watched.
func (n *Names) Sync(clusters []*mesh.Cluster, update func(string, []netip.AddrPort)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := make(map[string]bool, len(clusters))
	n.update = update
	for _, c := range clusters {
		if c.Discovery.Kind == mesh.Static || c.Discovery.Kind == mesh.OriginalDst {
			continue
		}
		next[c.Name] = true
		if addrs, ok := n.known[c.Name]; ok && !n.watched[c.Name] {
			update(c.Name, addrs)
		}
	}
	n.watched = next
}

// Await has nothing to wait for.
func (n *Names) Await(context.Context) []string { return nil }

// Watched tells whether a cluster is watched.
func (n *Names) Watched(cluster string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.watched[cluster]
}
