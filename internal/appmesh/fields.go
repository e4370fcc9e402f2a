package appmesh

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Field is one value of a document, or one that is missing, and what this
// build makes of it.
type Field struct {
	mesh.Position
	// Resource is as in findings, like `route "user-route"`; empty for what is
	// about a document as a whole.
	Resource string
	// Path is the field's in the resource's spec, as in findings.
	Path string
	// Value is what stands there; objects and lists without anything in them
	// are {} and [].
	Value    string
	Standing mesh.Standing
	Effect   mesh.Effect
	// Message says what is the matter, or how it is done; empty for what is
	// simply honoured. Equal messages have one cause.
	Message, Hint string
	// ByCallers is true for what a node says to its callers' sidecars, not to
	// its own.
	ByCallers bool
}

// Fields lists every value of the documents within the reach of a resource, by
// place, or with the zero Resource every value of all documents. What acts only
// in another node's sidecar is left out. A resource that is not there is a
// field of its own.
func (d *Documents) Fields(of mesh.Resource) []Field {
	r, trouble := d.scope(of)
	if trouble != nil {
		return []Field{{Position: trouble.Position, Resource: trouble.Resource, Standing: mesh.Wrong, Effect: mesh.OnTraffic, Message: trouble.Message, Hint: trouble.Hint}}
	}
	l := lister{reach: r, about: make(map[*resource]map[string][]*finding)}
	findings := slices.Clone(d.findings)
	if r != nil {
		findings = append(findings, ownerFindings(r)...)
	}
	for i := range findings {
		l.file(&findings[i])
	}
	for _, res := range d.resources {
		if r == nil || r.has[res] {
			l.resource(res)
		}
	}
	d.conceal(l.fields)
	slices.SortStableFunc(l.fields, func(a, b Field) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.fields
}

// conceal takes sensitive values out of fields.
func (d *Documents) conceal(fields []Field) {
	if len(d.secrets) == 0 {
		return
	}
	hidden := d.concealer()
	for i := range fields {
		if f := &fields[i]; d.secrets[f.Value] {
			f.Value = hiddenValue
		} else {
			f.Value = hidden.Replace(f.Value)
		}
	}
}

// scope is the reach of a resource; nil for all.
func (d *Documents) scope(of mesh.Resource) (*reach, *mesh.Finding) {
	if of == (mesh.Resource{}) {
		return nil, nil
	}
	return d.reach(of)
}

// A lister gathers fields.
type lister struct {
	reach *reach
	// about are the findings of each resource by field.
	about  map[*resource]map[string][]*finding
	fields []Field
}

// file puts a finding where the walk will meet it. Those of no resource are
// DocumentFields' to tell, but for those about a mesh that is not described.
func (l *lister) file(f *finding) {
	switch {
	case f.owner != nil:
		if l.about[f.owner] == nil {
			l.about[f.owner] = make(map[string][]*finding)
		}
		l.about[f.owner][f.Field] = append(l.about[f.owner][f.Field], f)
	case f.mesh != nil && (l.reach == nil || f.concerns(l.reach)):
		l.add(Field{Position: f.Position, Resource: f.Resource, Path: f.Field}, f)
	}
}

// resource lists a resource's values, and then what findings tell of fields
// that are not there.
func (l *lister) resource(res *resource) {
	met := make(map[string]bool)
	eachLeaf(res.spec, specs[res.kind], nil, func(v *value, p *path) { l.leaf(res, v, p, met) })
	for field, fs := range l.about[res] {
		for _, f := range fs {
			if !met[field] {
				l.add(Field{Position: f.Position, Resource: res.String(), Path: field, Value: f.Value}, f)
			}
		}
	}
}

// leaf lists one value. What is told of the field or of one around it is what
// becomes of it; the worst counts.
func (l *lister) leaf(res *resource, v *value, p *path, met map[string]bool) {
	var node *resource
	if l.reach != nil {
		node = l.reach.self
	}
	byOwn, byCallers := elsewhere(res, node, p)
	told := l.told(res, p, met)
	if byOwn && (told == nil || told.Severity != mesh.Error) {
		return
	}
	f := Field{Position: v.at, Resource: res.String(), Path: p.String(), Value: leafText(v)}
	if told != nil {
		f.Standing, f.Effect = standingOf(told)
		f.Message, f.Hint = told.Message, told.Hint
	}
	if byCallers && f.Standing != mesh.Wrong {
		f.Effect = mesh.NoEffect
		if f.Message != "" {
			f.Message = "its callers' sidecars do this: " + f.Message
		}
		f.ByCallers = true
	}
	l.fields = append(l.fields, f)
}

// told is the worst finding about a field or one around it. met notes the
// fields that a leaf has spoken for.
func (l *lister) told(res *resource, p *path, met map[string]bool) *finding {
	var worst *finding
	for ; p != nil; p = p.up {
		field := p.String()
		for _, f := range l.about[res][field] {
			met[field] = true
			if worst == nil || worse(f, worst) {
				worst = f
			}
		}
	}
	return worst
}

func worse(a, b *finding) bool {
	sa, ea := standingOf(a)
	sb, eb := standingOf(b)
	return ea > eb || ea == eb && sa > sb
}

func (l *lister) add(field Field, f *finding) {
	field.Standing, field.Effect = standingOf(f)
	field.Message, field.Hint = f.Message, f.Hint
	l.fields = append(l.fields, field)
}

// eachLeaf calls f for every value below v that holds no others.
func eachLeaf(v *value, s *shape, p *path, f func(*value, *path)) {
	switch {
	case s.kind == anObject && v.kind == object && len(v.members) > 0:
		for _, m := range v.members {
			if i := s.field(m.name); i >= 0 {
				eachLeaf(m.value, s.fields[i].shape, p.name(s.fields[i].name), f)
			}
		}
	case s.kind == aList && v.kind == list && len(v.items) > 0:
		for i, item := range v.items {
			eachLeaf(item, s.item, p.index(i), f)
		}
	case p != nil:
		f(v, p)
	}
}

func leafText(v *value) string {
	switch {
	case v.text != "":
		return v.text
	case v.kind == object:
		return "{}"
	case v.kind == list:
		return "[]"
	case v.kind == null:
		return "null"
	}
	return ""
}

// DocumentFields says of each source what became of it: read, and how much of
// it is within the reach of one of the resources (without any: all), ignored
// and why, or wrong.
func (d *Documents) DocumentFields(of ...mesh.Resource) []Field {
	var reaches []*reach
	for _, one := range of {
		r, trouble := d.scope(one)
		if r == nil || trouble != nil {
			reaches = nil // then everything matters
			break
		}
		reaches = append(reaches, r)
	}
	read, needed := make(map[string]int), make(map[string]int)
	for _, res := range d.resources {
		read[res.at.File]++
		if slices.ContainsFunc(reaches, func(r *reach) bool { return r.has[res] }) {
			needed[res.at.File]++
		}
	}
	told := make(map[string][]Field)
	for i := range d.findings {
		if f := &d.findings[i]; f.owner == nil && f.mesh == nil {
			told[f.File] = append(told[f.File], documentField(f, reaches))
		}
	}
	var fields []Field
	for _, name := range d.sources {
		at := mesh.Position{File: name}
		switch n := read[name]; {
		case n > 0 && reaches != nil:
			fields = append(fields, Field{Position: at, Message: fmt.Sprintf("read: %s, %d within reach", counted(n, "resource"), needed[name])})
		case n > 0:
			fields = append(fields, Field{Position: at, Message: "read: " + counted(n, "resource")})
		case len(told[name]) == 0:
			fields = append(fields, Field{Position: at, Message: "ignored: nothing in it is of App Mesh"})
		}
		fields = append(fields, told[name]...)
	}
	return fields
}

// documentField is a finding about a document as a whole. What is out of all
// reaches changes nothing.
func documentField(f *finding, reaches []*reach) Field {
	field := Field{Position: f.Position, Resource: f.Resource, Path: f.Field, Value: f.Value, Message: f.Message, Hint: f.Hint}
	if f.Severity == mesh.Warning && f.fileWide {
		return field // it says by itself that the document is ignored
	}
	field.Standing, field.Effect = standingOf(f)
	if reaches != nil && !slices.ContainsFunc(reaches, f.concerns) {
		field.Effect = mesh.NoEffect
		field.Message += " (out of reach)"
	}
	return field
}
