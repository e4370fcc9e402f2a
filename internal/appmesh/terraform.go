package appmesh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// What Terraform and Pulumi keep of a mesh (App Mesh 7.1). After App Mesh's end
// it may be the only complete copy:
//
//	terraform.go          states (`terraform show -json`, terraform.tfstate,
//	                      `terraform state pull`) and plans become kept resources
//	terraform_marks.go    what they mark as unknown, and as sensitive
//	pulumi.go             so do `pulumi stack export`s
//	terraform_keep.go     a kept resource gets its names and its spec
//	terraform_spec.go     the provider's blocks become the API's tree
//	terraform_source.go   sources of programs, which only their tools can run
//
// Decision: placeholders are not filled in here. No deploy script touches a
// state, and "${" in one is a text that a mesh really had.

const terraformPrefix = "aws_appmesh_"

// readTerraform reads a state or a plan.
func readTerraform(d *Documents, v *value) {
	t := &terraform{d: d, root: v}
	switch {
	case v.has("encrypted_data"):
		d.documentError(v, v.at, "this state is encrypted", "`tofu show -json > mesh.json` writes what can be read")
		return
	case v.has("planned_values") || v.has("resource_changes") || v.has("prior_state"):
		t.plan()
	case v.has("resources") || v.has("modules") || v.has("serial"):
		if !t.state() {
			return
		}
	default:
		t.module(v.get("values", "root_module"), 0)
	}
	for _, k := range t.found {
		d.keep(k)
	}
	if len(t.found) == 0 && !t.foreign {
		d.add(finding{fileWide: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
			Message: "this Terraform document has no App Mesh resource: ignored"}})
	}
}

// terraform reads one document.
type terraform struct {
	d     *Documents
	root  *value
	found []kept
	// foreign is true once something was said of a resource that is not among
	// the found.
	foreign bool
	// unknown are the skeletons of what a plan does not know, by address.
	unknown map[string]*value
}

// kindOf is the kind of a resource's type; not ok where it is none of ours.
func (t *terraform) kindOf(resource *value) (kind, bool) {
	name, ours := strings.CutPrefix(resource.get("type").str(), terraformPrefix)
	if !ours {
		return unknownKind, false
	}
	for i := range kinds {
		if named(name, kinds[i].object) {
			return kind(i), true
		}
	}
	t.foreign = true
	t.d.documentError(resource, resource.get("type").at, strconv.Quote(terraformPrefix+name)+" is no type of resource", "")
	return unknownKind, false
}

// state reads a raw state and reports whether it could be read.
func (t *terraform) state() bool {
	if version := t.root.get("version"); version.str() != "4" {
		if !t.root.begins(terraformPrefix) {
			return true // and holds nothing of ours
		}
		msg, hint := "this state's version "+strconv.Quote(version.str())+" is not read", "`terraform show -json > mesh.json` writes what can be read"
		if version.str() == "3" || version.str() == "2" || version.str() == "1" {
			msg, hint = "this state is of version "+version.str()+" (Terraform before 0.12), which keeps resources as flat text", flatHint
		}
		t.d.documentError(t.root, t.root.at, msg, hint)
		return false
	}
	for _, r := range t.root.get("resources").list() {
		k, ours := t.kindOf(r)
		if !ours {
			continue
		}
		for _, instance := range r.get("instances").list() {
			t.instance(k, r, instance)
		}
	}
	return true
}

const flatHint = "run a newer Terraform once (`terraform apply -refresh-only`, or `terraform state pull` with 0.12 or later), then `terraform show -json > mesh.json`"

func (t *terraform) instance(k kind, r, v *value) {
	attributes := v.get("attributes")
	switch {
	case v.get("deposed").str() != "":
		t.foreign = true // a left-over, to be destroyed
		return
	case attributes == nil && v.has("attributes_flat"):
		t.foreign = true
		t.d.documentError(v, v.at, address(r, v)+" keeps its attributes as flat text (Terraform before 0.12)", flatHint)
		return
	case attributes == nil || attributes.kind != object:
		return
	}
	for _, path := range v.get("sensitive_attributes").list() {
		t.d.sensitive(follow(attributes, path))
	}
	t.found = append(t.found, kept{tool: "Terraform", kind: k, address: address(r, v), at: v.at, attributes: attributes,
		lookup: r.get("mode").str() == "data", tainted: v.get("status").str() == "tainted"})
}

