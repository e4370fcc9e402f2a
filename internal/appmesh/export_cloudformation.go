package appmesh

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// maxTemplateResources is how many resources CloudFormation takes in one
// template.
const maxTemplateResources = 500

// template is what is exported as one CloudFormation template. Resources name
// each other by their names; DependsOn has them made in order.
func (e *exporter) template() *value {
	e.leaveOut(func(res *resource) (why string) {
		if res.kind == meshKind && e.namesakes(res) {
			why = "CloudFormation does not say whose a mesh is, and several accounts have one of this name"
		}
		return why
	})
	ids, taken := make(map[*resource]string), make(map[string]bool)
	for _, res := range e.chosen {
		ids[res] = free(taken, logicalID(res), "")
	}
	resources := record()
	for _, res := range e.chosen {
		r := record(member{name: "Type", value: say(typePrefix + title(kinds[res.kind].object))})
		if first := e.before(res); len(first) > 0 {
			depends := &value{kind: list}
			for _, on := range first {
				depends.items = append(depends.items, say(ids[on]))
			}
			r.set("DependsOn", depends)
		}
		r.set("Properties", e.properties(res))
		resources.set(ids[res], r)
	}
	if n := len(e.chosen); n > maxTemplateResources {
		e.found = append(e.found, mesh.Finding{Severity: mesh.Warning,
			Message: fmt.Sprintf("%d resources: CloudFormation takes at most %d in one template", n, maxTemplateResources), Hint: "Outrider reads it all the same"})
	}
	return record(member{name: "AWSTemplateFormatVersion", value: say("2010-09-09")}, member{name: "Resources", value: resources})
}

// properties are a resource's, in CloudFormation's spelling. A mesh has no
// MeshOwner there: it belongs to the account whose stack makes it.
func (e *exporter) properties(res *resource) *value {
	named := resource{kind: res.kind, mesh: res.mesh, owner: res.owner, parent: res.parent, name: res.name}
	if res.kind == meshKind && res.owner != "" {
		named.owner = ""
		e.add(mesh.Warning, res, res.at, "CloudFormation makes a mesh in the account of the stack: that its owner is "+res.owner+" is said by its other resources", "")
	}
	p := record()
	for _, m := range e.names(&named) {
		p.set(capital(m.name), m.value)
	}
	p.set("Spec", capitals(res.canonical()))
	return p
}

// capitals spells the members of a canonical value as CloudFormation does.
func capitals(v *value) *value {
	for i := range v.members {
		v.members[i].name = capital(v.members[i].name)
		capitals(v.members[i].value)
	}
	for _, item := range v.items {
		capitals(item)
	}
	return v
}

// before are the resources that must exist before a resource can be made: its
// mesh, its parent and what it sends to. Backends are none of them; they lead
// around in circles.
func (e *exporter) before(res *resource) []*resource {
	var all []*resource
	seen := make(map[*resource]bool)
	add := func(on *resource) {
		if on != nil && on != res && !seen[on] {
			seen[on] = true
			all = append(all, on)
		}
	}
	add(e.described(res))
	switch res.kind {
	case serviceKind:
		if k, v := provider(res); v != nil {
			add(e.find(res, k, v.text))
		}
	case routeKind:
		add(e.parent(res))
		for _, t := range targetsOf(res) {
			add(e.find(res, nodeKind, t.get("virtualNode").str()))
		}
	case gatewayRouteKind:
		add(e.parent(res))
		_, body := routeBody(res)
		add(e.find(res, serviceKind, body.get("action", "target", "virtualService", "virtualServiceName").str()))
	}
	return all
}

// logicalID is made of a resource's kind and names. CloudFormation takes
// letters and digits.
func logicalID(res *resource) string {
	id := title(kinds[res.kind].object)
	for _, name := range []string{res.parent, res.name} {
		for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			id += title(word)
		}
	}
	return id[:min(len(id), 240)]
}

// free is a name that is not taken yet, and takes it: name itself, or name
// with a number behind.
func free(taken map[string]bool, name, between string) string {
	got := name
	for n := 2; taken[got]; n++ {
		got = fmt.Sprint(name, between, n)
	}
	taken[got] = true
	return got
}
