package appmesh

import (
	"fmt"
	"maps"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A reach is what one node or gateway can come to need.
type reach struct {
	mesh *index
	// self is the node or gateway that the sidecar stands for.
	self *resource
	// owner is the account that the sidecar's resource names, or "".
	owner string
	has   map[*resource]bool
	// unresolved is true when something in reach refers to what no document
	// defines, or is a router or gateway that no document has a route for.
	unresolved bool
}

// reach follows a node's or gateway's references. trouble says why there is
// nothing to follow.
func (d *Documents) reach(res mesh.Resource) (_ *reach, trouble *mesh.Finding) {
	ix, trouble := d.meshOf(res)
	if trouble != nil {
		return nil, trouble
	}
	k := kindOf(res)
	self := ix.find(k, res.Name)
	if self == nil {
		return nil, d.nobody(res, ix)
	}
	r := &reach{mesh: ix, self: self, owner: res.Owner, has: map[*resource]bool{self: true}}
	if m := ix.find(meshKind, ix.id.name); m != nil {
		r.has[m] = true
	}
	if k == gatewayKind {
		routes := ix.gatewayRoutes[self.name]
		r.unresolved = len(routes) == 0
		for _, route := range routes {
			r.has[route] = true
			r.service(serviceOf(route))
		}
		return r, nil
	}
	for _, b := range self.spec.get("backends").list() {
		r.service(b.get("virtualService", "virtualServiceName"))
	}
	return r, nil
}

func kindOf(res mesh.Resource) kind {
	if res.Kind == mesh.VirtualGateway {
		return gatewayKind
	}
	return nodeKind
}

// service follows the name of a virtual service to the nodes behind it.
func (r *reach) service(name *value) {
	service := r.follow(serviceKind, name)
	if service == nil {
		return
	}
	k, v := provider(service)
	if p := r.follow(k, v); p == nil || k == nodeKind {
		return
	}
	routes := r.mesh.routes[v.text]
	r.unresolved = r.unresolved || len(routes) == 0
	for _, route := range routes {
		r.has[route] = true
		for _, t := range targetsOf(route) {
			r.follow(nodeKind, t.get("virtualNode"))
		}
	}
}

func (r *reach) follow(k kind, v *value) *resource {
	if v.str() == "" {
		return nil
	}
	found := r.mesh.find(k, v.text)
	if found == nil {
		r.unresolved = true
		return nil
	}
	r.has[found] = true
	return found
}

// any reports whether a name within reach answers to ask. The mesh's own name
// is left out: every document holds it.
func (r *reach) any(ask func(string) bool) bool {
	for res := range r.has {
		if res.kind != meshKind && ask(res.name) {
			return true
		}
	}
	return r.mesh.find(meshKind, r.mesh.id.name) == nil && ask("egressFilter")
}

// nobody says that the resource is not among those of its mesh.
func (d *Documents) nobody(res mesh.Resource, ix *index) *mesh.Finding {
	k := kindOf(res)
	f := mesh.Finding{Severity: mesh.Error, Resource: res.String(),
		Message: fmt.Sprintf("no %s %q in mesh %q: %d resources were read", kinds[k].label, res.Name, res.Mesh, d.Resources())}
	if near := mesh.Nearest(res.Name, slices.Sorted(maps.Keys(ix.of[k]))); near != "" {
		f.Hint = fmt.Sprintf("did you mean %q (%s)?", near, place(ix.of[k][near].at))
	}
	f.Hint = d.orHidden(f.Hint)
	return &f
}
