package appmesh

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// WriteSchema writes a JSON Schema (draft 2020-12) of App Mesh documents in the
// API's own form, for editors to complete and check by: of requests of one kind
// (mesh, virtualNode, ...) or, where kind is empty, of whole documents, which
// are a request, describe output, or a list of either. It fails where there is
// no such kind, and where w does.
//
// It is made of the shapes that specs are checked by. It is stricter than the
// checker, which knows names however they are written, numbers and booleans in
// quotes, and the guide's looser forms; and it says less: what shows only
// between fields, or between resources, is for `outrider validate` to find.
func WriteSchema(w io.Writer, kind string) error {
	s := schemaWriter{made: make(map[string]bool)}
	root := record(member{name: "$schema", value: say("https://json-schema.org/draft/2020-12/schema")})
	if kind == "" {
		root.set("title", say("App Mesh documents as Outrider reads them"))
		root.set("anyOf", sequence(s.document(), record(member{name: "type", value: say("array")}, member{name: "items", value: s.document()})))
	} else {
		k, err := schemaKind(kind)
		if err != nil {
			return err
		}
		root.set("title", say("A "+kinds[k].label+" of App Mesh"))
		root.set("$ref", s.request(k).get("$ref"))
	}
	slices.SortFunc(s.defs, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	root.set("$defs", record(s.defs...))
	b := bufio.NewWriter(w)
	writeJSON(b, root, "")
	b.WriteByte('\n')
	return b.Flush()
}

func schemaKind(name string) (kind, error) {
	names := objectNames()
	if k := slices.IndexFunc(names, func(known string) bool { return named(name, known) }); k >= 0 {
		return kind(k), nil
	}
	hint := "one of " + strings.Join(names, ", ")
	if near := mesh.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return unknownKind, fmt.Errorf("no such kind of resource %q: %s", name, hint)
}

// A schemaWriter gathers the definitions that others refer to.
type schemaWriter struct {
	defs []member
	made map[string]bool
}

// define makes a definition once, and a reference to it.
func (s *schemaWriter) define(name string, body func() *value) *value {
	if !s.made[name] {
		s.made[name] = true
		s.defs = append(s.defs, member{name: name, value: body()})
	}
	return record(member{name: "$ref", value: say("#/$defs/" + name)})
}

// document is one document: a request, or requests wrapped in their kinds.
func (s *schemaWriter) document() *value {
	return s.define("document", func() *value {
		forms := sequence()
		for k := range kinds {
			forms.items = append(forms.items, s.request(kind(k)))
		}
		forms.items = append(forms.items, s.define("described", s.described))
		return record(member{name: "oneOf", value: forms})
	})
}

// described are requests under the names of their kinds: one, or a list, whose
// entries may be wrapped once more.
func (s *schemaWriter) described() *value {
	properties, some := record(), sequence()
	for i := range kinds {
		k := &kinds[i]
		request := s.request(kind(i))
		once := record(member{name: "type", value: say("object")}, member{name: "properties", value: record(member{name: k.object, value: request})},
			member{name: "required", value: sequence(say(k.object))})
		entries := record(member{name: "type", value: say("array")}, member{name: "items", value: either(request, once)})
		for _, name := range []string{k.object, k.plural} {
			properties.set(name, either(request, entries))
			some.items = append(some.items, record(member{name: "required", value: sequence(say(name))}))
		}
	}
	o := s.closed(properties)
	o.set("anyOf", some)
	return o
}

func either(a, b *value) *value { return record(member{name: "anyOf", value: sequence(a, b)}) }

// request is what creates one resource of a kind.
func (s *schemaWriter) request(k kind) *value {
	return s.define(kinds[k].object, func() *value {
		properties, required := record(), sequence()
		name := func(name, meaning string) {
			v := describedAs(meaning, "", record(member{name: "type", value: say("string")}))
			v.set("minLength", wholeNumber(1))
			v.set("maxLength", wholeNumber(255))
			v.set("pattern", say(`^[^/ \t\r\n]*$`))
			properties.set(name, v)
			required.items = append(required.items, say(name))
		}
		name(kinds[meshKind].name, "name of the mesh")
		owner := describedAs("account that the mesh belongs to, where it is shared", "", record(member{name: "type", value: say("string")}))
		owner.set("pattern", say("^[0-9]{12}$"))
		properties.set("meshOwner", owner)
		if parent := kinds[k].parent; parent != "" {
			name(parent, "name of the "+kinds[parentKind(k)].label+" that it belongs to")
		}
		if k != meshKind {
			name(kinds[k].name, "name of the "+kinds[k].label)
			required.items = append(required.items, say("spec"))
		}
		properties.set("spec", s.define(title(kinds[k].object)+"Spec", func() *value { return s.body(specs[k]) }))
		o := s.closed(properties)
		o.set("required", required)
		return o
	})
}

// parentKind is the kind of what a route or gateway route belongs to.
func parentKind(k kind) kind { return kindNamed(kinds[k].parent) }

// closed is an object with these properties, those that are passed over, and
// no others.
func (s *schemaWriter) closed(properties *value) *value {
	for _, name := range ignored {
		properties.set(name, &value{kind: boolean, text: "true"})
	}
	return record(member{name: "type", value: say("object")}, member{name: "properties", value: properties}, no("additionalProperties"))
}

// shape is a shape's schema, or a reference to it if it has a name.
func (s *schemaWriter) shape(of *shape) *value {
	if of.called != "" {
		return s.define(of.called, func() *value { return s.body(of) })
	}
	return s.body(of)
}

func (s *schemaWriter) body(of *shape) *value {
	v := record()
	switch of.kind {
	case anObject:
		s.object(v, of)
	case aList:
		v.set("type", say("array"))
		v.set("items", s.shape(of.item))
		limits(v, of, "minItems", "maxItems")
	case anInteger:
		v.set("type", say("integer"))
		limits(v, of, "minimum", "maximum")
	case aBoolean:
		v.set("type", say("boolean"))
	case aText:
		v.set("type", say("string"))
		limits(v, of, "minLength", "maxLength")
		if of.like != "" {
			v.set("pattern", say(of.like))
		}
	case aWord:
		v.set("enum", sayAll(of.words))
	}
	return v
}

func (s *schemaWriter) object(v *value, of *shape) {
	properties, required := record(), []string{}
	for _, f := range of.fields {
		p := describedAs(f.meaning, f.absent, s.shape(f.shape))
		if d := defaultOf(f); d != nil {
			p.set("default", d)
		}
		properties.set(f.name, p)
		if f.required {
			required = append(required, f.name)
		}
	}
	v.set("type", say("object"))
	v.set("properties", properties)
	v.members = append(v.members, no("additionalProperties"))
	if len(required) > 0 {
		v.set("required", sayAll(required))
	}
	if of.one != nil {
		v.set("oneOf", anyRequired(of.one))
	}
	if of.needs != nil {
		v.set("anyOf", anyRequired(of.needs))
	}
	if len(of.some) > 0 { // two everywhere
		v.set("not", record(member{name: "required", value: sayAll(of.some)}))
	}
	if of.beside[0] != "" {
		v.set("dependentRequired", record(member{name: of.beside[0], value: sayAll(of.beside[1:])}))
	}
}

// describedAs puts a description before a schema. What holds where the field
// is absent stands in it too, as it need not be a value of the field.
func describedAs(meaning, absent string, schema *value) *value {
	if absent != "" {
		meaning += " (default: " + absent + ")"
	}
	v := record(member{name: "description", value: say(meaning)})
	v.members = append(v.members, schema.members...)
	return v
}

// defaultOf is what holds where a field is absent, if it is a value of the field.
func defaultOf(f field) *value {
	switch of := f.shape; {
	case of.kind == aWord && contains(of.words, f.absent):
		return say(f.absent)
	case of.kind == aBoolean && f.absent != "":
		return &value{kind: boolean, text: f.absent}
	case of.kind == anInteger:
		if n, err := strconv.ParseInt(f.absent, 10, 64); err == nil {
			return wholeNumber(n)
		}
	}
	return nil
}

// limits writes the bounds that a shape has.
func limits(v *value, of *shape, least, most string) {
	if of.min > 0 || of.kind == anInteger && of.min > -unlimited {
		v.set(least, wholeNumber(of.min))
	}
	if of.max < unlimited {
		v.set(most, wholeNumber(of.max))
	}
}

func anyRequired(names []string) *value {
	all := sequence()
	for _, name := range names {
		all.items = append(all.items, record(member{name: "required", value: sequence(say(name))}))
	}
	return all
}

func sayAll(all []string) *value {
	v := sequence()
	for _, s := range all {
		v.items = append(v.items, say(s))
	}
	return v
}

func sequence(items ...*value) *value { return &value{kind: list, items: items} }

func wholeNumber(n int64) *value { return &value{kind: number, text: strconv.FormatInt(n, 10)} }

func no(name string) member { return member{name: name, value: &value{kind: boolean, text: "false"}} }
