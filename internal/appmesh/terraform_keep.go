package appmesh

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A kept resource is one that a state, a plan or an export holds.
type kept struct {
	tool string // Terraform or Pulumi
	kind kind
	// address is what the tool calls it.
	address    string
	at         mesh.Position
	attributes *value
	// lookup resources were only looked at (data sources): they count where
	// nothing manages the same.
	lookup  bool
	tainted bool
}

// keeping is what is known of kept resources while documents are read.
type keeping struct {
	// arns are those of managed resources.
	arns    map[string]bool
	lookups []kept
	// tools are those of which a document with App Mesh resources was read.
	tools map[string]bool
}

// keep makes a resource of what was kept. Lookups wait until all managed
// resources are known.
func (d *Documents) keep(k kept) {
	if d.kept.tools == nil {
		d.kept.tools, d.kept.arns = make(map[string]bool), make(map[string]bool)
	}
	d.kept.tools[k.tool] = true
	if k.lookup {
		d.kept.lookups = append(d.kept.lookups, k)
		return
	}
	if arn := k.attributes.spelt("arn").str(); arn != "" {
		d.kept.arns[arn] = true
	}
	if res := d.keptResource(k); res != nil {
		d.resources = append(d.resources, res)
	}
}

// readLookups makes resources of the data sources that describe what no
// document manages.
func (d *Documents) readLookups() {
	type name struct {
		kind               kind
		mesh, parent, name string
	}
	managed := make(map[name][]*resource)
	for _, res := range d.resources {
		n := name{res.kind, res.mesh, res.parent, res.name}
		managed[n] = append(managed[n], res)
	}
	for _, k := range d.kept.lookups {
		if d.kept.arns[k.attributes.spelt("arn").str()] {
			continue
		}
		said := len(d.findings)
		res := d.keptResource(k)
		if res == nil {
			continue
		}
		same := func(other *resource) bool { return other.owner == "" || res.owner == "" || other.owner == res.owner }
		if slices.ContainsFunc(managed[name{res.kind, res.mesh, res.parent, res.name}], same) {
			d.findings = d.findings[:said]
			continue
		}
		d.resources = append(d.resources, res)
	}
	d.kept = keeping{}
}

// keptMembers say nothing that a proxy needs.
var keptMembers = [...]string{"arn", "id", "resourceOwner", "tags", "tagsAll", "region"}

// keptResource gives a kept resource its names and its spec; nil where it
// cannot be told which it is.
func (d *Documents) keptResource(k kept) *resource {
	names := make(map[string]*member)
	wanted := []string{"name", "meshName", kinds[k.kind].parent}
	var dropped []*member
	res := &resource{kind: k.kind, at: k.at}
	var spec *value
	var created time.Time
	for i := range k.attributes.members {
		m := &k.attributes.members[i]
		is := func(name string) bool { return name != "" && named(m.name, name) }
		switch {
		case slices.ContainsFunc(wanted, is):
			names[wanted[slices.IndexFunc(wanted, is)]] = m
		case is("spec"):
			spec = m.value
		case is("meshOwner"):
			res.owner = ownerOf(m.value)
		case is("lastUpdatedDate"):
			res.dated, _ = time.Parse(time.RFC3339, m.value.text)
		case is("createdDate"):
			created, _ = time.Parse(time.RFC3339, m.value.text)
		case !slices.ContainsFunc(keptMembers[:], is) && !strings.HasPrefix(m.name, "__") && !unset(m.value):
			dropped = append(dropped, m)
		}
	}
	if res.dated.IsZero() {
		res.dated = created
	}
	take := func(name string) string {
		switch m := names[name]; {
		case m == nil || unset(m.value):
			d.documentError(k.attributes, k.at, k.address+" has no "+name, "")
		case m.value.kind == unknownValue:
			d.documentError(k.attributes, k.at, k.address+": "+m.name+" "+m.value.why.message(), m.value.why.hint)
		case d.name(k.attributes, &member{k.address + ": " + m.name, m.at, m.value}):
			return m.value.text
		}
		return ""
	}
	if res.name = take("name"); res.name == "" {
		return nil
	}
	res.at = names["name"].value.at
	if k.kind == meshKind {
		res.mesh = res.name
	} else if m := names["meshName"]; m == nil || m.value.kind != unknownValue && !unset(m.value) {
		if res.mesh = take("meshName"); res.mesh == "" {
			return nil
		}
	} // else the mesh is made by the same plan: nameMeshes finds it
	if p := kinds[k.kind].parent; p != "" {
		if res.parent = take(p); res.parent == "" {
			return nil
		}
	}
	for _, m := range dropped {
		d.warnKept(res, m.at, m.name, "no attribute that App Mesh knows: dropped", "")
	}
	if k.tainted {
		d.warnKept(res, k.at, "", "is marked as tainted: "+k.tool+" was going to replace it; it is read as it is", "")
	}
	t := blocks{checker{d, res}}
	t.spec(spec, k.at)
	return res
}

func (d *Documents) warnKept(res *resource, at mesh.Position, field, msg, hint string) {
	d.add(finding{owner: res, Finding: mesh.Finding{Position: at, Severity: mesh.Warning, Resource: res.String(), Field: field, Message: msg, Hint: hint}})
}

// ownerOf is an account, or "" where v is none.
func ownerOf(v *value) string {
	if _, err := strconv.ParseUint(v.text, 10, 64); err != nil || len(v.text) != 12 {
		return ""
	}
	return v.text
}

// unset reports whether a value is what Terraform keeps of a setting that
// nobody gave: null, "", 0, false, an empty list or map.
func unset(v *value) bool {
	switch v.kind {
	case null:
		return true
	case text:
		return v.text == ""
	case boolean:
		return v.text == "false"
	case number:
		return zero(v)
	case list:
		return len(v.items) == 0
	case object:
		return len(v.members) == 0
	}
	return false
}

func zero(v *value) bool {
	n, err := strconv.ParseFloat(strings.TrimSpace(v.text), 64)
	return err == nil && n == 0
}
