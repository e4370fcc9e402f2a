package appmesh

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Options are what a sidecar knows and the documents do not.
type Options struct {
	// AppHost is where the local app listens. Invalid (zero): 127.0.0.1, or
	// ::1 where the ipPreference says so.
	AppHost netip.Addr
}

// Compile makes the snapshot of one virtual node from what is within its
// reach: its mesh, itself, the virtual services it lists, their routers,
// routes and nodes. The findings are those of the reach at their severity; what lies
// outside keeps warnings and turns errors into warnings, and its not-yets are
// left out. An error within reach leaves no snapshot.
//
// Decision: a document that cannot be read (or read to its end) is within reach
// when it holds the name of something within reach, or when anything there
// refers to what no document defines, or is a router without a route. Of one
// that is empty or cannot be opened nobody knows what it should hold: it is
// within reach in the last two cases, and when no document describes the mesh.
// Otherwise it stops nothing. So a broken routes.yaml never empties a router in
// silence, not even where the missing reference alone would be a warning, and a
// broken stranger never hinders.
func (d *Documents) Compile(res mesh.Resource, opt Options) (*mesh.Snapshot, []mesh.Finding) {
	r, trouble := d.reach(res)
	if trouble != nil {
		return nil, append([]mesh.Finding{*trouble}, once(d.outside(nil))...)
	}
	within := d.within(r)
	findings := once(append(slices.Clone(within), d.outside(r)...))
	if slices.ContainsFunc(within, func(f finding) bool { return f.Severity == mesh.Error }) {
		return nil, findings
	}
	c := compiler{reach: r, opt: opt, clusters: make(map[string]*mesh.Cluster), snapshot: &mesh.Snapshot{
		Resource:  res,
		Version:   version(r, opt),
		Documents: d.Sources(),
		Findings:  once(within),
	}}
	c.mesh()
	c.inbound()
	c.outbound()
	c.snapshot.AccessLog = accessLog(r.node.spec.get("logging", "accessLog", "file"))
	c.snapshot.Clusters = slices.SortedFunc(maps.Values(c.clusters), func(a, b *mesh.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	return c.snapshot, findings
}

// A reach is what one node can come to need.
type reach struct {
	mesh *index
	node *resource
	// owner is the account that the sidecar's resource names, or "".
	owner string
	has   map[*resource]bool
	// unresolved is true when something in reach refers to what no document
	// defines, or is a router that no document has a route for.
	unresolved bool
}

// reach follows a node's references. trouble says why there is nothing to
// follow.
func (d *Documents) reach(res mesh.Resource) (_ *reach, trouble *mesh.Finding) {
	if res.Kind == mesh.VirtualGateway {
		return nil, &mesh.Finding{Severity: mesh.Error, Resource: res.String(), Message: gateways.message, Hint: "name a virtual node"}
	}
	ix, trouble := d.meshOf(res)
	if trouble != nil {
		return nil, trouble
	}
	node := ix.find(nodeKind, res.Name)
	if node == nil {
		return nil, d.nobody(res, ix)
	}
	r := &reach{mesh: ix, node: node, owner: res.Owner, has: map[*resource]bool{node: true}}
	if m := ix.find(meshKind, ix.id.name); m != nil {
		r.has[m] = true
	}
	for _, b := range node.spec.get("backends").list() {
		service := r.follow(serviceKind, b.get("virtualService", "virtualServiceName"))
		if service == nil {
			continue
		}
		k, v := provider(service)
		if p := r.follow(k, v); p == nil || k == nodeKind {
			continue
		}
		routes := ix.routes[v.text]
		r.unresolved = r.unresolved || len(routes) == 0
		for _, route := range routes {
			r.has[route] = true
			for _, t := range targetsOf(route) {
				r.follow(nodeKind, t.get("virtualNode"))
			}
		}
	}
	return r, nil
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
	f := mesh.Finding{Severity: mesh.Error, Resource: res.String(),
		Message: fmt.Sprintf("no virtual node %q in mesh %q: %d resources were read", res.Name, res.Mesh, d.Resources())}
	if near := mesh.Nearest(res.Name, slices.Sorted(maps.Keys(ix.of[nodeKind]))); near != "" {
		f.Hint = fmt.Sprintf("did you mean %q (%s)?", near, place(ix.of[nodeKind][near].at))
	}
	f.Hint = d.orHidden(f.Hint)
	return &f
}

func (d *Documents) within(r *reach) []finding {
	var fs []finding
	for i := range d.findings {
		if d.findings[i].concerns(r) {
			fs = append(fs, d.findings[i])
		}
	}
	return append(fs, ownerFindings(r)...)
}

// outside are the findings that do not concern r (nil: nobody's reach).
func (d *Documents) outside(r *reach) []finding {
	var fs []finding
	for _, f := range d.findings {
		if r != nil && f.concerns(r) {
			continue
		}
		switch {
		case f.Severity == mesh.Error && r != nil:
			f.Severity = mesh.Warning
		case f.Severity == mesh.NotYet && !f.fileWide:
			continue
		}
		fs = append(fs, f)
	}
	return fs
}

// mesh compiles the egress filter and what always stands beside it.
func (c *compiler) mesh() {
	spec := (*value)(nil)
	if m := c.reach.mesh.find(meshKind, c.reach.mesh.id.name); m != nil {
		spec = m.spec
	}
	c.snapshot.Preference = preference(spec.get("serviceDiscovery", "ipPreference"), mesh.AnyFamily)
	c.originalDst("amazonaws", mesh.Default("App Mesh always lets *.amazonaws.com pass"))
	if filter := spec.get("egressFilter", "type"); filter.str() == "ALLOW_ALL" {
		c.snapshot.Egress = mesh.AllowAll
		c.originalDst("mesh-allow-all", mesh.At(filter.at))
	}
}

// compiler builds one snapshot.
type compiler struct {
	reach    *reach
	opt      Options
	snapshot *mesh.Snapshot
	clusters map[string]*mesh.Cluster
}

func preference(v *value, otherwise mesh.IPPreference) mesh.IPPreference {
	for p := mesh.AnyFamily; p <= mesh.IPv6Preferred; p++ {
		if v != nil && v.text == p.String() {
			return p
		}
	}
	return otherwise
}

// accessLog compiles logging.accessLog.file; JSON keys keep their order.
func accessLog(v *value) *mesh.AccessLog {
	if v == nil {
		return nil
	}
	log := &mesh.AccessLog{Path: v.get("path").str(), Text: v.get("format", "text").str(), Origin: mesh.At(v.at)}
	for _, f := range v.get("format", "json").list() {
		log.JSON = append(log.JSON, mesh.LogField{Key: f.get("key").str(), Value: f.get("value").str()})
	}
	return log
}
