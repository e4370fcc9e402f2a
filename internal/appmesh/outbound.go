package appmesh

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// outbound compiles the chains of the egress port: one for each distinct port
// among the listed backends, with one virtual host for each virtual service
// (App Mesh 2.3 and 2.4).
func (c *compiler) outbound() {
	chains := make(map[uint16]*mesh.Listener)
	domains := make(map[string]bool)
	var portless []*mesh.VirtualHost
	for _, b := range backendsOf(c.reach) {
		if b.service == nil || domains[strings.ToLower(b.service.name)] {
			continue
		}
		domains[strings.ToLower(b.service.name)] = true
		if len(b.ports) == 0 {
			host := virtualHost(b, 0)
			portless = append(portless, &host)
		}
		for i := range b.ports {
			l := &b.ports[i]
			chain := chains[l.port]
			if chain == nil {
				chain = &mesh.Listener{Direction: mesh.Egress, Port: l.port, Protocol: l.protocol, Origin: mesh.At(b.at)}
				chains[l.port] = chain
				c.snapshot.Outbound = append(c.snapshot.Outbound, chain)
			}
			c.backend(chain, b, l)
		}
	}
	for _, chain := range c.snapshot.Outbound {
		c.complete(chain, portless)
	}
	slices.SortFunc(c.snapshot.Outbound, byPort)
}

// A backend is a virtual service that a node lists, or that a gateway route
// names, followed to its end.
type backend struct {
	service  *resource
	provider *resource // router or node; nil where none exists
	ports    []listener
	policy   *value // the client policy's tls
	at       mesh.Position
}

func backendsOf(r *reach) []backend {
	defaults := r.self.spec.get("backendDefaults", "clientPolicy")
	var backends []backend
	for _, v := range r.self.spec.get("backends").list() {
		v = v.get("virtualService")
		// A backend's own policy replaces the default whole.
		policy := defaults
		if own := v.get("clientPolicy"); own != nil {
			policy = own
		}
		backends = append(backends, backendOf(r, v, policy))
	}
	return backends
}

// backendOf follows what names a virtual service: an entry of a node's
// backends, or the target of a gateway route.
func backendOf(r *reach, v, policy *value) backend {
	b := backend{service: r.mesh.find(serviceKind, v.get("virtualServiceName").str()), policy: policy.get("tls"), at: v.position()}
	if b.service == nil {
		return b
	}
	k, ref := provider(b.service)
	if b.provider = r.mesh.find(k, ref.str()); b.provider != nil {
		b.ports = b.provider.ports
	}
	return b
}

// backend adds a virtual service to the chain of one of its ports.
func (c *compiler) backend(chain *mesh.Listener, b backend, l *listener) {
	if chain.Protocol == mesh.TCP {
		c.tcpBackend(chain, b, l)
		return
	}
	if why := httpsRefusal(b, l); why != "" {
		chain.Refuse = why
	}
	chain.VirtualHosts = append(chain.VirtualHosts, c.serviceHost(b, l))
}

// httpsRefusal says why a virtual router's port cannot be called, or "".
func httpsRefusal(b backend, l *listener) string {
	if l.tls != "" && b.provider.kind == routerKind {
		return "the virtual router's port asks for https, which is not done yet"
	}
	return ""
}

