package appmesh

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// App Mesh's gateway was two passes through one Envoy (App Mesh 2.5): its own
// port rewrote the request and sent it to 127.0.0.1:15001, where the ordinary
// routes of the virtual service had it. Here a gateway route holds that virtual
// service, and both passes are one.

// gateway compiles the listeners of a virtual gateway.
func (c *compiler) gateway() {
	ports := c.reach.self.ports
	services := make(map[servicePort]*mesh.VirtualHost)
	for i := range ports {
		l := &ports[i]
		c.snapshot.Inbound = append(c.snapshot.Inbound, &mesh.Listener{
			Direction:    mesh.Ingress,
			Port:         l.port,
			Protocol:     l.protocol,
			VirtualHosts: c.gatewayHosts(l, services),
			AnyPort:      true,
			Gate:         c.gate(l, len(ports) > 1),
			TLS:          serverTLS(l),
			Refuse:       refusal(l),
			Origin:       mesh.At(l.spec.at),
		})
	}
	slices.SortFunc(c.snapshot.Inbound, byPort)
}

// egressPort is where App Mesh's Envoy came back to itself.
const egressPort = 15001

// gate is the cluster by which a gateway's Envoy came back to itself. Nothing
// connects to it: the listener's connectionPool acts under its name (App Mesh
// 2.1, 2.7).
func (c *compiler) gate(l *listener, several bool) *mesh.Cluster {
	name := "cds_ingress_" + c.reach.mesh.id.name + "_" + c.reach.self.name + "_self_redirect_"
	if several {
		name += strconv.Itoa(int(l.port)) + "_"
	}
	loop := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), egressPort)
	return c.add(&mesh.Cluster{
		Name:           name + l.protocol.String() + "_" + strconv.Itoa(egressPort),
		Protocol:       l.protocol,
		Node:           c.reach.self.name,
		Discovery:      mesh.Discovery{Kind: mesh.Static, Port: egressPort, Addrs: []netip.AddrPort{loop}},
		ConnectTimeout: connectApp,
		Limits:         limitsOf(l),
		Origin:         mesh.At(l.spec.at),
	})
}

// gatewayHosts are the routes of one listener, by the hostname that they ask
// for, and those that ask for none under "self_redirect", as App Mesh called
// them. That one is always there: what no other takes is answered 404 by it.
//
// Decision: once a hostname has gateway routes, requests for it see those
// alone, not the routes without a hostname (as users found it, App Mesh 2.5),
// and an exact hostname does not fall back to a suffix's routes either.
func (c *compiler) gatewayHosts(l *listener, services map[servicePort]*mesh.VirtualHost) []mesh.VirtualHost {
	hosts := []mesh.VirtualHost{{Name: "self_redirect", Domains: []string{anyHost}, Origin: mesh.At(c.reach.self.at)}}
	at := map[string]int{anyHost: 0}
	for _, e := range gatewayEntries(c.reach.mesh, c.reach.self, l) {
		i, known := at[e.host]
		if !known {
			i = len(hosts)
			at[e.host] = i
			hosts = append(hosts, mesh.VirtualHost{Name: e.host, Domains: []string{e.host}, Origin: mesh.At(e.route.at)})
		}
		hosts[i].Routes = append(hosts[i].Routes, mesh.Route{
			Name:    e.route.name,
			Match:   e.match,
			Rewrite: e.rewrite,
			Service: c.gatewayService(e.route, services),
			Origin:  mesh.At(e.route.at),
		})
	}
	slices.SortFunc(hosts, func(a, b mesh.VirtualHost) int { return cmp.Compare(a.Name, b.Name) })
	return hosts
}

// A servicePort is a virtual service on one of its ports; nil where no port
// leads to it.
type servicePort struct {
	service *resource
	port    *listener
}

// gatewayService is the virtual service of a gateway route, compiled as for a
// node that has it for a backend, under the gateway's backendDefaults. Routes
// to the same port of it share it.
func (c *compiler) gatewayService(route *resource, services map[servicePort]*mesh.VirtualHost) *mesh.VirtualHost {
	_, body := routeBody(route)
	b := backendOf(c.reach, body.get("action", "target", "virtualService"), c.reach.self.spec.get("backendDefaults", "clientPolicy"))
	target := servicePort{service: b.service}
	if b.provider != nil {
		target.port = gatewayTargetPort(route, b.provider)
	}
	host := services[target]
	if host == nil {
		h := virtualHost(b, 0)
		if target.port != nil {
			h = c.serviceHost(b, target.port)
			refuseHTTPS(&h, b, target.port)
		}
		h.Domains = virtualHost(b, egressPort).Domains
		host = &h
		services[target] = host
	}
	return host
}

// refuseHTTPS: what a virtual router's https port asks for is not done yet.
func refuseHTTPS(h *mesh.VirtualHost, b backend, l *listener) {
	if why := httpsRefusal(b, l); why != "" {
		for i := range h.Routes {
			h.Routes[i].Refuse = why
		}
	}
}

// gatewayTargetPort is the port of a virtual service that a gateway route
// means, which its provider (a router or a node) listens on: the one that
// target.port names, else the only one, else the only one of the route's
// protocol. Nil where none or several fit.
func gatewayTargetPort(route, provider *resource) *listener {
	protocol, body := routeBody(route)
	return targetListener(provider, body.get("action", "target", "port"), protocol)
}

// serviceOf is the name of the virtual service that a gateway route leads to.
func serviceOf(route *resource) *value {
	_, body := routeBody(route)
	return body.get("action", "target", "virtualService", "virtualServiceName")
}
