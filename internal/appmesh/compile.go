package appmesh

import (
	"cmp"
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

// Compile makes the snapshot of one virtual node or gateway from what is within
// its reach: its mesh, itself, the virtual services it lists (a gateway: its
// routes, and the virtual services that they name), their routers, routes and
// nodes. The findings are those of the reach at their severity; what lies
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
	if res.Kind == mesh.VirtualGateway {
		c.gateway()
	} else {
		c.originals()
		c.inbound()
		c.outbound()
	}
	c.snapshot.AccessLog = accessLog(r.self.spec.get("logging", "accessLog", "file"))
	c.snapshot.Clusters = slices.SortedFunc(maps.Values(c.clusters), func(a, b *mesh.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	return c.snapshot, findings
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
		case f.Severity == mesh.NotYet:
			continue
		}
		fs = append(fs, f)
	}
	return fs
}

// mesh compiles what the mesh says to all.
func (c *compiler) mesh() {
	spec := (*value)(nil)
	if m := c.reach.mesh.find(meshKind, c.reach.mesh.id.name); m != nil {
		spec = m.spec
	}
	c.snapshot.Preference = preference(spec.get("serviceDiscovery", "ipPreference"), mesh.AnyFamily)
	c.snapshot.PreferenceOrigin = originOf(spec.get("serviceDiscovery", "ipPreference"), "App Mesh has no preference")
	c.snapshot.EgressOrigin = originOf(spec.get("egressFilter", "type"), "App Mesh drops it")
	if filter := spec.get("egressFilter", "type"); filter.str() == "ALLOW_ALL" {
		c.snapshot.Egress = mesh.AllowAll
		c.filter = filter
	}
}

// originals are the clusters of what an app opens to no backend. A gateway has
// no app and none of them.
func (c *compiler) originals() {
	c.originalDst("amazonaws", mesh.Default("App Mesh always lets *.amazonaws.com pass"))
	if c.filter != nil {
		c.originalDst("mesh-allow-all", mesh.At(c.filter.at))
	}
}

// originOf is where v stands, or the default in its place.
func originOf(v *value, otherwise string) mesh.Origin {
	if v == nil {
		return mesh.Default(otherwise)
	}
	return mesh.At(v.at)
}

// compiler builds one snapshot.
type compiler struct {
	reach    *reach
	opt      Options
	snapshot *mesh.Snapshot
	clusters map[string]*mesh.Cluster
	// filter is what asks for ALLOW_ALL; nil under DROP_ALL.
	filter *value
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
