package appmesh

import (
	"fmt"
	"strings"
)

// A SpecField is one field that documents may have, as documentation lists it.
type SpecField struct {
	// Of is what it is a field of: the spec of a kind (virtualNode) or an
	// object that several fields have (HttpTimeout).
	Of string
	// Path is the way to it from there: listeners[].portMapping.port.
	Path     string
	Required bool
	// Takes says which values it may have; the name of an object that several
	// fields have is in Of of others.
	Takes string
	// Meaning says what it does, Default what holds where it is absent; "" if
	// that is nothing.
	Meaning, Default string
}

// SpecFields lists all fields of all kinds in the order of the reference, then
// those of the objects that several fields have, in the order in which they
// are first met.
func SpecFields() []SpecField {
	t := fieldTable{met: make(map[string]bool)}
	for k := range specs {
		t.fields(kinds[k].object, "", specs[k])
	}
	for len(t.later) > 0 {
		s := t.later[0]
		t.later = t.later[1:]
		t.below(s.called, "", s)
	}
	return t.all
}

type fieldTable struct {
	all   []SpecField
	met   map[string]bool
	later []*shape
}

func (t *fieldTable) fields(of, path string, s *shape) {
	for _, f := range s.fields {
		at := strings.TrimPrefix(path+"."+f.name, ".")
		t.all = append(t.all, SpecField{of, at, f.required, takes(f.shape), f.meaning, f.absent})
		t.below(of, at, f.shape)
	}
}

// below lists what stands in a field's value; that of a shape with a name once,
// under its name.
func (t *fieldTable) below(of, path string, s *shape) {
	if s.called != "" && s.called != of {
		if !t.met[s.called] {
			t.met[s.called] = true
			t.later = append(t.later, s)
		}
		return
	}
	if s.kind == aList {
		t.below(of, path+"[]", s.item)
		return
	}
	t.fields(of, path, s)
}

// takes says which values a shape has.
func takes(s *shape) string {
	switch s.kind {
	case aBoolean:
		return "true or false"
	case aWord:
		return strings.Join(s.words, ", ")
	case anInteger:
		if s.min <= -unlimited {
			return "a whole number"
		}
		return bounds(s)
	case aText:
		if s.refers {
			return "a name or ARN"
		}
		switch {
		case s.max < unlimited:
			return bounds(s)
		case s.min == 0:
			return "text, may be empty"
		}
		return "text"
	}
	if s.called != "" {
		return s.called
	}
	if s.kind == aList {
		return listed(s) + ": " + takes(s.item)
	}
	switch {
	case s.one != nil:
		return "one of its members"
	case len(s.some) > 0:
		return "an object with one of " + strings.Join(s.some, ", ") + " at most"
	}
	return "an object"
}

func listed(s *shape) string {
	switch {
	case s.max == s.min:
		return fmt.Sprintf("a list of %d", s.min)
	case s.max < unlimited:
		return fmt.Sprintf("a list of %d to %d", s.min, s.max)
	case s.min > 0:
		return fmt.Sprintf("a list of %d or more", s.min)
	}
	return "a list"
}
