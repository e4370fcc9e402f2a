package appmesh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// The API's own form, as the AWS CLI takes and prints it:
//
//	{"meshName": ..., "virtualNodeName": ..., "spec": {...}}   a request
//	{"virtualNode": {... "metadata", "spec", "status"}}        describe output
//	{"virtualNodes": [...], "routes": [...]}                   several of either
//
// in JSON or YAML, with member names in any case and in snake_case.

// ignored members say nothing that a proxy needs.
var ignored = [...]string{"tags", "clientToken", "metadata", "status", "arn", "createdAt", "lastUpdatedAt",
	"version", "resourceOwner", "nextToken", "ResponseMetadata", "$schema"}

func isIgnored(name string) bool {
	return slices.ContainsFunc(ignored[:], func(known string) bool { return named(name, known) })
}

// readCLI tells requests from wrapped ones.
func readCLI(d *Documents, v *value) {
	if len(v.members) == 0 {
		d.add(finding{about: v, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
			Message: "an empty document", Hint: `a mesh is written as {"meshName": "NAME"}`}})
		return
	}
	d.fill(v)
	if isRequest(v) {
		d.request(v, unknownKind)
		return
	}
	wrappers := 0
	for _, m := range v.members {
		if wrappedKind(m.name) != unknownKind {
			wrappers++
		}
	}
	if wrappers == 0 {
		d.stranger(v)
		return
	}
	d.documents--
	for _, m := range v.members {
		switch k := wrappedKind(m.name); {
		case k != unknownKind:
			d.wrapped(m.value, k)
		case !isIgnored(m.name):
			d.documentError(v, m.at, fmt.Sprintf("%q: no such field beside %q", m.name, v.members[0].name), d.didYouMean(m.name, objectNames()))
		}
	}
}

// isRequest: a request has a spec or names something.
func isRequest(v *value) bool {
	for _, m := range v.members {
		if named(m.name, "spec") || kindNamed(m.name) != unknownKind {
			return true
		}
	}
	return false
}

func wrappedKind(name string) kind {
	for i := range kinds {
		if named(name, kinds[i].object) || named(name, kinds[i].plural) {
			return kind(i)
		}
	}
	return unknownKind
}

// wrapped reads one resource or a list of them; a list's entries may be
// wrapped once more.
func (d *Documents) wrapped(v *value, k kind) {
	if v.kind == list {
		for _, item := range v.items {
			d.wrapped(item, k)
		}
		return
	}
	d.documents++
	if v.kind != object {
		d.documentError(v, v.at, "a "+kinds[k].label+" must be an object, not "+v.kind.String(), "")
		return
	}
	if inner := v.spelt(kinds[k].object); inner != nil && inner.kind == object {
		v = inner
	}
	d.request(v, k)
}

// A request's members, before its kind is known.
type request struct {
	names   [kindCount]*value
	owner   *value
	spec    *value
	said    metadata
	unknown []*member
}

// request makes a resource of a request. k is its kind where a wrapper says.
func (d *Documents) request(v *value, k kind) {
	r, ok := d.requestMembers(v)
	if !ok {
		return
	}
	k, missing := r.kind(k)
	if missing != "" {
		d.documentError(v, v.at, missing, "")
		return
	}
	name := r.names[k]
	res := &resource{kind: k, name: name.text, at: name.at, spec: r.spec, faulty: len(r.unknown) > 0}
	if m := r.names[meshKind]; m != nil {
		res.mesh = m.text
	}
	if account(r.owner.str()) {
		res.owner = r.owner.text
	}
	r.said.describe(res)
	if p := kinds[k].parent; p != "" {
		res.parent = r.names[kindNamed(p)].text
	}
	if res.spec == nil {
		if r.said.arn != nil && k != meshKind {
			d.documentError(v, v.at, res.String()+" has no spec: this is the output of a list command", "use the output of the describe command")
			return
		}
		res.spec = &value{kind: null, at: v.at}
		if k != meshKind {
			d.add(finding{owner: res, Finding: mesh.Finding{Position: v.at, Severity: mesh.Error, Resource: res.String(), Message: "spec is required"}})
		}
	}
	for _, m := range r.unknown {
		d.add(finding{owner: res, Finding: mesh.Finding{Position: m.at, Severity: mesh.Error, Resource: res.String(), Field: m.name,
			Message: "no such field beside spec", Hint: d.didYouMean(m.name, requestNames(k))}})
	}
	d.resources = append(d.resources, res)
}

// requestMembers sorts the members and checks the names; not ok when what is
// wrong makes it unclear which resource this is.
func (d *Documents) requestMembers(v *value) (r request, ok bool) {
	ok = true
	take := func(slot **value, m *member) {
		if *slot != nil {
			d.documentError(v, m.at, fmt.Sprintf("%s is given twice", m.name), "first at "+place((*slot).at))
			ok = false
		}
		*slot = m.value
	}
	for i := range v.members {
		m := &v.members[i]
		switch k := kindNamed(m.name); {
		case named(m.name, "spec"):
			take(&r.spec, m)
		case k != unknownKind:
			ok = d.name(v, m) && ok
			take(&r.names[k], m)
		case named(m.name, "meshOwner"):
			take(&r.owner, m)
			if !account(m.value.text) {
				d.documentError(v, m.value.at, "meshOwner "+strconv.Quote(m.value.text)+" must be an account of 12 digits", "")
			}
		case r.said.take(m.name, m.value):
		case !isIgnored(m.name):
			r.unknown = append(r.unknown, m)
		}
	}
	return r, ok
}

