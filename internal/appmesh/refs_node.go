package appmesh

import (
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// node checks a virtual node's listeners, discovery and backends.
func (c *refChecker) node() {
	for i := range c.res.ports {
		c.nodeListener(&c.res.ports[i])
	}
	c.discovery()
	c.backends()
}

func (c *refChecker) nodeListener(l *listener) {
	c.listenerTLS(l)
	if check := l.spec.get("healthCheck"); check != nil {
		c.notYet(checks, check, l.at.name("healthCheck"))
	}
	if outlier := l.spec.get("outlierDetection"); outlier != nil {
		c.notYet(outliers, outlier, l.at.name("outlierDetection"))
	}
}

// listenerTLS notes what a node's or gateway's listener asks for.
func (c *refChecker) listenerTLS(l *listener) {
	at := l.spec.get("tls")
	if at == nil {
		at = l.spec.get("portMapping", "protocol")
	}
	switch l.tls {
	case "STRICT":
		c.notYet(strictTLS, at, l.at.name("tls"))
	case "PERMISSIVE":
		c.warn(at.at, l.at.name("tls"), "TLS is not done yet: this PERMISSIVE listener is served, and called, in plaintext only", "clients that insist on TLS cannot reach it")
		c.d.amounts(mesh.Unsupported, mesh.OnTraffic)
	}
}

// discovery notes what reading Cloud Map through DNS cannot do. Decision:
// attributes are a warning where they tell two nodes of one Cloud Map service
// apart (traffic would go to the wrong version), else a not-yet.
func (c *refChecker) discovery() {
	p := (*path)(nil).name("serviceDiscovery").name("awsCloudMap")
	v := c.res.spec.get("serviceDiscovery", "awsCloudMap")
	if v == nil {
		return
	}
	c.notYet(cloudMap, v, p)
	given := v.get("attributes")
	switch {
	case len(given.list()) == 0:
	case c.ix.twins[cloudMapService(c.res)] > 1:
		c.warn(given.at, p.name("attributes"),
			fmt.Sprintf("several nodes share the service %s and only attributes tell them apart, which DNS cannot see", cloudMapService(c.res)),
			"each of these nodes gets the instances of all: give every version a service of its own")
		c.d.amounts(mesh.Unsupported, mesh.OnTraffic)
	default:
		c.notYet(attributes, given, p.name("attributes"))
	}
}

// cloudMapService is the DNS name of a node's Cloud Map service, or "".
func cloudMapService(node *resource) string {
	v := node.spec.get("serviceDiscovery", "awsCloudMap")
	service, namespace := v.get("serviceName").str(), v.get("namespaceName").str()
	if service == "" || namespace == "" {
		return ""
	}
	return service + "." + namespace
}

// backends checks that each backend exists and that no two want one port for
// different things: App Mesh then refused the whole configuration.
func (c *refChecker) backends() {
	first := make(map[string]*value)
	ports := make(map[uint16]claim)
	if tls := c.res.spec.get("backendDefaults", "clientPolicy", "tls"); enforces(tls) {
		c.notYet(clientTLS, tls, (*path)(nil).name("backendDefaults").name("clientPolicy").name("tls"))
	}
	for i, b := range c.res.spec.get("backends").list() {
		p := (*path)(nil).name("backends").index(i).name("virtualService")
		b = b.get("virtualService")
		if tls := b.get("clientPolicy", "tls"); enforces(tls) {
			c.notYet(clientTLS, tls, p.name("clientPolicy").name("tls"))
		}
		v := b.get("virtualServiceName")
		if v.str() == "" {
			continue
		}
		p = p.name("virtualServiceName")
		lower := strings.ToLower(v.text)
		if again := first[lower]; again != nil {
			c.repeated(v, again, p)
			continue
		}
		first[lower] = v
		service := c.ix.find(serviceKind, v.text)
		if service == nil {
			c.noSuch(mesh.Warning, serviceKind, v, p)
			continue
		}
		back := c.ix.behind(service)
		if back.strict != nil {
			c.d.add(finding{owner: c.res, feature: clientTLS, Finding: mesh.Finding{Position: v.at, Severity: mesh.NotYet, Resource: c.res.String(),
				Field: p.String(), Value: v.text, Message: clientTLS.message, Hint: fmt.Sprintf("virtual node %q takes TLS only (%s)", back.strict.name, place(back.strict.at))}})
		}
		for _, l := range back.ports {
			c.claim(ports, claim{l.port, l.protocol, v}, p)
		}
	}
}

func (c *refChecker) repeated(v, again *value, p *path) {
	if v.text == again.text {
		c.warnValue(v, p, "is listed twice", "first at "+place(again.at))
		return
	}
	c.warnValue(v, p, fmt.Sprintf("can never match: host names ignore case and %q was listed first", again.text), "see "+place(again.at))
}

// A claim is a backend's wish for an egress port.
type claim struct {
	port     uint16
	protocol mesh.Protocol
	backend  *value
}

func (c *refChecker) claim(ports map[uint16]claim, wish claim, p *path) {
	had, taken := ports[wish.port]
	switch {
	case !taken:
		ports[wish.port] = wish
	case had.backend == wish.backend:
	case had.protocol != wish.protocol:
		c.failValue(wish.backend, p, fmt.Sprintf("wants port %d for %s, but backend %q has it for %s", wish.port, wish.protocol, had.backend.text, had.protocol),
			"give one of them a virtual router with another port; see "+place(had.backend.at))
	case wish.protocol == mesh.TCP:
		c.failValue(wish.backend, p, fmt.Sprintf("wants TCP port %d, but backend %q has it: TCP connections are told apart by port alone", wish.port, had.backend.text),
			"give one of them a virtual router with another port; see "+place(had.backend.at))
	}
}

// enforces reports whether a client policy's tls demands TLS (App Mesh 2.12;
// enforce is true unless it says otherwise).
func enforces(tls *value) bool {
	return tls != nil && (!tls.has("enforce") || tls.get("enforce").int() == 1)
}

// A backing is what stands behind a virtual service.
type backing struct {
	// ports are the ports callers use: the router's, or those of the node that
	// is the provider itself.
	ports []listener
	// strict is a target that takes TLS only.
	strict *resource
}

// behind finds a service's backing once.
func (ix *index) behind(service *resource) *backing {
	if b := ix.backings[service]; b != nil {
		return b
	}
	b := &backing{}
	ix.backings[service] = b
	k, v := provider(service)
	target := ix.find(k, v.str())
	if target == nil {
		return b
	}
	b.ports = target.ports
	nodes := []*resource{target}
	if k == routerKind {
		nodes = nodes[:0]
		for _, r := range ix.routes[target.name] {
			for _, t := range targetsOf(r) {
				nodes = append(nodes, ix.find(nodeKind, t.get("virtualNode").str()))
			}
		}
	}
	for _, node := range nodes {
		if node == nil {
			continue
		}
		for _, l := range node.ports {
			if l.tls == "STRICT" {
				b.strict = node
			}
		}
	}
	return b
}
