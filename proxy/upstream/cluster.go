package upstream

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/lb"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
	"github.com/outrider-mesh/outrider/resilience"
)

// Cluster is a cluster at work. It lives as long as snapshots name it; what a
// snapshot says of it, and who its endpoints are, is swapped while it serves.
type Cluster struct {
	manager *Manager
	name    string
	stats   *stat.Group
	breaker resilience.CircuitBreaker
	budget  *resilience.RetryBudget
	uploads resilience.Limit // requests whose body has not come as a whole

	spec    atomic.Pointer[mesh.Cluster]
	members atomic.Pointer[Membership]
	chosen  chosen
	http2   atomic.Pointer[h2.Config] // nil until the cluster is spoken to in HTTP/2
	grpc    grpcStats

	mu   sync.Mutex // orders Update
	gate *Gate      // see Gate; nil until it is asked for
}

// Membership is the endpoints of a cluster at one moment, with the picker
// built for them. It is immutable.
type Membership struct {
	Endpoints []*Endpoint
	picker    lb.Picker
}

var nobody = &Membership{picker: lb.NewRoundRobin(0, 0)}

// Name is the cluster's name.
func (c *Cluster) Name() string { return c.name }

// Spec is what the current snapshot says of the cluster.
func (c *Cluster) Spec() *mesh.Cluster { return c.spec.Load() }

// Members are the endpoints at this moment.
func (c *Cluster) Members() *Membership { return c.members.Load() }

// Breaker is the cluster's limits and what is in use of them.
func (c *Cluster) Breaker() *resilience.CircuitBreaker { return &c.breaker }

// apply takes over what a snapshot says.
func (c *Cluster) apply(spec *mesh.Cluster) {
	if spec.Protocol.Multiplexed() && c.http2.Load() == nil {
		c.http2.Store(c.manager.http2(c.name))
	}
	c.spec.Store(spec)
	c.breaker.Connections.SetMax(spec.Limits.MaxConnections)
	c.breaker.PendingRequests.SetMax(spec.Limits.MaxPendingRequests)
	c.breaker.Requests.SetMax(spec.Limits.MaxRequests)
	if spec.Discovery.Kind == mesh.Static {
		c.Update(spec.Discovery.Addrs)
	}
}

// gauge shows what is in use of the limits. It is called when connections come
// and go, which is not for every request.
func (c *Cluster) gauge() {
	c.stats.Gauge(rqPendingActive).Set(c.breaker.PendingRequests.InUse())
	if c.breaker.Connections.Max() > 0 {
		c.stats.Gauge(openCx).Set(bit(c.breaker.Connections.Open()))
	}
	if c.breaker.PendingRequests.Max() > 0 {
		c.stats.Gauge(openPending).Set(bit(c.breaker.PendingRequests.Open()))
	}
}

// Update sets the cluster's endpoints. Endpoints that stay keep their
// connections and cells; the idle connections of those that go are closed, the
// busy ones finish. For LogicalDNS, addrs holds the first address of the
// latest answer: the one logical endpoint then dials it for new connections,
// and existing ones stay (Envoy: never drained).
func (c *Cluster) Update(addrs []netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.members.Load()
	if c.Spec().Discovery.Kind == mesh.LogicalDNS && len(addrs) > 0 && len(old.Endpoints) == 1 {
		old.Endpoints[0].dial.Store(&addrs[0])
		return
	}
	if old.holds(addrs) {
		return
	}
	next := &Membership{Endpoints: make([]*Endpoint, 0, len(addrs))}
	kept := make(map[netip.AddrPort]*Endpoint, len(old.Endpoints))
	for _, e := range old.Endpoints {
		kept[e.Addr()] = e
	}
	for _, addr := range addrs {
		e := kept[addr]
		if e == nil {
			e = newEndpoint(c, addr)
		}
		delete(kept, addr)
		next.Endpoints = append(next.Endpoints, e)
	}
	next.picker = lb.NewRoundRobin(len(next.Endpoints), c.manager.draw())
	c.members.Store(next)
	for _, e := range kept {
		e.retire()
	}
	c.stats.Counter(membershipChange).Inc()
	c.stats.Gauge(membershipTotal).Set(int64(len(next.Endpoints)))
	c.stats.Gauge(membershipHealthy).Set(int64(len(next.Endpoints)))
}

// holds tells that addrs are the endpoints, in this order.
func (m *Membership) holds(addrs []netip.AddrPort) bool {
	if m == nobody || len(m.Endpoints) != len(addrs) {
		return false
	}
	for i, e := range m.Endpoints {
		if e.Addr() != addrs[i] {
			return false
		}
	}
	return true
}

// retire closes what is idle; busy connections are closed when they come back.
// The endpoints stay: an exchange that chose the cluster a moment ago finds them.
func (c *Cluster) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.members.Load().Endpoints {
		e.retire()
	}
	c.chosen.retire()
	c.stats.Gauge(membershipTotal).Set(0)
	c.stats.Gauge(membershipHealthy).Set(0)
}

// pick chooses an endpoint, avoiding those tried before if it can.
func (c *Cluster) pick(p *picking, draw uint64) *Endpoint {
	members := c.members.Load()
	p.translate(members)
	p.context.Draw = draw
	i := lb.Select(members.picker, &p.context)
	if i == lb.None {
		c.stats.Counter(cxNoneHealthy).Inc()
		return nil
	}
	e := members.Endpoints[i]
	p.tried = append(p.tried, e)
	return e
}

// picking is what the attempts of one exchange remember of their endpoints.
type picking struct {
	context lb.Context
	tried   []*Endpoint
	avoid   [8]int
}

// translate turns the endpoints tried into indices of the membership, which
// may have been swapped since.
func (p *picking) translate(members *Membership) {
	p.context.Avoid = p.avoid[:0]
	if len(p.tried) == 0 {
		return
	}
	for i, e := range members.Endpoints {
		for _, tried := range p.tried {
			if tried == e && len(p.context.Avoid) < len(p.avoid) {
				p.context.Avoid = append(p.context.Avoid, i)
			}
		}
	}
}

func (p *picking) reset() {
	clear(p.tried)
	p.tried = p.tried[:0]
	p.context = lb.Context{}
}