// address is what Terraform calls an instance of a raw state:
// module.a["x"].aws_appmesh_route.b[0].
func address(r, instance *value) string {
	parts := []string{r.get("type").str(), r.get("name").str()}
	if r.get("mode").str() == "data" {
		parts = slices.Insert(parts, 0, "data")
	}
	if module := r.get("module").str(); module != "" {
		parts = slices.Insert(parts, 0, module)
	}
	name := strings.Join(parts, ".")
	switch key := instance.get("index_key"); {
	case key == nil:
	case key.kind == number:
		name += "[" + key.text + "]"
	default:
		name += "[" + strconv.Quote(key.text) + "]"
	}
	return name
}

// module reads what `terraform show -json` prints of a module and of those in
// it.
func (t *terraform) module(v *value, depth int) {
	for _, r := range v.get("resources").list() {
		k, ours := t.kindOf(r)
		if !ours {
			continue
		}
		if r.get("deposed_key").str() != "" {
			t.foreign = true
			continue
		}
		attributes := r.get("values")
		if attributes == nil || attributes.kind != object {
			attributes = &value{kind: object, at: r.at} // all of it unknown, maybe
		}
		name := r.get("address").str()
		mark(attributes, t.unknown[name], unknownYet)
		mark(attributes, r.get("sensitive_values"), t.d.sensitive)
		t.found = append(t.found, kept{tool: "Terraform", kind: k, address: name, at: r.at, attributes: attributes,
			lookup: r.get("mode").str() == "data", tainted: r.get("tainted").str() == "true"})
	}
	for _, child := range v.get("child_modules").list() {
		if depth < maxDepth {
			t.module(child, depth+1)
		}
	}
}

// plan reads the state that a plan leads to. A plan that deletes every
// resource of ours is read as what stood before. The data sources that were
// looked up while planning stand in the state before.
func (t *terraform) plan() {
	t.unknown = make(map[string]*value)
	for _, c := range t.root.get("resource_changes").list() {
		if c.get("deposed").str() == "" {
			t.unknown[c.get("address").str()] = c.get("change", "after_unknown")
		}
	}
	t.module(t.root.get("planned_values", "root_module"), 0)
	planned := t.found
	t.unknown, t.found = nil, nil
	t.module(t.root.get("prior_state", "values", "root_module"), 0)
	managed := func(k kept) bool { return !k.lookup }
	if slices.ContainsFunc(planned, managed) {
		t.deleted()
		t.found = append(planned, slices.DeleteFunc(t.found, managed)...)
		return
	}
	if !slices.ContainsFunc(t.found, managed) {
		t.before()
	}
	if i := slices.IndexFunc(t.found, managed); i >= 0 {
		t.d.add(finding{fileWide: true, Finding: mesh.Finding{Position: t.root.at, Severity: mesh.Warning,
			Message: "this plan deletes every App Mesh resource: what stood before is read",
			Hint:    fmt.Sprintf("%s is the first", t.found[i].address)}})
	}
	t.found = append(t.found, planned...)
}

// deleted warns of the resources that a plan takes away while others stay.
func (t *terraform) deleted() {
	first, n := (*value)(nil), 0
	for _, c := range t.root.get("resource_changes").list() {
		actions := c.get("change", "actions").list()
		if strings.HasPrefix(c.get("type").str(), terraformPrefix) && c.get("deposed").str() == "" && c.get("mode").str() != "data" &&
			len(actions) == 1 && (actions[0].text == "delete" || actions[0].text == "forget") {
			if n++; first == nil {
				first = c
			}
		}
	}
	if n > 0 {
		t.d.add(finding{fileWide: true, Finding: mesh.Finding{Position: first.at, Severity: mesh.Warning,
			Message: fmt.Sprintf("of App Mesh's resources this plan takes %d away: not read", n),
			Hint:    first.get("address").str() + " is the first; `terraform show -json` without a plan has them still"}})
	}
}

// before reads what a plan without a state says of each resource that it
// changes.
func (t *terraform) before() {
	for _, c := range t.root.get("resource_changes").list() {
		was := c.get("change", "before")
		k, ours := t.kindOf(c)
		if !ours || was == nil || was.kind != object || c.get("deposed").str() != "" {
			continue
		}
		mark(was, c.get("change", "before_sensitive"), t.d.sensitive)
		t.found = append(t.found, kept{tool: "Terraform", kind: k, address: c.get("address").str(), at: c.at, attributes: was,
			lookup: c.get("mode").str() == "data"})
	}
}

// begins reports whether any text in v, keys included, begins so.
func (v *value) begins(prefix string) bool {
	if v == nil {
		return false
	}
	if strings.HasPrefix(v.text, prefix) {
		return true
	}
	return slices.ContainsFunc(v.members, func(m member) bool { return strings.HasPrefix(m.name, prefix) || m.value.begins(prefix) }) ||
		slices.ContainsFunc(v.items, func(item *value) bool { return item.begins(prefix) })
}
