package route

import (
	"fmt"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Route is one route, ready to serve. It is immutable and may be held for as
// long as an exchange lasts, whatever happens to the Table.
type Route[D any] struct {
	// Host is the virtual host the route belongs to, Spec the route itself:
	// its name, timeouts and retry policy; of a gateway route, its Rewrite and
	// Service.
	Host *mesh.VirtualHost
	Spec *mesh.Route

	match   match
	targets []target[D]
	total   uint64
	gateway *gateway[D] // nil: no gateway route
}

// target takes the draws below end and not below the end of the one before it.
type target[D any] struct {
	end     uint64
	cluster D
}

// Pick chooses one of the route's clusters by weight. draw is random bits; one
// draw per exchange keeps the choice through its retries (Envoy: the random
// value is stable for the stream). false means that no target has a weight
// above 0: the request is answered 503.
func (r *Route[D]) Pick(draw uint64) (D, bool) {
	if r.total == 0 {
		var none D
		return none, false
	}
	if len(r.targets) == 1 {
		return r.targets[0].cluster, true
	}
	draw %= r.total
	i := 0
	for draw >= r.targets[i].end {
		i++
	}
	return r.targets[i].cluster, true
}

func (r *Route[D]) compile(c *compiler[D]) error {
	if err := r.match.compile(&r.Spec.Match); err != nil {
		return err
	}
	if r.Spec.Service != nil {
		var err error
		if r.gateway, err = c.gateway(r.Spec); err != nil {
			return err
		}
	}
	for i, t := range r.Spec.Targets {
		if t.Cluster == nil {
			return fmt.Errorf("target %d: has no cluster", i)
		}
		// Also a target of weight 0 is resolved, so that its cluster is warm
		// when the next snapshot gives it a share; Pick never sees it.
		d := c.cluster(t.Cluster)
		if t.Weight > 0 {
			r.total += uint64(t.Weight)
			r.targets = append(r.targets, target[D]{end: r.total, cluster: d})
		}
	}
	return nil
}
