package appmesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A meshID tells meshes apart. Accounts share their meshes with each other, so
// that documents may know two of one name (App Mesh 1.8: consumers name the
// mesh and its meshOwner).
type meshID struct{ name, owner string }

// String is the mesh as a sidecar's resource names it: m, or m@111122223333.
func (id meshID) String() string {
	if id.owner == "" {
		return id.name
	}
	return id.name + "@" + id.owner
}

// account reports whether s is an account's number.
func account(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// ownMeshes gives the resources that name no owner the mesh of their name that
// the others name, whoever owns it: a mesh's own account leaves the owner out,
// the accounts that it is shared with write it. Where meshes of several owners
// have the name nobody knows which is meant.
func (d *Documents) ownMeshes() {
	owners := d.owners()
	kept := d.resources[:0]
	for _, res := range d.resources {
		switch all := owners[res.mesh]; {
		case res.owner != "":
		case len(all) == 1:
			res.owner = all[0]
		case len(all) > 1:
			d.add(finding{about: res.spec, Finding: mesh.Finding{Position: res.at, Severity: mesh.Error, Resource: res.String(),
				Message: fmt.Sprintf("has no meshOwner, and %d accounts have a mesh %q", len(all), res.mesh),
				Hint:    "add meshOwner: one of " + strings.Join(all, ", ")}})
			continue
		}
		kept = append(kept, res)
	}
	d.resources = kept
}

// owners are the accounts that resources name, by the name of the mesh, sorted.
func (d *Documents) owners() map[string][]string {
	owners := make(map[string][]string)
	for _, res := range d.resources {
		if all := owners[res.mesh]; res.owner != "" && !slices.Contains(all, res.owner) {
			owners[res.mesh] = append(all, res.owner)
		}
	}
	for _, all := range owners {
		slices.Sort(all)
	}
	return owners
}

// meshOf finds the mesh that a sidecar's resource names; trouble says why it
// is none.
//
// Decision: the only mesh of a name is taken whatever owner the resource names
// (ownerFindings warns), as nothing else can be meant.
func (d *Documents) meshOf(res mesh.Resource) (_ *index, trouble *mesh.Finding) {
	var all []*index
	for id, ix := range d.meshes {
		if id.name == res.Mesh {
			all = append(all, ix)
		}
	}
	switch ix := d.meshes[meshID{res.Mesh, res.Owner}]; {
	case ix != nil:
		return ix, nil
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return nil, d.noMesh(res)
	}
	names := make([]string, len(all))
	for i, ix := range all {
		names[i] = ix.id.String()
	}
	slices.Sort(names)
	which := "the resource names no owner"
	if res.Owner != "" {
		which = "none of them is of account " + res.Owner
	}
	return nil, &mesh.Finding{Severity: mesh.Error, Resource: res.String(),
		Message: fmt.Sprintf("%d accounts have a mesh %q, and %s", len(all), res.Mesh, which),
		Hint:    fmt.Sprintf("write mesh/MESH@OWNER/%s/%s, with one of %s", res.Kind, res.Name, strings.Join(names, ", "))}
}

// noMesh says that no document is of the resource's mesh.
func (d *Documents) noMesh(res mesh.Resource) *mesh.Finding {
	f := &mesh.Finding{Severity: mesh.Error, Resource: res.String(),
		Message: fmt.Sprintf("no document is of mesh %q: %d resources were read", res.Mesh, d.Resources())}
	var names []string
	for id := range maps.Keys(d.meshes) {
		names = append(names, id.name)
	}
	slices.Sort(names)
	if near := mesh.Nearest(res.Mesh, slices.Compact(names)); near != "" {
		f.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	f.Hint = d.orHidden(f.Hint)
	return f
}

// ownerFindings warns when documents and resource name different owners.
func ownerFindings(r *reach) []finding {
	if r.mesh.id.owner == "" || r.owner == "" || r.mesh.id.owner == r.owner {
		return nil
	}
	return []finding{{owner: r.self, Finding: mesh.Finding{Position: r.self.at, Severity: mesh.Warning, Resource: r.self.String(),
		Message: fmt.Sprintf("belongs to a mesh of account %s, the sidecar's resource to one of %s", r.mesh.id.owner, r.owner)}}}
}

// An arn is what App Mesh's ARNs tell of a mesh (App Mesh 5):
// arn:PARTITION:appmesh:REGION:ACCOUNT:mesh/MESH/virtualNode/NODE. The account
// is that of the resource's owner, which for a mesh itself is its own.
type arn struct {
	account, mesh string
	// ofMesh is true of the ARN of a mesh itself.
	ofMesh bool
}

// readARN reads an ARN; the zero value where s is none, or has variables that
// nobody has filled in.
func readARN(s string) arn {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "appmesh" {
		return arn{}
	}
	of, rest, deeper := strings.Cut(parts[5], "/")
	if of != "mesh" || !deeper {
		return arn{}
	}
	name, _, deeper := strings.Cut(rest, "/")
	if unfilled(name) {
		return arn{}
	}
	found := arn{mesh: name, ofMesh: !deeper}
	if account(parts[4]) {
		found.account = parts[4]
	}
	return found
}

// inMesh refuses a reference by ARN that leads out of the resource's mesh:
// App Mesh's references are names within one mesh.
func (c *checker) inMesh(v *value, p *path) bool {
	if v.kind != text {
		return true
	}
	to := readARN(v.text)
	if to.mesh == "" || to.mesh == c.res.mesh {
		return true
	}
	return c.refuse(v, p, fmt.Sprintf("is of mesh %q, and this of mesh %q", to.mesh, c.res.mesh), "App Mesh's references do not leave their mesh")
}
