package appmesh

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// CloudFormation templates, in JSON and in YAML with its short tags, and what
// CDK synthesises (App Mesh 7, items 2 and 4):
//
//	cloudformation.go       templates become requests, which cli.go reads
//	cloudformation_refs.go  what references to resources stand for: Ref, GetAtt
//	cloudformation_params.go  parameters, pseudo parameters, imports
//	intrinsic.go            values with their functions resolved
//	intrinsic_value.go      what functions make: unknown values, copies, in bounds
//	intrinsic_text.go       Sub, Join, Split, Select, FindInMap, Base64
//	intrinsic_condition.go  conditions, If
//
// What cannot be known without AWS becomes a value of kind unknown: it says
// which expression it was and why, and is an error in every field of a mesh
// that is looked at. It is never an empty text.

// typePrefix begins the types of App Mesh's resources.
const typePrefix = "AWS::AppMesh::"

// stacks are all templates of a set of documents. They are read after all
// documents were seen, so that one may import what another exports.
type stacks struct {
	templates []*template
	exports   map[string]export
	// depth is how deep resolving has gone, spent the bytes that functions
	// have made, both over all templates.
	depth, spent int
}

// An export is an output that other stacks may import.
type export struct {
	from  *template
	value *value
	// others are what further templates export by the name: stacks of several
	// regions or accounts, say, in one folder.
	others []export
}

// A template is one CloudFormation template while it is read.
type template struct {
	d    *Documents
	root *value
	// parameters and resources are those of root by name.
	parameters, resources map[string]*value
	// known holds what was resolved once: parameters, properties of resources
	// and exports, by the expression that names them. A nil value is being
	// resolved.
	known      map[string]*value
	conditions map[string]*condition
	mappings   map[[3]string]*value
}

// readCloudFormation keeps a template until all documents were seen. A single
// resource without its template is a template of that resource.
func readCloudFormation(d *Documents, root *value) {
	t := &template{d: d, root: root, parameters: byName(root.get("Parameters")), resources: byName(root.get("Resources")),
		known: make(map[string]*value), conditions: make(map[string]*condition)}
	d.asked.template(t)
	for _, m := range root.get("Conditions").all() {
		t.conditions[m.name] = &condition{of: m.value}
	}
	if !root.has("Resources") && strings.HasPrefix(root.get("Type").str(), "AWS::") {
		t.root = &value{kind: object, at: root.at, members: []member{{"Resources", root.at, &value{kind: object, at: root.at, members: []member{{"Resource", root.at, root}}}}}}
		t.resources["Resource"] = root
	}
	d.stacks.templates = append(d.stacks.templates, t)
	d.unique(t.root)
	for _, section := range [...]string{"Parameters", "Mappings", "Conditions", "Resources", "Outputs"} {
		d.unique(t.root.get(section))
	}
}

func byName(v *value) map[string]*value {
	named := make(map[string]*value, len(v.all()))
	for _, m := range v.all() {
		named[m.name] = m.value
	}
	return named
}

// readTemplates makes resources of all templates.
func (d *Documents) readTemplates() {
	d.stacks.exports = make(map[string]export)
	for _, t := range d.stacks.templates {
		t.readExports()
	}
	for _, t := range d.stacks.templates {
		t.forget() // what it imports is known only now
	}
	for _, t := range d.stacks.templates {
		found := false
		for _, m := range t.root.get("Resources").all() {
			found = t.resource(m) || found
		}
		if !found && !t.root.has("Outputs") {
			d.add(finding{fileWide: true, Finding: mesh.Finding{Position: t.root.at, Severity: mesh.Warning,
				Message: "this CloudFormation template has no App Mesh resource: ignored"}})
		}
	}
	d.stacks = stacks{}
}

func (t *template) readExports() {
	for _, m := range t.root.get("Outputs").all() {
		name := m.value.get("Export", "Name")
		if name == nil || m.value.kind != object {
			continue
		}
		if on, unknown := t.included(m.value); !on || unknown != nil {
			continue
		}
		if text, unknown := t.text(name); unknown == nil {
			given := export{from: t, value: m.value.get("Value")}
			if first, twice := t.d.stacks.exports[text]; twice {
				first.others = append(first.others, given)
				given = first
			}
			t.d.stacks.exports[text] = given
		}
	}
}

func (t *template) forget() {
	clear(t.known)
	for _, c := range t.conditions {
		*c = condition{of: c.of}
	}
}

// processed is how to have CloudFormation do what only it can.
const processed = "`aws cloudformation get-template --template-stage Processed` prints it as CloudFormation read it"