// name checks a resource's name. Only what would break cluster names and ARNs
// is refused; the rest is as free as the API left it.
func (d *Documents) name(document *value, m *member) bool {
	v, problem, hint := m.value, "", ""
	switch {
	case v.kind != text && v.kind != number && v.kind != boolean:
		problem = "must be text, not " + v.kind.String()
	case v.text == "" || len(v.text) > 255:
		problem = fmt.Sprintf("has %d characters; App Mesh takes 1 to 255", len(v.text))
	case unfilled(v.text):
		problem, hint = strconv.Quote(v.text)+" is a template variable that nobody has filled in", fillHint(v.text)
	case strings.ContainsAny(v.text, "/ \t\r\n"):
		problem = strconv.Quote(v.text) + ` must not hold "/" or blanks`
	}
	if problem != "" {
		d.documentError(document, v.at, m.name+" "+problem, hint)
	}
	return problem == ""
}

func kindNamed(name string) kind {
	for i := range kinds {
		if named(name, kinds[i].name) {
			return kind(i)
		}
	}
	return unknownKind
}

// kind finds out what a request asks for; missing says which names it lacks.
func (r *request) kind(k kind) (_ kind, missing string) {
	if k == unknownKind {
		k = r.named()
		looks := unknownKind
		switch k {
		case meshKind, routerKind, gatewayKind: // or a name is missing
			looks = looksLike(r.spec)
		}
		switch {
		case k == unknownKind:
			return k, "names two resources at once"
		case k == meshKind && looks != unknownKind && looks != meshKind,
			k == routerKind && looks == routeKind,
			k == gatewayKind && looks == gatewayRouteKind:
			k = looks // and its name is missing
		case k == meshKind && r.names[meshKind] == nil && looks == unknownKind:
			return k, "nothing names this resource: a document that is only a spec needs its names beside it, \"meshName\" and \"virtualNodeName\", \"virtualRouterName\" or whatever it is"
		}
	}
	var lacks []string
	for _, name := range []string{kinds[k].parent, kinds[k].name} {
		if name != "" && r.names[kindNamed(name)] == nil {
			lacks = append(lacks, strconv.Quote(name))
		}
	}
	if lacks == nil {
		return k, ""
	}
	if r.names[meshKind] == nil && k != meshKind {
		lacks = append([]string{`"meshName"`}, lacks...)
	}
	return k, "this looks like a " + kinds[k].label + ": add " + strings.Join(lacks, " and ")
}

// named is the kind that the names given amount to; mesh when only the mesh,
// or nothing, is named.
func (r *request) named() kind {
	found := meshKind
	for i := range r.names {
		k := kind(i)
		switch {
		case r.names[i] == nil || k == meshKind:
		case found == meshKind:
			found = k
		case kinds[k].parent == kinds[found].name: // a route names its router too
			found = k
		case kinds[found].parent != kinds[k].name:
			return unknownKind
		}
	}
	return found
}

// looksLike guesses a spec's kind by fields that only one kind has.
func looksLike(spec *value) kind {
	for _, route := range [...]string{"httpRoute", "http2Route", "grpcRoute", "tcpRoute"} {
		if r := spec.spelt(route); r != nil {
			if r.spelt("action").spelt("target") != nil {
				return gatewayRouteKind
			}
			return routeKind
		}
	}
	discovery := spec.spelt("serviceDiscovery")
	switch {
	case spec.spelt("provider") != nil:
		return serviceKind
	case spec.spelt("egressFilter") != nil || discovery.spelt("ipPreference") != nil:
		return meshKind
	case spec.spelt("backends") != nil || len(discovery.all()) > 0:
		return nodeKind
	}
	return unknownKind
}

// stranger reports an object that is no document of any form.
func (d *Documents) stranger(v *value) {
	hint := `a document has "meshName", a name like "virtualNodeName" and "spec", or is the output of a describe command`
	if near := d.didYouMean(v.members[0].name, append(objectNames(), requestNames(unknownKind)...)); near != "" {
		hint = near
	}
	d.add(finding{about: v, foreign: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Error,
		Message: "not an App Mesh document: nothing here names a resource", Hint: hint}})
}

func (d *Documents) didYouMean(name string, names []string) string {
	if near := d.nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

func objectNames() []string {
	names := make([]string, 0, len(kinds))
	for i := range kinds {
		names = append(names, kinds[i].object)
	}
	return names
}

func requestNames(k kind) []string {
	names := []string{"spec", "meshName", "meshOwner", "tags", "clientToken", "metadata", "status"}
	for i := range kinds {
		if k == unknownKind || kind(i) == k {
			names = append(names, kinds[i].name)
		}
	}
	return names
}

// documentError reports a document that never becomes a resource. It is
// within reach of whoever's name it holds.
func (d *Documents) documentError(document *value, at mesh.Position, msg, hint string) {
	d.add(finding{about: document, Finding: mesh.Finding{Position: at, Severity: mesh.Error, Message: msg, Hint: hint}})
}

// unique reports names of an object that are given twice, where nobody checks
// it against a shape: which of them counts depends on who reads it.
func (d *Documents) unique(v *value) {
	first := make(map[string]mesh.Position, len(v.all()))
	for _, m := range v.all() {
		if before, twice := first[m.name]; twice {
			d.documentError(v, m.at, m.name+" is given twice", "first at "+place(before))
			continue
		}
		first[m.name] = m.at
	}
}
