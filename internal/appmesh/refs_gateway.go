package appmesh

import (
	"fmt"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// gateway checks a virtual gateway's listeners, policy and routes.
//
// Decision: a gateway's healthCheck is never done. It is the callers of a
// listener who check it, and no node calls a gateway: what calls is outside.
func (c *refChecker) gateway() {
	for i := range c.res.ports {
		l := &c.res.ports[i]
		c.listenerTLS(l)
		if check := l.spec.get("healthCheck"); check != nil {
			c.warn(check.at, l.at.name("healthCheck"), "is not done: callers check a listener, and nothing in a mesh calls a gateway",
				"let the load balancer check it, say with /ready of the admin port")
			c.d.amounts(mesh.Approximated, mesh.NoEffect)
		}
		c.shadowedEntries(l)
	}
	if tls := c.res.spec.get("backendDefaults", "clientPolicy", "tls"); enforces(tls) {
		c.notYet(clientTLS, tls, (*path)(nil).name("backendDefaults").name("clientPolicy").name("tls"))
	}
	if len(c.ix.gatewayRoutes[c.res.name]) == 0 {
		c.warn(c.res.at, nil, "has no gateway route", "every request to it is answered 404")
	}
}

// shadowedEntries warns of gateway routes whose every entry leaves nothing to
// an earlier one of the same host.
func (c *refChecker) shadowedEntries(l *listener) {
	entries := slices.DeleteFunc(gatewayEntries(c.ix, c.res, l), func(e gatewayEntry) bool { return e.route.faulty })
	wider := make(map[string][]gatewayEntry)
	alive, first := make(map[*resource]bool), make(map[*resource]*resource)
	for _, e := range entries {
		i := slices.IndexFunc(wider[e.host], func(w gatewayEntry) bool { return w.route != e.route && covers(&w.match, &e.match) })
		if i < 0 {
			alive[e.route] = true
		} else if first[e.route] == nil {
			first[e.route] = wider[e.host][i].route
		}
		if len(wider[e.host]) < maxWider {
			wider[e.host] = append(wider[e.host], e)
		}
	}
	for _, e := range entries {
		if by := first[e.route]; by != nil && !alive[e.route] {
			delete(first, e.route) // said once
			c.unreachable(e.route, by)
		}
	}
}

// gatewayRoute checks a gateway route against its gateway's listeners and its
// target.
func (c *refChecker) gatewayRoute() {
	gateway := c.ix.find(gatewayKind, c.res.parent)
	if gateway == nil {
		c.noSuch(mesh.Warning, gatewayKind, &value{text: c.res.parent, at: c.res.at}, (*path)(nil).name("virtualGatewayName"))
	} else if len(gateway.ports) > 0 {
		c.routeListener(gateway)
	}
	protocol, body := routeBody(c.res)
	p := (*path)(nil).name("action").name("target")
	v := serviceOf(c.res)
	if v.str() == "" {
		return
	}
	service := c.ix.find(serviceKind, v.text)
	name := p.name("virtualService").name("virtualServiceName")
	if service == nil {
		c.noSuch(mesh.Error, serviceKind, v, name)
		return
	}
	k, ref := provider(service)
	target := c.ix.find(k, ref.str())
	if target == nil { // 404, as the service's own findings say
		return
	}
	port := body.get("action", "target", "port")
	l := gatewayTargetPort(c.res, target)
	switch {
	case l == nil && (target.faulty || target.portless()): // its own findings say why
	case l == nil && port != nil:
		c.failValue(port, p.name("port"), "the virtual service has no such port", "its ports: "+portList(target.ports))
	case l == nil:
		c.failValue(v, name, "the virtual service has several ports: say which with target.port", "its ports: "+portList(target.ports))
	case l.protocol == mesh.TCP:
		c.failValue(v, name, fmt.Sprintf("port %d of the virtual service is for TCP, which a gateway does not route", l.port), "see "+place(l.spec.at))
	case l.protocol != protocol:
		c.warnValue(v, name, fmt.Sprintf("port %d of the virtual service speaks %s, the gateway route %s", l.port, l.protocol, protocol),
			"see "+place(l.spec.at)+"; App Mesh called the result unpredictable")
	}
	if back := c.ix.behind(service); back.strict != nil {
		c.d.add(finding{owner: c.res, feature: clientTLS, Finding: mesh.Finding{Position: v.at, Severity: mesh.NotYet, Resource: c.res.String(),
			Field: name.String(), Value: v.text, Message: clientTLS.message, Hint: fmt.Sprintf("virtual node %q takes TLS only (%s)", back.strict.name, place(back.strict.at))}})
	}
}
