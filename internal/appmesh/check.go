package appmesh

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A checker holds one resource's spec against its shape and makes it
// canonical on the way: names spelt as in the API, numbers and booleans
// parsed, words in the API's case. It reports all that is wrong, not the
// first fault only.
type checker struct {
	d   *Documents
	res *resource
}

// spec checks the whole spec of the checker's resource.
func (c *checker) spec() {
	if c.res.spec.kind == null { // "spec:" with nothing under it
		*c.res.spec = value{kind: object, at: c.res.spec.at}
	}
	c.value(c.res.spec, specs[c.res.kind], nil)
}

func (c *checker) value(v *value, s *shape, p *path) {
	switch v.kind {
	case unknownValue:
		c.unknownValue(v, p)
		return
	case invalid: // a front end has refused it
		return
	}
	if s.refers && !c.inMesh(v, p) {
		return
	}
	if s.loosen != nil {
		s.loosen(v)
	}
	ok := false
	switch s.kind {
	case anObject:
		ok = c.object(v, s, p)
	case aList:
		ok = c.list(v, s, p)
	case anInteger:
		ok = c.integer(v, s, p)
	case aBoolean:
		ok = c.boolean(v, p)
	case aText:
		ok = c.text(v, s, p)
	case aWord:
		ok = c.word(v, s, p)
	}
	if ok && s.rule != nil {
		s.rule(c, v, p)
	}
}

func (c *checker) object(v *value, s *shape, p *path) bool {
	if v.kind != object {
		return c.wrongType(v, p, "an object")
	}
	given := make([]*member, len(s.fields))
	for i := range v.members {
		m := &v.members[i]
		f := s.field(m.name)
		switch {
		case f < 0:
			c.unknown(m, s, p)
			continue
		case given[f] != nil:
			c.fail(m.at, p.name(m.name), "is given twice", "first at "+place(given[f].at))
			continue
		}
		m.name, given[f] = s.fields[f].name, m
		if m.value.kind != null {
			c.value(m.value, s.fields[f].shape, p.name(m.name))
		}
	}
	for i, f := range s.fields {
		if f.required && (given[i] == nil || given[i].value.kind == null) {
			c.fail(v.at, p.name(f.name), "is required", "")
		}
	}
	c.union(v, s, p)
	return true
}

// field is the index of a field however its name is written, or -1.
func (s *shape) field(written string) int {
	for i := range s.fields {
		if named(written, s.fields[i].name) {
			return i
		}
	}
	return -1
}

