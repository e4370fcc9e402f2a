package appmesh

import "github.com/outrider-mesh/outrider/internal/mesh"

// value is one value of a document and where it stands. A nil value reads as
// absent: all accessors may be called on it.
type value struct {
	kind valueKind
	// text is a scalar as written, without quotes; for tagged, the tag. What
	// the tag stands before is the only item.
	text string
	// num is what an integer (or 1 for true) was parsed to by the check.
	num     int64
	members []member
	items   []*value
	at      mesh.Position
	// why a value of kind unknownValue is unknown; its text is the expression.
	why *mystery
}

// member is one name of an object. Names may repeat until the check has
// reported it.
type member struct {
	name  string
	at    mesh.Position
	value *value
}

type valueKind uint8

const (
	null valueKind = iota
	boolean
	number
	text
	list
	object
	// tagged is a YAML value with a tag of its own (!Ref, !Sub): only
	// CloudFormation's front end can say what it stands for.
	tagged
	// invalid is what the check has refused: it reads as absent from then on,
	// so that one fault is one finding.
	invalid
	// unknownValue is what no document says: a template's expression that only
	// AWS, or a parameter that nobody gave, could resolve.
	unknownValue
)

func (k valueKind) String() string {
	return [...]string{"null", "a boolean", "a number", "text", "a list", "an object", "a tagged value", "refused", "unknown"}[k]
}

// get follows names down from v; nil where one is absent, null or refused.
func (v *value) get(names ...string) *value {
	for _, name := range names {
		v = v.member(name)
	}
	return v
}

func (v *value) member(name string) *value {
	if v == nil {
		return nil
	}
	for i := range v.members {
		if m := &v.members[i]; m.name == name && m.value.kind != null && m.value.kind != invalid {
			return m.value
		}
	}
	return nil
}

// spelt finds a member by its name however that is written (see named).
func (v *value) spelt(name string) *value {
	if v == nil || v.kind != object {
		return nil
	}
	for i := range v.members {
		if named(v.members[i].name, name) {
			return v.members[i].value
		}
	}
	return nil
}

func (v *value) has(name string) bool { return v.member(name) != nil }

func (v *value) str() string {
	if v == nil {
		return ""
	}
	return v.text
}

// int is the number a checked integer holds, or 0.
func (v *value) int() int64 {
	if v == nil {
		return 0
	}
	return v.num
}

func (v *value) list() []*value {
	if v == nil {
		return nil
	}
	return v.items
}

func (v *value) all() []member {
	if v == nil {
		return nil
	}
	return v.members
}

// position is where v stands, or the zero position.
func (v *value) position() mesh.Position {
	if v == nil {
		return mesh.Position{}
	}
	return v.at
}

// mentions reports whether any text in v, keys included, is name.
func (v *value) mentions(name string) bool {
	if v == nil {
		return false
	}
	if v.text == name {
		return true
	}
	for i := range v.members {
		if v.members[i].value.mentions(name) {
			return true
		}
	}
	for _, item := range v.items {
		if item.mentions(name) {
			return true
		}
	}
	return false
}

// named reports whether a name is written for one of the API's: without regard
// to case, "_" and "-", so that virtual_node_name, VirtualNodeName and
// virtual-node-name are all virtualNodeName.
func named(written, name string) bool {
	i, j := 0, 0
	for {
		for i < len(written) && (written[i] == '_' || written[i] == '-') {
			i++
		}
		for j < len(name) && (name[j] == '_' || name[j] == '-') {
			j++
		}
		if i == len(written) || j == len(name) {
			return i == len(written) && j == len(name)
		}
		if lower(written[i]) != lower(name[j]) {
			return false
		}
		i++
		j++
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
