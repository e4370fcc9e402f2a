package appmesh

import "strconv"

// A condition of a template, and what it came to once it was asked for.
type condition struct {
	of          *value
	begun, done bool
	on          bool
	unknown     *value
}

// condition is what the template's condition of a name comes to, or why that
// is unknown. at is where it is named.
func (t *template) condition(name string, at *value) (bool, *value) {
	c := t.conditions[name]
	if c == nil {
		return false, mysterious(at, "the template has no condition "+strconv.Quote(cut(name)), "")
	}
	if !c.begun {
		c.begun = true
		c.on, c.unknown = t.holds(c.of)
		c.done = true
	}
	switch {
	case !c.done:
		return false, mysterious(at, "condition "+strconv.Quote(cut(name))+" depends on itself", "")
	case c.unknown != nil:
		return false, because(at, c.unknown)
	}
	return c.on, nil
}

// holds works out a condition function, or a reference to a condition.
func (t *template) holds(v *value) (bool, *value) {
	s := &t.d.stacks
	if s.depth++; s.depth > maxResolving {
		s.depth--
		return false, mysterious(v, "conditions go too deep", "")
	}
	defer func() { s.depth-- }()
	name, arg := function(v)
	if v.kind == object && len(v.members) == 1 && v.members[0].name == "Condition" {
		name, arg = "Condition", v.members[0].value
	}
	switch name {
	case "Condition":
		return t.condition(arg.text, v)
	case "Fn::Equals":
		return t.equals(v, arg)
	case "Fn::And":
		return t.all(v, arg, true)
	case "Fn::Or":
		on, unknown := t.all(v, arg, false)
		return !on, unknown
	case "Fn::Not":
		of, ok := args(arg, 1, 1)
		if !ok {
			return false, mysterious(v, "Not takes a list of one condition", "")
		}
		on, unknown := t.holds(of[0])
		return !on, unknown
	}
	return false, mysterious(v, "this is no condition", "")
}

// all reports whether every condition comes to what is wanted. One that does
// not settles it, whatever is unknown of the others.
func (t *template) all(v, arg *value, want bool) (bool, *value) {
	of, ok := args(arg, 1, maxValues)
	if !ok {
		return false, mysterious(v, "a list of conditions is wanted", "")
	}
	var open *value
	for _, c := range of {
		switch on, unknown := t.holds(c); {
		case unknown != nil:
			open = unknown
		case on != want:
			return false, nil
		}
	}
	if open != nil {
		return false, because(v, open)
	}
	return true, nil
}

// equals compares as CloudFormation does: texts exactly, numbers as written.
func (t *template) equals(v, arg *value) (bool, *value) {
	of, ok := args(arg, 2, 2)
	if !ok {
		return false, mysterious(v, "Equals takes a list of two values", "")
	}
	var both [2]*value
	for i := range both {
		if both[i] = t.definite(of[i]); both[i].kind == unknownValue {
			return false, because(v, both[i])
		}
	}
	return same(both[0], both[1]), nil
}

func same(a, b *value) bool {
	if (a.kind == list) != (b.kind == list) || (a.kind == object) != (b.kind == object) || len(a.items) != len(b.items) || len(a.members) != len(b.members) {
		return false
	}
	for i := range a.items {
		if !same(a.items[i], b.items[i]) {
			return false
		}
	}
	for _, m := range a.members {
		other := b.get(m.name)
		if other == nil || !same(m.value, other) {
			return false
		}
	}
	return a.text == b.text
}

// either is If: [condition, value if it holds, value if it does not].
func (t *template) either(v, arg *value) *value {
	of, ok := args(arg, 3, 3)
	if !ok || of[0].kind != text {
		return mysterious(v, "If takes a condition's name and two values", "")
	}
	switch on, unknown := t.condition(of[0].text, v); {
	case unknown != nil:
		return unknown
	case on:
		return t.resolve(of[1])
	}
	return t.resolve(of[2])
}

// truth is a condition function as a value.
func (t *template) truth(v *value) *value {
	on, unknown := t.holds(v)
	if unknown != nil {
		return because(v, unknown)
	}
	return &value{kind: boolean, text: strconv.FormatBool(on), at: v.at}
}