func (c *checker) unknown(m *member, s *shape, p *path) {
	names := make([]string, len(s.fields))
	for i := range s.fields {
		names[i] = s.fields[i].name
	}
	hint := "known here: " + strings.Join(names, ", ")
	if near := c.d.nearest(m.name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	c.fail(m.at, p.name(m.name), "no such field", hint)
}

// union reports members that exclude each other, and one that is missing.
func (c *checker) union(v *value, s *shape, p *path) {
	names := append(s.one, s.some...)
	if names == nil {
		return
	}
	first := ""
	for _, m := range v.members {
		switch {
		case m.value.kind == null || !contains(names, m.name) || m.name == first:
		case first != "":
			c.fail(m.at, p.name(m.name), "cannot stand beside "+first, "give one of "+strings.Join(names, ", "))
			return
		default:
			first = m.name
		}
	}
	if first == "" && s.one != nil {
		c.fail(v.at, p, "needs one of "+strings.Join(s.one, ", "), "")
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func (c *checker) list(v *value, s *shape, p *path) bool {
	if v.kind != list {
		return c.wrongType(v, p, "a list")
	}
	if n := int64(len(v.items)); n < s.min || n > s.max {
		c.fail(v.at, p, fmt.Sprintf("has %d entries", n), "App Mesh takes "+bounds(s))
	}
	for i, item := range v.items {
		c.value(item, s.item, p.index(i))
	}
	return true
}

func (c *checker) integer(v *value, s *shape, p *path) bool {
	if v.kind != number && v.kind != text {
		return c.wrongType(v, p, "a whole number")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 64)
	if err != nil {
		return c.wrongType(v, p, "a whole number")
	}
	if n < s.min || n > s.max {
		return c.refuse(v, p, "is out of range", "App Mesh takes "+bounds(s))
	}
	v.kind, v.num, v.text = number, n, strconv.FormatInt(n, 10)
	return true
}

func (c *checker) boolean(v *value, p *path) bool {
	on, ok := parseBoolean(v.text)
	if !ok || v.kind != boolean && v.kind != text {
		return c.wrongType(v, p, "true or false")
	}
	v.kind, v.text, v.num = boolean, strconv.FormatBool(on), 0
	if on {
		v.num = 1
	}
	return true
}

// text takes numbers and booleans too: YAML writers leave quotes out.
func (c *checker) text(v *value, s *shape, p *path) bool {
	if v.kind != text && v.kind != number && v.kind != boolean {
		return c.wrongType(v, p, "text")
	}
	v.kind = text
	if n := int64(utf8.RuneCountInString(v.text)); n < s.min || n > s.max {
		return c.refuse(v, p, fmt.Sprintf("has %d characters", n), "App Mesh takes "+bounds(s))
	}
	if !s.verbatim {
		return c.filled(v, p)
	}
	return true
}

// filled reports a template variable that nobody has filled in.
func (c *checker) filled(v *value, p *path) bool {
	if unfilled(v.text) {
		c.refuse(v, p, "is a template variable that nobody has filled in", fillHint(v.text))
		c.d.amounts(mesh.Unknown, mesh.OnTraffic)
		return false
	}
	return true
}

// unfilled recognises ${NAME}, {{ name }} and a text that is $NAME alone.
func unfilled(s string) bool {
	if i := strings.Index(s, "${"); i >= 0 && strings.Contains(s[i:], "}") {
		return true
	}
	if i := strings.Index(s, "{{"); i >= 0 && strings.Contains(s[i:], "}}") {
		return true
	}
	if len(s) < 2 || s[0] != '$' {
		return false
	}
	for _, c := range s[1:] {
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func (c *checker) word(v *value, s *shape, p *path) bool {
	if v.kind != text {
		return c.wrongType(v, p, "one of "+strings.Join(s.words, ", "))
	}
	for _, w := range s.words {
		if named(v.text, w) {
			v.text = w
			return true
		}
	}
	if !c.filled(v, p) {
		return false
	}
	hint := ""
	if near := c.d.nearest(v.text, s.words); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return c.refuse(v, p, "must be one of "+strings.Join(s.words, ", "), hint)
}

func (c *checker) wrongType(v *value, p *path, want string) bool {
	switch v.kind {
	case tagged:
		c.fail(v.at, p, "the tag "+v.text+" cannot be resolved here", "write the value it stands for")
	case text, number, boolean:
		return c.filled(v, p) && c.refuse(v, p, "must be "+want, "")
	default:
		c.fail(v.at, p, "must be "+want+", not "+v.kind.String(), "")
	}
	v.kind = invalid
	return false
}

// unknownValue reports what no document says, and takes it out of sight. All
// that have one cause are told of once.
func (c *checker) unknownValue(v *value, p *path) {
	c.res.faulty = true
	c.d.add(finding{feature: feature{v.why.message(), v.why.hint}, owner: c.res, Finding: mesh.Finding{Position: v.at, Severity: mesh.Error,
		Resource: c.res.String(), Field: p.String(), Value: v.text, Message: v.why.message(), Hint: v.why.hint}})
	c.d.amounts(mesh.Unknown, mesh.OnTraffic)
	v.kind = invalid
}

// refuse reports a value and takes it out of sight.
func (c *checker) refuse(v *value, p *path, msg, hint string) bool {
	c.failValue(v, p, msg, hint)
	v.kind = invalid
	return false
}

func bounds(s *shape) string {
	unit := ""
	switch s.kind {
	case aList:
		unit = " entries"
	case aText:
		unit = " characters"
	}
	if s.max >= unlimited {
		return fmt.Sprintf("%d%s or more", s.min, unit)
	}
	return fmt.Sprintf("%d to %d%s", s.min, s.max, unit)
}

// fail, warn and notYet add a finding about the checker's resource; the
// variants with Value show the value as well.
func (c *checker) fail(at mesh.Position, p *path, msg, hint string) {
	c.add(mesh.Finding{Position: at, Severity: mesh.Error, Field: p.String(), Message: msg, Hint: hint})
}

func (c *checker) failValue(v *value, p *path, msg, hint string) {
	c.add(mesh.Finding{Position: v.at, Severity: mesh.Error, Field: p.String(), Value: v.text, Message: msg, Hint: hint})
}

func (c *checker) warn(at mesh.Position, p *path, msg, hint string) {
	c.add(mesh.Finding{Position: at, Severity: mesh.Warning, Field: p.String(), Message: msg, Hint: hint})
}

func (c *checker) warnValue(v *value, p *path, msg, hint string) {
	c.add(mesh.Finding{Position: v.at, Severity: mesh.Warning, Field: p.String(), Value: v.text, Message: msg, Hint: hint})
}

// notYet notes what this build does not do; each feature is reported once.
func (c *checker) notYet(what feature, v *value, p *path) {
	c.d.add(finding{feature: what, owner: c.res, Finding: mesh.Finding{
		Position: v.position(), Severity: mesh.NotYet, Resource: c.res.String(), Field: p.String(), Message: what.message, Hint: what.hint}})
}

func (c *checker) add(f mesh.Finding) {
	if f.Severity == mesh.Error {
		c.res.faulty = true
	}
	f.Resource = c.res.String()
	c.d.add(finding{Finding: f, owner: c.res})
}

// A path is the way from a spec to a value, kept as a chain so that nothing
// is built until a finding needs it.
type path struct {
	up    *path
	field string
	at    int // index in a list, when field is empty
}

func (p *path) name(field string) *path { return &path{up: p, field: field} }
func (p *path) index(i int) *path       { return &path{up: p, at: i} }

// String leaves out what every route has: "httpRoute.action." and the like.
func (p *path) String() string {
	s := string(p.append(nil))
	for _, kind := range []string{"httpRoute", "http2Route", "grpcRoute", "tcpRoute"} {
		if rest, ok := strings.CutPrefix(s, kind+"."); ok {
			return strings.TrimPrefix(rest, "action.")
		}
	}
	return s
}

func (p *path) append(b []byte) []byte {
	if p == nil {
		return b
	}
	b = p.up.append(b)
	if p.field == "" {
		b = append(b, '[')
		b = strconv.AppendInt(b, int64(p.at), 10)
		return append(b, ']')
	}
	if len(b) > 0 {
		b = append(b, '.')
	}
	return append(b, p.field...)
}

// place is where something stands, without the column.
func place(at mesh.Position) string {
	at.Column = 0
	return at.String()
}
