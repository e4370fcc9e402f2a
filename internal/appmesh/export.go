package appmesh

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A Format is a document form that Export writes.
type Format int

// The formats. CLI is a JSON list of requests, each of which is what
// `aws appmesh create-KIND --cli-input-json` takes; CloudFormation is one
// template in JSON; Kubernetes are manifests of the App Mesh controller,
// v1beta2, in YAML.
const (
	CLI Format = iota
	CloudFormation
	Kubernetes
)

var formatNames = [...]string{"cli", "cloudformation", "kubernetes"}

// ParseFormat reads a format's name: cli, cloudformation or kubernetes.
func ParseFormat(name string) (Format, error) {
	if i := slices.Index(formatNames[:], name); i >= 0 {
		return Format(i), nil
	}
	return 0, fmt.Errorf("no such format %q: %s are known", name, strings.Join(formatNames[:], ", "))
}

// String is the name that ParseFormat reads.
func (f Format) String() string { return formatNames[f] }

// Export writes what was understood in one form, such that reading it gives
// the same resources: values that documents gave, in the API's spelling, and
// no defaults. The bytes depend on what is said alone, not on the form it was
// said in or on the order of documents.
//
// A resource whose own document has an error is left out, and so is what the
// form cannot say; each is an error among the findings. What is written
// otherwise than App Mesh would take it is a warning. err is a failure to write.
//
// Decision: a reference that leads nowhere is the error of a set of documents,
// not of a resource: it is written as it is (Check reports it).
func (d *Documents) Export(w io.Writer, f Format) (findings []mesh.Finding, err error) {
	e := newExporter(d)
	b := bufio.NewWriter(w)
	switch f {
	case CloudFormation:
		writeJSON(b, e.template(), "")
		b.WriteByte('\n')
	case Kubernetes:
		b.WriteString("# Which pods are which (podSelector) is not of the mesh: add it.\n")
		for _, m := range e.manifests() {
			b.WriteString("---\n")
			writeYAML(b, m, "")
		}
	default:
		writeJSON(b, e.requests(), "")
		b.WriteByte('\n')
	}
	slices.SortStableFunc(e.found, comparePlaces)
	return e.found, b.Flush()
}

// exportOrder is the order of kinds in what is exported: each after those it
// refers to, so that requests can be made one after the other.
var exportOrder = [kindCount]int{meshKind: 0, nodeKind: 1, routerKind: 2, routeKind: 3, serviceKind: 4, gatewayKind: 5, gatewayRouteKind: 6}

// An exporter holds what one export writes.
type exporter struct {
	// chosen are in order: by mesh, kind, parent and name.
	chosen []*resource
	has    map[*resource]bool
	meshes map[meshID]*index
	found  []mesh.Finding
}

func newExporter(d *Documents) *exporter {
	e := &exporter{has: make(map[*resource]bool), meshes: d.meshes}
	wrong := make(map[*resource]bool)
	for _, f := range d.findings[:d.understood] {
		if f.owner != nil && f.Severity == mesh.Error {
			wrong[f.owner] = true
		}
	}
	for _, ix := range d.meshes {
		for k := range ix.of {
			e.chosen = slices.AppendSeq(e.chosen, maps.Values(ix.of[k]))
		}
	}
	slices.SortFunc(e.chosen, func(a, b *resource) int {
		return cmp.Or(cmp.Compare(a.mesh, b.mesh), cmp.Compare(a.owner, b.owner), cmp.Compare(exportOrder[a.kind], exportOrder[b.kind]), cmp.Compare(a.parent, b.parent), cmp.Compare(a.name, b.name))
	})
	for _, res := range e.chosen {
		e.has[res] = true
	}
	e.leaveOut(func(res *resource) (why string) {
		if wrong[res] {
			why = "its document has an error"
		}
		return why
	})
	for _, res := range e.chosen {
		e.loose(res)
	}
	return e
}

// leaveOut takes out the resources for which there is a reason why.
func (e *exporter) leaveOut(why func(*resource) string) {
	e.chosen = slices.DeleteFunc(e.chosen, func(res *resource) bool {
		if why := why(res); why != "" {
			e.add(mesh.Error, res, res.at, "is left out: "+why, "")
			delete(e.has, res)
		}
		return !e.has[res]
	})
}

// loose warns of what this reader takes and App Mesh did not.
func (e *exporter) loose(res *resource) {
	for i, l := range res.spec.get("listeners").list() {
		if protocol := l.get("portMapping", "protocol"); protocol.str() == "https" {
			e.add(mesh.Warning, res, protocol.at, fmt.Sprintf("listeners[%d].portMapping.protocol is https, which only this reader knows: it is written as it is", i),
				"App Mesh wants http and a tls block with a certificate")
		}
	}
}

// find is the resource that a name in res means, if it is written too.
func (e *exporter) find(res *resource, k kind, name string) *resource {
	if found := e.meshes[res.id().mesh].find(k, name); e.has[found] {
		return found
	}
	return nil
}

// described is the mesh of a resource, if it is written too.
func (e *exporter) described(res *resource) *resource { return e.find(res, meshKind, res.mesh) }

// namesakes reports whether other accounts' meshes have the name of res's.
func (e *exporter) namesakes(res *resource) bool {
	for id := range e.meshes {
		if id.name == res.mesh && id.owner != res.owner {
			return true
		}
	}
	return false
}

// parent is the router of a route or the gateway of a gateway route.
func (e *exporter) parent(res *resource) *resource {
	return e.find(res, kindNamed(kinds[res.kind].parent), res.parent)
}

func (e *exporter) add(severity mesh.Severity, res *resource, at mesh.Position, msg, hint string) {
	e.found = append(e.found, mesh.Finding{Position: at, Severity: severity, Resource: res.String(), Message: msg, Hint: hint})
}

// requests are the API's own form.
func (e *exporter) requests() *value {
	all := &value{kind: list}
	for _, res := range e.chosen {
		r := record()
		for _, m := range e.names(res) {
			r.set(m.name, m.value)
		}
		r.set("spec", res.canonical())
		all.items = append(all.items, r)
	}
	return all
}

// names are the members that name a resource in a request.
func (e *exporter) names(res *resource) []member {
	names := []member{{name: kinds[meshKind].name, value: say(res.mesh)}}
	if res.owner != "" {
		names = append(names, member{name: "meshOwner", value: say(res.owner)})
	}
	if parent := kinds[res.kind].parent; parent != "" {
		names = append(names, member{name: parent, value: say(res.parent)})
	}
	if res.kind != meshKind {
		names = append(names, member{name: kinds[res.kind].name, value: say(res.name)})
	}
	return names
}

// canonical is a copy of a resource's spec without nulls, its members in the
// order of the reference.
func (res *resource) canonical() *value { return tidy(res.spec, specs[res.kind]) }

func tidy(v *value, s *shape) *value {
	c := &value{kind: v.kind, text: v.text}
	for _, f := range s.fields {
		if m := v.member(f.name); m != nil {
			c.set(f.name, tidy(m, f.shape))
		}
	}
	for _, item := range v.items {
		c.items = append(c.items, tidy(item, s.item))
	}
	return c
}

// say is a text to be written, record an object, which set adds to.
func say(s string) *value { return &value{kind: text, text: s} }

func record(members ...member) *value { return &value{kind: object, members: members} }

func (v *value) set(name string, to *value) {
	v.members = append(v.members, member{name: name, value: to})
}
