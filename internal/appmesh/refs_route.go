package appmesh

import (
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// route checks a route against its router's listeners and its targets.
func (c *refChecker) route() {
	router := c.ix.find(routerKind, c.res.parent)
	if router == nil {
		c.noSuch(mesh.Warning, routerKind, &value{text: c.res.parent, at: c.res.at}, (*path)(nil).name("virtualRouterName"))
	} else if len(router.ports) > 0 {
		c.routeListener(router)
	}
	protocol, body := routeBody(c.res)
	targets := body.get("action", "weightedTargets")
	for i, t := range targets.list() {
		c.target(t, (*path)(nil).name("weightedTargets").index(i), protocol)
	}
}

// routeListener warns when no listener of the parent (router or gateway) leads to
// the route, or when the API would have asked which one does.
func (c *refChecker) routeListener(parent *resource) {
	protocol, body := routeBody(c.res)
	if body == nil {
		return
	}
	p := (*path)(nil).name("match").name("port")
	fits, named := 0, body.get("match", "port")
	for i := range parent.ports {
		l := &parent.ports[i]
		if named != nil && int64(l.port) == named.int() && l.protocol != protocol {
			c.warnValue(named, p, fmt.Sprintf("can never match: the listener's protocol is %s, the route's %s", l.protocol, protocol), "see "+place(l.spec.at))
			return
		}
		if belongs(c.res, l) {
			fits++
		}
	}
	switch {
	case fits == 0 && named != nil:
		c.warnValue(named, p, "can never match: "+parent.short()+" has no such listener", "its ports: "+portList(parent.ports))
	case fits == 0:
		c.warn(body.at, nil, fmt.Sprintf("can never match: %s has no %s listener", parent.short(), protocol), "its ports: "+portList(parent.ports))
	case fits > 1 && named == nil:
		c.warn(body.at, p, fmt.Sprintf("is not given and %s has several %s listeners", parent.short(), protocol),
			"the route is used on all of them: "+portList(parent.ports))
	}
}

// short names a router or gateway without its "virtual".
func (r *resource) short() string { return strings.TrimPrefix(r.String(), "virtual ") }

// target checks one weighted target. App Mesh refused a route whose node did
// not exist, so that this is an error and not, as for backends, a warning.
func (c *refChecker) target(t *value, p *path, protocol mesh.Protocol) {
	v := t.get("virtualNode")
	if v.str() == "" {
		return
	}
	node := c.ix.find(nodeKind, v.text)
	if node == nil {
		c.noSuch(mesh.Error, nodeKind, v, p.name("virtualNode"))
		return
	}
	l := targetListener(node, t.get("port"), protocol)
	switch {
	case l == nil && node.faulty: // its own findings say why
	case node.portless():
		c.failValue(v, p.name("virtualNode"), "the node has no listener, so that nothing can be sent to it", "see "+place(node.at))
	case l == nil && t.has("port"):
		c.failValue(t.get("port"), p.name("port"), fmt.Sprintf("virtual node %q has no such listener", node.name), "its ports: "+portList(node.ports))
	case l == nil:
		c.failValue(v, p.name("virtualNode"), "the node has several listeners: say which with port", "its ports: "+portList(node.ports))
	case l.protocol != protocol:
		c.warnValue(v, p.name("virtualNode"), fmt.Sprintf("the node's listener %d speaks %s, the route %s", l.port, l.protocol, protocol),
			"see "+place(l.spec.at)+"; App Mesh called the result unpredictable")
	}
}

// targetListener is the listener that a target means: the one its port names,
// else the only one, else the only one of the route's protocol. Nil where
// none or several fit.
func targetListener(node *resource, port *value, protocol mesh.Protocol) *listener {
	var fit *listener
	for i := range node.ports {
		l := &node.ports[i]
		switch {
		case port != nil && int64(l.port) == port.int(), len(node.ports) == 1 && port == nil:
			return l
		case port == nil && l.protocol == protocol && fit != nil:
			return nil
		case port == nil && l.protocol == protocol:
			fit = l
		}
	}
	return fit
}

func portList(ports []listener) string {
	var b strings.Builder
	for i, l := range ports {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d (%s)", l.port, l.protocol)
	}
	return b.String()
}
