package proxy

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/filter"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/route"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// Routing is the chains of one snapshot, compiled. It is immutable; a server
// swaps it whole.
type Routing struct {
	Snapshot *mesh.Snapshot
	inbound  map[uint16]*chain
	outbound map[uint16]*chain
	// services finds a chain by an authority in lower case, for connections
	// that nothing redirected. A bare name stands for the service's only port.
	services map[string]*chain
	// onlyInbound is the node's only listener, or nil.
	onlyInbound *chain
	// allowAll is where traffic goes that no backend covers; nil: nowhere.
	allowAll *upstream.Cluster
	// aws is where TLS to *.amazonaws.com goes.
	aws *upstream.Cluster
	log AccessLog
	// resolve is that of Parts, for Explain.
	resolve func(*mesh.Cluster) *upstream.Cluster
}

// AccessLog takes a record of every finished exchange. Log must not keep it.
type AccessLog interface{ Log(*stat.Record) }

// chain is one mesh.Listener at work.
type chain struct {
	spec    *mesh.Listener
	table   *route.Table[*upstream.Cluster]
	targets l4.Split
	gate    *upstream.Gate // what it lets through at once; nil: no limit
	handle  l7.Handler
	stats   *stat.Group
	log     *slog.Logger
	// forwarded is that of Parts.
	forwarded filter.Forwarded
}

// Parts are what a routing is made with.
type Parts struct {
	// Resolve gives the cluster at work for each one that is named.
	Resolve func(*mesh.Cluster) *upstream.Cluster
	// Forwarded says what is done about x-forwarded-for on the way in.
	Forwarded filter.Forwarded
	// Access is told of every exchange; nil: nobody is.
	Access AccessLog
	// Log gets a line for each decision, at debug.
	Log   *slog.Logger
	Stats *stat.Set
}

// Compile builds the routing of a snapshot. An error names the route that
// cannot be served and its place.
func Compile(snap *mesh.Snapshot, parts Parts) (*Routing, error) {
	resolve := parts.Resolve
	r := &Routing{
		Snapshot: snap,
		inbound:  make(map[uint16]*chain),
		outbound: make(map[uint16]*chain),
		services: make(map[string]*chain),
		log:      parts.Access,
		resolve:  resolve,
	}
	for _, c := range snap.Clusters {
		switch {
		case c.Discovery.Kind != mesh.OriginalDst:
		case strings.HasSuffix(c.Name, "_amazonaws"):
			r.aws = resolve(c)
		case snap.Egress == mesh.AllowAll:
			r.allowAll = resolve(c)
		}
	}
	// A large mesh takes milliseconds: traffic goes on meanwhile.
	var yield sock.Yielder
	defer yield.Close()
	targets := 0
	parts.Resolve = func(c *mesh.Cluster) *upstream.Cluster {
		if targets++; targets%yieldAfter == 0 {
			yield.Yield()
		}
		return resolve(c)
	}
	var errs []error
	for _, spec := range snap.Inbound {
		c, err := compileChain(spec, parts, prefix(spec, len(snap.Inbound)))
		errs = append(errs, err)
		r.inbound[spec.Port] = c
		r.onlyInbound = c
	}
	if len(snap.Inbound) != 1 {
		r.onlyInbound = nil
	}
	for _, spec := range snap.Outbound {
		yield.Yield()
		c, err := compileChain(spec, parts, prefix(spec, 1))
		errs = append(errs, err)
		r.outbound[spec.Port] = c
		r.serve(c)
	}
	yield.Yield()
	return r, errors.Join(errs...)
}

// yieldAfter is after how many targets compiling gives way to traffic: some
// hundred microseconds.
const yieldAfter = 64

// serve makes a chain's services known by authority. A bare name that several
// ports serve stands for none of them.
func (r *Routing) serve(c *chain) {
	for _, host := range c.spec.VirtualHosts {
		for _, domain := range host.Domains {
			if _, taken := r.services[domain]; taken {
				r.services[domain] = nil
				continue
			}
			r.services[domain] = c
		}
	}
}

func compileChain(spec *mesh.Listener, parts Parts, prefix string) (*chain, error) {
	c := &chain{spec: spec, log: parts.Log}
	if spec.Protocol == mesh.TCP {
		for _, t := range spec.Targets {
			c.targets.Add(parts.Resolve(t.Cluster), t.Weight)
		}
		return c, nil
	}
	c.stats = parts.Stats.Group(prefix, &httpLayout)
	c.forwarded = parts.Forwarded
	c.handle = c.stages(c.route)
	if spec.Gate != nil && spec.Gate.Limits != (mesh.Limits{}) {
		if cluster := parts.Resolve(spec.Gate); cluster != nil {
			c.gate = cluster.Gate()
		}
	}
	var err error
	c.table, err = route.Compile(spec, parts.Resolve)
	return c, err
}

// stages are what a request of the chain passes on its way to a router.
func (c *chain) stages(router l7.Handler) l7.Handler {
	switch {
	case c.spec.Direction == mesh.Egress: // the app's own requests
		return filter.HTTP(router, time.Now, filter.Forwarded{})
	case c.spec.Gate != nil:
		return filter.Gateway(router, time.Now, c.forwarded)
	}
	return filter.HTTP(router, time.Now, c.forwarded)
}

