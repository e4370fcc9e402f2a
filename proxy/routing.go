package proxy

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
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
	handle  l7.Handler
	stats   *stat.Group
}

// Compile builds the routing of a snapshot. resolve gives the cluster at work
// for each one named; log may be nil. An error names the route that cannot be
// served and its place.
func Compile(snap *mesh.Snapshot, resolve func(*mesh.Cluster) *upstream.Cluster, log AccessLog, stats *stat.Set) (*Routing, error) {
	r := &Routing{
		Snapshot: snap,
		inbound:  make(map[uint16]*chain),
		outbound: make(map[uint16]*chain),
		services: make(map[string]*chain),
		log:      log,
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
	var errs []error
	for _, spec := range snap.Inbound {
		c, err := compileChain(spec, resolve, stats, len(snap.Inbound) > 1)
		errs = append(errs, err)
		r.inbound[spec.Port] = c
		r.onlyInbound = c
	}
	if len(snap.Inbound) != 1 {
		r.onlyInbound = nil
	}
	for _, spec := range snap.Outbound {
		c, err := compileChain(spec, resolve, stats, false)
		errs = append(errs, err)
		r.outbound[spec.Port] = c
		r.name(c)
	}
	return r, errors.Join(errs...)
}

// name makes a chain's services known by authority. A bare name that several
// ports serve stands for none of them.
func (r *Routing) name(c *chain) {
	for _, host := range c.spec.VirtualHosts {
		for _, domain := range host.Domains {
			if _, taken := r.services[domain]; taken {
				c = nil
			}
			r.services[domain] = c
		}
	}
}

func compileChain(spec *mesh.Listener, resolve func(*mesh.Cluster) *upstream.Cluster, stats *stat.Set, several bool) (*chain, error) {
	c := &chain{spec: spec}
	if spec.Protocol == mesh.TCP {
		for _, t := range spec.Targets {
			c.targets.Add(resolve(t.Cluster), t.Weight)
		}
		return c, nil
	}
	// App Mesh 2.1: with several listeners the prefix names protocol and port.
	prefix := "http." + spec.Direction.String() + "."
	if several {
		prefix += spec.Protocol.String() + "." + strconv.Itoa(int(spec.Port)) + "."
	}
	c.stats = stats.Group(prefix, &httpLayout)
	c.handle = filter.HTTP(c.route, time.Now)
	var err error
	c.table, err = route.Compile(spec.VirtualHosts, resolve)
	return c, err
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
	if !ok {
		c.stats.Counter(noRoute).Inc()
		return errNoRoute
	}
	ex.Route = r.Spec.Name
	cluster, ok := r.Pick(rand.Uint64())
	if !ok {
		c.stats.Counter(noCluster).Inc()
		return errNoWeight
	}
	return cluster.Forward(ex, r.Spec)
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
	return r.services[string(bytes.ToLower(authority))]
}

// Check tells whether Compile would take a snapshot.
func Check(snap *mesh.Snapshot) error {
	_, err := Compile(snap, func(*mesh.Cluster) *upstream.Cluster { return nil }, nil, new(stat.Set))
	return err
}
