package proxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// listener tells of a chain what holds for all that it serves.
func (x *explainer) listener(ch *chain) {
	l := ch.spec
	x.Listener = &explain.Listener{Name: l.RouteName(), Protocol: l.Protocol.String(), Origin: explain.Origin(l.Origin)}
	add := func(name, value string, origin mesh.Origin) {
		x.Listener.Facts = append(x.Listener.Facts, explain.NewFact(name, value, origin))
	}
	if l.Direction == mesh.Ingress {
		tls := mesh.Origin{}
		if l.TLS != nil {
			tls = l.TLS.Origin
		}
		add("TLS", l.TLS.String(), tls)
	}
	if l.Protocol == mesh.TCP {
		add("idle", l.IdleTimeout.String(), l.IdleTimeout.Origin)
	}
	if l.Gate != nil {
		x.Listener.Facts = append(x.Listener.Facts, limits(l.Gate.Limits, l.Gate.Origin))
	}
}

// ports are the chains that there are in the direction, in words.
func (x *explainer) ports() (all []string) {
	specs := x.routing.Snapshot.Outbound
	if x.Direction == mesh.Ingress.String() {
		specs = x.routing.Snapshot.Inbound
	}
	for _, l := range specs {
		all = append(all, "port "+strconv.Itoa(int(l.Port))+" "+l.Protocol.String())
	}
	return all
}

// routeFacts are what a route says beside its targets.
func routeFacts(r *mesh.Route) []explain.Fact {
	retry := mesh.Origin{}
	if r.Retry != nil {
		retry = r.Retry.Origin
	}
	return []explain.Fact{
		explain.NewFact("timeout", r.Timeout.String(), r.Timeout.Origin),
		explain.NewFact("idle", r.Idle.String(), r.Idle.Origin),
		explain.NewFact("retries", r.Retry.String(), retry),
	}
}

// shares tells of the targets of a route or of a TCP chain, given at origin. When
// none that has a
// share could be asked it gives the answer that all requests get.
func (x *explainer) shares(targets []mesh.Target, origin mesh.Origin) (hopeless *l7.Failure) {
	total, hope := uint64(0), false
	for i := range targets {
		total += uint64(targets[i].Weight)
	}
	for i := range targets {
		t := &targets[i]
		c := x.routing.resolve(t.Cluster)
		told := explain.Target{Cluster: t.Cluster.Name, Weight: t.Weight, Share: t.Share(total),
			Origin: explain.Origin(origin), Facts: clusterFacts(t.Cluster)}
		f := c.Refused()
		switch {
		case f != nil:
			told.Refuse = t.Cluster.Refuse
		case x.deserted(c):
			f = upstream.NoEndpoint()
			told.Refuse = f.Body
		}
		if x.Live {
			told.Endpoints = endpoints(c)
			told.Facts = append(told.Facts, inUse(c))
		}
		x.Targets = append(x.Targets, told)
		if t.Weight > 0 {
			hope = hope || f == nil
			if hopeless == nil {
				hopeless = f
			}
		}
	}
	if hope {
		return nil
	}
	return hopeless
}

// deserted tells that a cluster has no endpoint: at this moment, or, where
// nobody has looked yet, ever.
func (x *explainer) deserted(c *upstream.Cluster) bool {
	if x.Live {
		return len(c.Members().Endpoints) == 0
	}
	return c.Spec().Discovery.Kind == mesh.None
}

func endpoints(c *upstream.Cluster) (all []explain.Endpoint) {
	for _, e := range c.Candidates() {
		all = append(all, explain.Endpoint{Address: e.Addr.String(), Health: "healthy", Turn: e.Turn,
			Connections: e.Connections, Requests: e.Requests})
	}
	return all
}