// prefix is the stat prefix of an HTTP chain. With several listeners it names
// protocol and port (App Mesh 2.1).
func prefix(spec *mesh.Listener, listeners int) string {
	p := "http." + spec.Direction.String() + "."
	if listeners > 1 {
		p += spec.Protocol.String() + "." + strconv.Itoa(int(spec.Port)) + "."
	}
	return p
}

// route is the router: the last of the stages.
func (c *chain) route(ex *l7.Exchange) error {
	chosen, err := c.decide(ex, nil)
	if c.log.Enabled(context.Background(), slog.LevelDebug) {
		c.logChoice(&ex.Request, &chosen)
	}
	switch err {
	case nil:
		return c.forward(ex, &chosen)
	case errNoRoute:
		c.stats.Counter(noRoute).Inc()
	case errNoWeight:
		c.stats.Counter(noCluster).Inc()
	}
	return err
}

// forward sends a request where it was decided that it goes; on a gateway
// through the listener's gate.
func (c *chain) forward(ex *l7.Exchange, chosen *choice) error {
	if c.gate != nil {
		return chosen.cluster.ForwardThrough(c.gate, ex, chosen.route)
	}
	return chosen.cluster.Forward(ex, chosen.route)
}

// choice is what is decided of a request: the route that it takes and the
// cluster that its share has fallen to; nil where there is none.
type choice struct {
	route   *mesh.Route
	cluster *upstream.Cluster
}

// decide normalizes the request, finds its route, on a gateway by way of a
// rewrite, and draws a cluster. It counts nothing and sends nothing. watch sees
// each step; it is nil for traffic.
func (c *chain) decide(ex *l7.Exchange, watch *watch) (choice, error) {
	req := &ex.Request
	if len(req.Target) > 0 && req.Target[0] == '/' {
		target, ok := route.NormalizePath(nil, req.Target)
		if !ok {
			return choice{}, badPath
		}
		req.Target = target
	}
	watch.listenerRoutes(c.table, req)
	r, ok := c.table.Match(req)
	if ok && r.Spec.Service != nil { // a gateway's: on to the virtual service's routes
		ex.Route = r.Spec.Name
		if r.Spec.Refuse != "" {
			return choice{route: r.Spec}, refused("route "+r.Spec.Name, r.Spec.Refuse)
		}
		watch.rewrites(r.Spec, req)
		if !r.Rewrite(ex) {
			return choice{route: r.Spec}, badPath
		}
		watch.serviceRoutes(r, req)
		r, ok = r.Next(req)
	}
	if !ok {
		return choice{}, errNoRoute
	}
	if r.Spec.Name != "" {
		ex.Route = r.Spec.Name
	}
	cluster, ok := r.Pick(rand.Uint64())
	chosen := choice{r.Spec, cluster}
	switch {
	case !ok:
		return chosen, errNoWeight
	case r.Spec.Refuse != "":
		return chosen, refused("cluster "+cluster.Name(), r.Spec.Refuse)
	}
	return chosen, nil
}

func (c *chain) logChoice(req *l7.Request, chosen *choice) {
	if r := chosen.route; r != nil {
		c.log.Debug("route", "authority", string(req.Authority), "target", string(req.Target),
			"route", r.Name, "from", r.Origin.String(), "cluster", name(chosen.cluster))
	}
}

// refused answers for what the documents ask for and is not there yet.
func refused(what, why string) error {
	return &l7.Failure{Status: 503, Flag: l7.FlagConnectionFailure, Details: "cluster_refused",
		Body: what + " is not served: " + why}
}

var (
	badPath    = &l7.Failure{Status: 400, Details: "path_normalization_failed", Close: true}
	errNoRoute = &l7.Failure{Status: 404, Flag: l7.FlagNoRoute, Details: "route_not_found"}
	// App Mesh 1.5 leaves open what a route whose weights are all 0 does; an
	// Envoy without a cluster to choose answers 503 NC.
	errNoWeight = &l7.Failure{Status: 503, Flag: l7.FlagNoCluster, Details: "cluster_not_found"}
)

// find gives the chain of an authority, for connections that nothing
// redirected.
func (r *Routing) find(authority []byte) *chain {
	var lower [maxName]byte
	if len(authority) > len(lower) {
		return nil
	}
	n := copy(lower[:], authority)
	for i, c := range lower[:n] {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c | 0x20
		}
	}
	return r.services[string(lower[:n])]
}

// maxName is how long a name of the DNS may be, with a port behind it.
const maxName = 255 + len(":65535")

// Check tells whether Compile would take a snapshot.
func Check(snap *mesh.Snapshot) error {
	_, err := Compile(snap, Parts{
		Resolve: func(*mesh.Cluster) *upstream.Cluster { return nil },
		Stats:   new(stat.Set),
	})
	return err
}

// name is the name of a cluster that may be nil.
func name(c *upstream.Cluster) string {
	if c == nil {
		return "none"
	}
	return c.Name()
}
