package l4

import "github.com/outrider-mesh/outrider/proxy/upstream"

// Split shares connections among clusters by weight. The zero value has none.
type Split struct {
	targets []target
	total   uint64
}

type target struct {
	end     uint64
	cluster *upstream.Cluster
}

// Add adds a cluster with its weight; one of weight 0 gets nothing.
func (s *Split) Add(c *upstream.Cluster, weight uint32) {
	if weight > 0 {
		s.total += uint64(weight)
		s.targets = append(s.targets, target{s.total, c})
	}
}

// Pick chooses by draw, which is random bits; nil when there is nothing to
// choose from.
func (s *Split) Pick(draw uint64) *upstream.Cluster {
	if s.total == 0 {
		return nil
	}
	draw %= s.total
	for _, t := range s.targets {
		if draw < t.end {
			return t.cluster
		}
	}
	return nil
}