// inUse is what is taken of a cluster's limits at this moment.
func inUse(c *upstream.Cluster) explain.Fact {
	b := c.Breaker()
	return explain.Fact{Name: "in use", Value: fmt.Sprintf("%d connections, %d pending requests, %d requests",
		b.Connections.InUse(), b.PendingRequests.InUse(), b.Requests.InUse())}
}

// notDone is said of what the documents ask for and the engine does not do yet.
const notDone = " (not done yet)"

// clusterFacts are what is known of a cluster from documents.
func clusterFacts(c *mesh.Cluster) []explain.Fact {
	if c.Discovery.Kind == mesh.OriginalDst {
		return []explain.Fact{explain.NewFact("endpoints", c.Discovery.String(), c.Origin)}
	}
	speaks := "HTTP/1.1"
	switch {
	case c.Protocol == mesh.TCP:
		speaks = "bytes"
	case c.Protocol.Multiplexed():
		speaks = "HTTP/2"
	}
	facts := []explain.Fact{
		explain.NewFact("endpoints", c.Discovery.String(), c.Origin),
		explain.NewFact("spoken", speaks, c.Origin),
		explain.NewFact("connect", c.ConnectTimeout.String(), mesh.Origin{}),
	}
	add := func(name, value string, origin mesh.Origin) {
		facts = append(facts, explain.NewFact(name, value, origin))
	}
	facts = append(facts, limits(c.Limits, c.Origin))
	if c.HealthCheck != nil {
		add("health", c.HealthCheck.String()+notDone, c.HealthCheck.Origin)
	}
	if c.Outlier != nil {
		add("outliers", c.Outlier.String()+notDone, c.Outlier.Origin)
	}
	if c.TLS != nil {
		add("TLS", c.TLS.String()+notDone, c.TLS.Origin)
	} else {
		add("TLS", c.TLS.String(), mesh.Origin{})
	}
	return facts
}

// limits are those of a cluster or of a gateway's listener; no document says that
// there are none.
func limits(l mesh.Limits, origin mesh.Origin) explain.Fact {
	if l == (mesh.Limits{}) {
		origin = mesh.Origin{}
	}
	return explain.NewFact("limits", l.String(), origin)
}

// forwarded says by which route, to how many, and for which share in vain.
func (x *explainer) forwarded(r *mesh.Route) string {
	var to, vain []string
	for i := range x.Targets {
		switch t := &x.Targets[i]; {
		case t.Weight == 0:
		case t.Refuse != "":
			vain = append(vain, fmt.Sprintf("the share of %s, %s, is answered 503: %s", t.Cluster, t.Share, t.Refuse))
			fallthrough
		default:
			to = append(to, t.Cluster)
		}
	}
	words := "to " + to[0]
	if len(to) > 1 {
		words = "to one of " + strconv.Itoa(len(to)) + " clusters"
	}
	if r.Name != "" {
		words += " by route " + strconv.Quote(r.Name)
	}
	return strings.Join(append([]string{words}, vain...), "; ")
}

// reason says in words why a request is answered by the sidecar itself.
func (x *explainer) reason(f *l7.Failure) string {
	switch f.Details {
	case errNoRoute.Details:
		return x.noRoute()
	case errNoWeight.Details:
		return "every weight of the route is 0"
	case badPath.Details:
		return "its path has no canonical spelling: it holds # or NUL"
	case upstream.NoEndpoint().Details:
		return "no endpoint of its targets is known"
	}
	return "the documents ask for what is not done yet"
}

// noRoute says why no route took the request: by the last look-up.
func (x *explainer) noRoute() string {
	last := &x.Passes[len(x.Passes)-1]
	switch {
	case last.Host == nil:
		return "the listener has no virtual host of this name"
	case len(last.Tries) == 0:
		return last.Host.Name + " has no routes"
	case len(x.Passes) == 1 && x.routing.Snapshot.Resource.Kind == mesh.VirtualGateway:
		return "no gateway route for this host matches"
	}
	return "no route of " + last.Host.Name + " matches"
}
