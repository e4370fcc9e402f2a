package appmesh

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// references looks at what only shows between resources. Everything found
// belongs to the resource that refers, not to the one referred to.
func (d *Documents) references() {
	for _, ix := range d.meshes {
		for _, node := range ix.of[nodeKind] {
			if twin := cloudMapService(node); twin != "" {
				ix.twins[twin]++
			}
		}
	}
	missing := make(map[*index]bool)
	for _, res := range d.resources {
		c := refChecker{checker{d, res}, d.meshes[meshID{res.mesh, res.owner}]}
		if c.ix.find(meshKind, res.mesh) == nil && !missing[c.ix] {
			missing[c.ix] = true
			d.add(finding{mesh: &c.ix.id, Finding: mesh.Finding{Position: res.at, Severity: mesh.Warning, Resource: kinds[meshKind].label + " " + strconv.Quote(res.mesh),
				Message: "no document describes this mesh", Hint: "its egress filter is taken to be DROP_ALL; write {\"meshName\": \"" + res.mesh + "\", \"spec\": {}} to say so"}})
			d.amounts(mesh.Wrong, mesh.Perhaps)
		}
		switch res.kind {
		case nodeKind:
			c.node()
		case serviceKind:
			c.service()
		case routerKind:
			c.router()
		case routeKind:
			c.route()
		case gatewayKind:
			c.gateway()
		case gatewayRouteKind:
			c.gatewayRoute()
		}
	}
}

type refChecker struct {
	checker
	ix *index
}

// noSuch reports a reference that leads nowhere. What it may have meant, or
// where it may be hidden, is the hint.
func (c *refChecker) noSuch(severity mesh.Severity, k kind, v *value, p *path) {
	names := slices.Sorted(maps.Keys(c.ix.of[k]))
	hint := ""
	if near := c.d.nearest(v.text, names); near != "" {
		hint = fmt.Sprintf("did you mean %q (%s)?", near, place(c.ix.of[k][near].at))
	}
	c.add(mesh.Finding{Position: v.at, Severity: severity, Field: p.String(), Value: v.text,
		Message: fmt.Sprintf("no such %s in mesh %q", kinds[k].label, c.ix.id.name), Hint: c.d.orHidden(hint)})
	c.d.amounts(mesh.Wrong, mesh.OnTraffic) // App Mesh had it
}

// orHidden adds to a hint the files that may hold what is missed.
func (d *Documents) orHidden(hint string) string {
	hidden := func(files []string, why string) {
		if len(files) == 0 {
			return
		}
		if hint != "" {
			hint += " or "
		}
		hint += "it may stand in " + files[0] + ", " + why
		if len(files) > 1 {
			hint += fmt.Sprintf(" (and %d more)", len(files)-1)
		}
	}
	hidden(d.unreadable, "which cannot be read")
	hidden(d.unreadForms, "whose form is not read")
	return hint
}

func (c *refChecker) service() {
	spec := c.res.spec
	if bad := strings.IndexFunc(c.res.name, notInHost); bad >= 0 {
		c.warn(c.res.at, (*path)(nil).name("virtualServiceName"), fmt.Sprintf("no Host header can be %q, so that nothing reaches it", c.res.name),
			"a virtual service is called by its name, which is a host name; App Mesh has no wildcards")
	}
	p := (*path)(nil).name("provider")
	if !spec.has("provider") {
		c.warn(c.res.at, p, "has no provider", "callers that list it get 404")
		return
	}
	k, v := provider(c.res)
	switch target := c.ix.find(k, v.str()); {
	case v == nil:
	case target == nil:
		p = p.name(kinds[k].object).name(kinds[k].name)
		c.noSuch(mesh.Warning, k, v, p)
	case k == nodeKind && target.portless():
		c.warnValue(v, p.name("virtualNode").name("virtualNodeName"), "the node has no listener", "nothing can be sent to it")
	}
}

// notInHost tells whether a character cannot stand in a Host header's name.
func notInHost(r rune) bool { return r <= ' ' || strings.ContainsRune("/@?#*\\\"<>", r) }

// provider is the router or node behind a virtual service, by reference; a
// nil value where there is none.
func provider(service *resource) (kind, *value) {
	if v := service.spec.get("provider", "virtualRouter", "virtualRouterName"); v != nil {
		return routerKind, v
	}
	return nodeKind, service.spec.get("provider", "virtualNode", "virtualNodeName")
}

func (c *refChecker) router() {
	if c.res.portless() {
		c.warn(c.res.at, (*path)(nil).name("listeners"), "has no listener", "no port leads to it: give it the port that callers use")
	}
	for i := range c.res.ports {
		l := &c.res.ports[i]
		if l.tls != "" {
			c.notYet(clientTLS, l.spec, l.at)
		}
	}
	if len(c.ix.routes[c.res.name]) == 0 {
		c.warn(c.res.at, nil, "has no route", "every request to it is answered 404")
	}
	for i := range c.res.ports {
		c.shadowed(&c.res.ports[i])
	}
}

// maxWider bounds the search for routes that hide others.
const maxWider = 500

// shadowed warns of routes that an earlier one leaves nothing to.
func (c *refChecker) shadowed(l *listener) {
	routes := slices.DeleteFunc(routesOf(c.ix, c.res, l), func(r *resource) bool { return r.faulty })
	if l.protocol == mesh.TCP {
		for _, r := range routes[min(1, len(routes)):] {
			c.unreachable(r, routes[0])
		}
		return
	}
	wider := make([]mesh.Match, 0, min(len(routes), maxWider))
	for i, r := range routes {
		m := matchOf(r)
		for j := range wider {
			if covers(&wider[j], &m) {
				c.unreachable(r, routes[j])
				break
			}
		}
		if i < maxWider {
			wider = append(wider, m)
		}
	}
}

func (c *refChecker) unreachable(r, first *resource) {
	_, body := routeBody(r)
	at, field := r.at, ""
	if match := body.get("match"); match != nil {
		at, field = match.at, "match"
	}
	c.d.add(finding{owner: r, Finding: mesh.Finding{Position: at, Severity: mesh.Warning, Resource: r.String(), Field: field,
		Message: fmt.Sprintf("can never match: route %q takes all of it first", first.name),
		Hint:    "see " + place(first.at) + "; a lower priority number goes first"}})
}
