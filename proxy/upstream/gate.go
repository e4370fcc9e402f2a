package upstream

import (
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Gate lets exchanges through within the limits of a cluster that nothing is sent
// to: the one by which App Mesh's gateway came back to itself, on which its
// connectionPool acted (App Mesh 2.5, 2.7). An exchange holds a place of it until
// it ends.
//
// Towards http that place is a connection, since one of HTTP/1 carried one
// exchange: as many as MaxConnections pass at once, MaxPendingRequests wait, who
// has waited longest goes next, and the rest is refused. Towards http2 and grpc it
// is a request, of which MaxRequests pass and the rest is refused.
//
// Decision: what is counted, under the cluster's name, is the requests and the
// connections in use of them, what waits, and what is refused; not bytes, and no
// connections opened and closed, for there are none.
type Gate struct {
	cluster *Cluster
	// door has the connections; nil where requests are what is limited.
	door *Endpoint
}

// Gate gives the cluster's gate, always the same one.
func (c *Cluster) Gate() *Gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gate == nil {
		c.gate = &Gate{cluster: c}
		if !c.Spec().Protocol.Multiplexed() { // its name says the protocol: it stays
			c.gate.door = newEndpoint(c, netip.AddrPort{})
		}
	}
	return c.gate
}

// ForwardThrough is Forward for an exchange that must pass a gate before.
func (c *Cluster) ForwardThrough(gate *Gate, ex *l7.Exchange, route *mesh.Route) error {
	if o := gate.enter(ex, route); o.reset != answered {
		return o.failure(false)
	}
	if err := c.Forward(ex, route); err != nil {
		gate.leave()
		return err
	}
	ex.Lease.(*forwarding).gate = gate // which leaves it when it ends
	return nil
}

// enter takes a place, and waits for one where that is allowed.
func (g *Gate) enter(ex *l7.Exchange, route *mesh.Route) outcome {
	c := g.cluster
	if !c.breaker.Requests.TryAcquire() {
		return g.refuse()
	}
	if g.door != nil && !g.door.reserve() {
		if o := g.queue(ex, route); o.reset != answered {
			c.breaker.Requests.Release()
			return o
		}
	}
	if g.door != nil {
		c.stats.Gauge(cxActive).Inc()
	}
	c.stats.Counter(rqTotal).Inc()
	c.stats.Gauge(rqActive).Inc()
	g.show()
	return outcome{}
}

// leave gives the place back.
func (g *Gate) leave() {
	c := g.cluster
	c.stats.Counter(rqCompleted).Inc()
	c.stats.Gauge(rqActive).Dec()
	if g.door != nil {
		c.stats.Gauge(cxActive).Dec()
		g.door.free()
	}
	c.breaker.Requests.Release()
	g.show()
}

// show shows whether the limit of requests is reached; the others are shown as
// they are taken (Cluster.gauge).
func (g *Gate) show() {
	if requests := &g.cluster.breaker.Requests; requests.Max() > 0 {
		g.cluster.stats.Gauge(openRq).Set(bit(requests.Open()))
	}
}

// queue waits until a connection is free, as long as the route allows: its
// timeout counts from the end of the request, and while that is still coming
// nothing is read of it.
func (g *Gate) queue(ex *l7.Exchange, route *mesh.Route) outcome {
	c := g.cluster
	c.stats.Counter(cxOverflow).Inc()
	if !c.breaker.PendingRequests.TryAcquire() {
		return g.refuse()
	}
	c.stats.Counter(rqPendingTotal).Inc()
	c.gauge()
	now := sock.Now()
	limit, late := route.Idle.Value, idledOut
	if _, whole := l7.Whole(ex.Request.Body); whole {
		if ex.RequestEnd == 0 {
			ex.RequestEnd = now
		}
		limit, late = route.Timeout.Value, timedOut
	}
	by := time.Duration(0)
	if limit > 0 {
		by = now + limit
	}
	_, ok := g.door.pool.wait(ex, by)
	ex.Clock = sock.Now()
	c.breaker.PendingRequests.Release()
	c.gauge()
	switch {
	case ok:
		return outcome{}
	case ex.Peer != nil && ex.Peer.Gone().Load():
		c.stats.Counter(rqCancelled).Inc()
		return outcome{reset: clientGone}
	}
	c.stats.Counter(rqTimeout).Inc()
	return outcome{reset: late}
}

// refuse counts an exchange that finds no place.
func (g *Gate) refuse() outcome {
	stats := g.cluster.stats
	stats.Counter(rqPendingOverflow).Inc()
	stats.Counter(rqCompleted).Inc()
	stats.Codes().Inc(503)
	return outcome{reset: overflowed}
}
