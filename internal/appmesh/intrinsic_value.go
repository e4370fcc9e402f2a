package appmesh

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// mysterious is the unknown value that v stands for.
func mysterious(v *value, why, hint string) *value {
	return &value{kind: unknownValue, text: expression(v), at: v.at, why: &mystery{why, hint}}
}

// because is the unknown value that v stands for since cause is unknown.
func because(v, cause *value) *value {
	return &value{kind: unknownValue, text: expression(v), at: v.at, why: cause.why}
}

// made is a text that a function made. Its size must have been afforded where
// it may be large.
func made(v *value, s string) *value {
	return &value{kind: text, text: s, at: v.at}
}

// afford reports whether n bytes more may be made, within the bound on all.
func (t *template) afford(n int) bool {
	t.d.stacks.spent += n
	return t.d.stacks.spent <= maxExpansion
}

func (t *template) tooLarge(v *value) *value {
	return mysterious(v, fmt.Sprintf("the templates' functions make more than %d MiB", maxExpansion>>20), "")
}

// placed is a known value where the expression v stands: a copy, since the
// check rewrites what it reads. What is within lists and objects keeps its
// place.
func (t *template) placed(v, known *value) *value {
	if known == nil || known.kind == null {
		return known
	}
	got := t.clone(known)
	if got == nil {
		return t.tooLarge(v)
	}
	if got.at = v.at; got.kind == unknownValue {
		got.text = expression(v)
	}
	return got
}

// clone copies a value; nil when that costs too much. A long text costs since
// it will be looked at wherever it stands.
func (t *template) clone(v *value) *value {
	const each = 64 // bytes, about
	if !t.afford(len(v.text) / 16) {
		return nil
	}
	if v.kind != object && v.kind != list {
		got := *v
		return &got
	}
	if !t.afford(each * (1 + len(v.members) + len(v.items))) {
		return nil
	}
	got := *v
	got.members, got.items = make([]member, len(v.members)), make([]*value, len(v.items))
	for i, m := range v.members {
		if m.value = t.clone(m.value); m.value == nil {
			return nil
		}
		got.members[i] = m
	}
	for i, item := range v.items {
		if got.items[i] = t.clone(item); got.items[i] == nil {
			return nil
		}
	}
	return &got
}

// maxExpression bounds what findings show of an expression, in characters.
const maxExpression = 80

// expression writes a call as YAML's short form does, for findings.
func expression(v *value) string {
	name, arg := function(v)
	if name == "" {
		if v.kind == text || v.kind == unknownValue {
			return cut(v.text)
		}
		return v.kind.String()
	}
	name = strings.TrimPrefix(name, "Fn::")
	for arg.kind == list && len(arg.items) > 0 && name == "Sub" {
		arg = arg.items[0]
	}
	switch arg.kind {
	case object, tagged:
		if inner := expression(arg); arg.kind == tagged || strings.HasPrefix(inner, "!") {
			return cut("!" + name + " (" + inner + ")")
		}
		return "!" + name + " {...}"
	case list:
		var parts []string
		for _, item := range arg.items {
			if item.kind != text && item.kind != number {
				return "!" + name + " [...]"
			}
			if parts = append(parts, item.text); len(parts) > maxExpression {
				break
			}
		}
		if name == "GetAtt" {
			return cut("!GetAtt " + strings.Join(parts, "."))
		}
		return cut("!" + name + " [" + strings.Join(parts, ", ") + "]")
	}
	return cut("!" + name + " " + arg.text)
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxExpression {
		return s
	}
	return string([]rune(s)[:maxExpression-3]) + "..."
}