// resource reads one resource of a template and reports whether it may be one
// of App Mesh's. Those of other services say something only where they are
// referred to.
func (t *template) resource(m member) bool {
	if strings.HasPrefix(m.name, "Fn::") {
		t.d.documentError(m.value, m.at, m.name+" is not done here", processed)
		return true
	}
	name, ours := strings.CutPrefix(m.value.get("Type").str(), typePrefix)
	if !ours {
		return false
	}
	k := kindOfType(name)
	if k == unknownKind {
		t.d.documentError(m.value, m.value.get("Type").at, strconv.Quote(typePrefix+name)+" is no type of resource", t.d.didYouMean(name, typeNames()))
		return true
	}
	t.d.unique(m.value)
	for _, part := range m.value.members {
		if !contains(resourceParts, part.name) {
			t.d.documentError(m.value, part.at, fmt.Sprintf("%q: no such field beside Type", part.name), t.d.didYouMean(part.name, resourceParts))
		}
	}
	switch on, unknown := t.included(m.value); {
	case unknown != nil:
		t.unclear(k, m, "Condition", unknown)
	case on:
		t.request(k, m)
	}
	return true
}

// resourceParts may stand in a resource.
var resourceParts = []string{"Type", "Properties", "Condition", "DependsOn", "Metadata", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"}

// included reports whether a resource or an output is part of the stack.
func (t *template) included(v *value) (bool, *value) {
	if name := v.get("Condition"); name != nil {
		return t.condition(name.text, name)
	}
	return true, nil
}

// request makes a request of a resource's properties, which have the names of
// a request's members.
func (t *template) request(k kind, m member) {
	properties := m.value.get("Properties")
	r := &value{kind: object, at: m.at}
	if properties != nil && properties.kind != object {
		t.d.documentError(m.value, properties.at, "Properties must be an object, not "+properties.kind.String(), "")
		return
	}
	wanted := []string{kinds[meshKind].name, kinds[k].parent, kinds[k].name}
	clear := true
	for _, p := range properties.all() {
		got := t.resolve(p.value)
		isName := kindNamed(p.name) != unknownKind
		switch {
		case got == nil || got.kind == null:
			continue
		case isName && !contains(wanted, kinds[kindNamed(p.name)].name):
			t.d.documentError(m.value, p.at, p.name+": a "+kinds[k].label+" has no such property", "")
			continue
		case got.kind == unknownValue && named(p.name, "meshOwner"):
			t.d.add(t.unresolved(mesh.Warning, k, m, p.name, got)) // it is compared, nothing else
			continue
		case got.kind == unknownValue && (isName || named(p.name, "spec")):
			t.unclear(k, m, p.name, got)
			clear = false
		case isName:
			nameOfARN(got)
		}
		r.members = append(r.members, member{p.name, p.at, got})
	}
	for _, name := range wanted {
		if name == "" || r.spelt(name) != nil {
			continue
		}
		got := t.property(m.name, title(name), m.value)
		if got.kind == unknownValue {
			t.unclear(k, m, title(name), got)
			clear = false
		}
		r.members = append(r.members, member{name, m.at, got})
	}
	if clear {
		t.d.fill(r) // what a deploy script would have
		t.d.request(r, k)
	}
}

// unclear reports a resource of which nobody knows which it is.
func (t *template) unclear(k kind, m member, field string, v *value) {
	t.d.add(t.unresolved(mesh.Error, k, m, field, v))
}

// unresolved is the finding of an unknown value outside of specs. All that
// have one cause are told of once.
func (t *template) unresolved(severity mesh.Severity, k kind, m member, field string, v *value) finding {
	effect := mesh.NoEffect
	if severity == mesh.Error {
		effect = mesh.OnTraffic
	}
	return finding{about: m.value, feature: feature{v.why.message(), v.why.hint}, standing: mesh.Unknown, effect: effect, Finding: mesh.Finding{Position: v.at, Severity: severity,
		Resource: kinds[k].label + " (" + m.name + ")", Field: field, Value: v.text, Message: v.why.message(), Hint: v.why.hint}}
}

func kindOfType(name string) kind {
	for i := range kinds {
		if title(kinds[i].object) == name {
			return kind(i)
		}
	}
	return unknownKind
}

func typeNames() []string {
	var names []string
	for i := range kinds {
		names = append(names, title(kinds[i].object))
	}
	return names
}

// templateSpellings are the members that CloudFormation spells in capitals
// (App Mesh 7, item 2).
var templateSpellings = [...]string{"TLS", "SDS", "ACM", "DNS", "AWSCloudMap", "HTTP", "HTTP2", "GRPC", "TCP"}

// capital is a member of the API as CloudFormation spells it; named reads it
// back.
func capital(name string) string {
	for _, s := range templateSpellings {
		if named(s, name) {
			return s
		}
	}
	return title(name)
}

// title begins a name with a capital letter.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