// serviceHost is a virtual service with the routes of one of its ports.
func (c *compiler) serviceHost(b backend, l *listener) mesh.VirtualHost {
	host := virtualHost(b, l.port)
	if b.provider.kind == nodeKind {
		// No route is configured: App Mesh's defaults, whatever the node's own
		// listener says (App Mesh 2.8, 2.11).
		host.Routes = []mesh.Route{{
			Match:   mesh.Match{Prefix: "/"},
			Targets: []mesh.Target{{Cluster: c.nodeCluster(b, b.provider, l, l.port), Weight: 1}},
			Timeout: timeout(nil, defaultPerRequest),
			Idle:    timeout(nil, defaultIdle),
			Retry:   mesh.DefaultRetry(),
			Refuse:  b.refuse(l, l.port),
			Origin:  mesh.At(b.service.at),
		}}
	} else {
		for _, route := range routesOf(c.reach.mesh, b.provider, l) {
			_, body := routeBody(route)
			targets, refuse := c.targets(b, route, l.port)
			host.Routes = append(host.Routes, mesh.Route{
				Name:    route.name,
				Match:   matchOf(route),
				Targets: targets,
				Refuse:  refuse,
				Timeout: timeout(body.get("timeout", "perRequest"), defaultPerRequest),
				Idle:    timeout(body.get("timeout", "idle"), defaultIdle),
				Retry:   retryPolicy(body.get("retryPolicy")),
				Origin:  mesh.At(route.at),
			})
		}
	}
	return host
}

// tcpBackend gives the chain its targets: App Mesh has one TCP backend on a
// port, and its router's first route takes all connections.
func (c *compiler) tcpBackend(chain *mesh.Listener, b backend, l *listener) {
	chain.IdleTimeout = timeout(nil, defaultIdle)
	if b.provider.kind == nodeKind {
		chain.Targets = []mesh.Target{{Cluster: c.nodeCluster(b, b.provider, l, l.port), Weight: 1}}
		chain.Refuse = b.refuse(l, l.port)
		return
	}
	routes := routesOf(c.reach.mesh, b.provider, l)
	if len(routes) == 0 {
		chain.Refuse = "virtual router " + strconv.Quote(b.provider.name) + " has no TCP route"
		return
	}
	_, body := routeBody(routes[0])
	chain.Targets, chain.Refuse = c.targets(b, routes[0], l.port)
	chain.IdleTimeout = timeout(body.get("timeout", "idle"), defaultIdle)
}

// targets are a route's clusters, ordered by node as App Mesh ordered them.
// Decision: refuse says why nothing may be sent to one of them, and so to none:
// a route whose targets differ in what the policy covers is refused whole.
func (c *compiler) targets(b backend, route *resource, port uint16) (targets []mesh.Target, refuse string) {
	protocol, _ := routeBody(route)
	for _, t := range targetsOf(route) {
		node := c.reach.mesh.find(nodeKind, t.get("virtualNode").str())
		l := targetListener(node, t.get("port"), protocol)
		targets = append(targets, mesh.Target{Cluster: c.nodeCluster(b, node, l, port), Weight: uint32(t.get("weight").int())})
		if refuse == "" {
			refuse = b.refuse(l, port)
		}
	}
	slices.SortStableFunc(targets, func(a, b mesh.Target) int {
		return cmp.Or(cmp.Compare(a.Cluster.Node, b.Cluster.Node), cmp.Compare(a.Cluster.Name, b.Cluster.Name))
	})
	return targets, refuse
}

func virtualHost(b backend, port uint16) mesh.VirtualHost {
	host := mesh.VirtualHost{Name: b.service.name, Domains: []string{strings.ToLower(b.service.name)}, Origin: mesh.At(b.service.at)}
	if port != 0 {
		host.Domains = append(host.Domains, host.Domains[0]+":"+strconv.Itoa(int(port)))
	}
	return host
}

// complete orders a chain's virtual hosts by name and adds the services that
// no port leads to. Decision: a virtual service without a provider is an
// empty virtual host on every HTTP port, so that its callers see the 404 App
// Mesh gave them and the admin page shows why.
func (c *compiler) complete(chain *mesh.Listener, portless []*mesh.VirtualHost) {
	if chain.Protocol == mesh.TCP {
		return
	}
	for _, host := range portless {
		h := *host
		h.Domains = []string{h.Domains[0], h.Domains[0] + ":" + strconv.Itoa(int(chain.Port))}
		chain.VirtualHosts = append(chain.VirtualHosts, h)
	}
	slices.SortFunc(chain.VirtualHosts, func(a, b mesh.VirtualHost) int { return cmp.Compare(a.Name, b.Name) })
}
