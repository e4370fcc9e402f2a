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
	c.handle = handler(c, parts.Forwarded)
	if spec.Gate != nil && spec.Gate.Limits != (mesh.Limits{}) {
		if cluster := parts.Resolve(spec.Gate); cluster != nil {
			c.gate = cluster.Gate()
		}
	}
	var err error
	c.table, err = route.Compile(spec, parts.Resolve)
	return c, err
}

// handler is the chain's router within its stages.
func handler(c *chain, forwarded filter.Forwarded) l7.Handler {
	switch {
	case c.spec.Direction == mesh.Egress: // the app's own requests
		return filter.HTTP(c.route, time.Now, filter.Forwarded{})
	case c.spec.Gate != nil:
		return filter.Gateway(c.route, time.Now, forwarded)
	}
	return filter.HTTP(c.route, time.Now, forwarded)
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
	req := &ex.Request
	if len(req.Target) > 0 && req.Target[0] == '/' {
		target, ok := route.NormalizePath(nil, req.Target)
		if !ok {
			return badPath
		}
		req.Target = target
	}
	r, ok := c.table.Match(req)
	if ok && r.Spec.Service != nil { // a gateway's: on to the virtual service's routes
		ex.Route = r.Spec.Name
		if r.Spec.Refuse != "" {
			return refused("route "+r.Spec.Name, r.Spec.Refuse)
		}
		if !r.Rewrite(ex) {
			return badPath
		}
		r, ok = r.Next(req)
	}
	if !ok {
		c.stats.Counter(noRoute).Inc()
		return errNoRoute
	}
	if r.Spec.Name != "" {
		ex.Route = r.Spec.Name
	}
	cluster, ok := r.Pick(rand.Uint64())
	if c.log.Enabled(context.Background(), slog.LevelDebug) {
		c.log.Debug("route", "authority", string(req.Authority), "target", string(req.Target),
			"route", r.Spec.Name, "from", r.Spec.Origin.String(), "cluster", name(cluster))
	}
	if !ok {
		c.stats.Counter(noCluster).Inc()
		return errNoWeight
	}
	if r.Spec.Refuse != "" {
		return refused("cluster "+cluster.Name(), r.Spec.Refuse)
	}
	if c.gate != nil {
		return cluster.ForwardThrough(c.gate, ex, r.Spec)
	}
	return cluster.Forward(ex, r.Spec)
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
