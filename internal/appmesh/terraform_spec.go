package appmesh

import (
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// blocks turns a spec as the provider keeps it into the API's tree. The shape
// of the API leads (so that `path` is a block here and a text there); the
// values say whether a block is a list of one (Terraform) or an object
// (Pulumi).
type blocks struct{ checker }

// spec gives the resource its spec.
func (b *blocks) spec(v *value, at mesh.Position) {
	if v == nil {
		v = &value{kind: null, at: at}
	}
	b.res.spec = v
	b.value(v, specs[b.res.kind], nil)
	if v.kind == null || v.kind == list && len(v.items) == 0 {
		*v = value{kind: object, at: v.at}
		if b.res.kind != meshKind && b.res.kind != serviceKind {
			b.fail(v.at, nil, "spec is required", "")
		}
	}
}

func (b *blocks) value(v *value, s *shape, p *path) {
	switch s.kind {
	case anObject:
		one(v)
		if v.kind == object {
			b.object(v, s, p)
		}
	case aList:
		if v.kind == object {
			many(v, s)
		}
		for i, item := range v.items {
			if item.kind == text && s.item == backendShape() {
				oldBackend(item)
			}
			if item.kind == null {
				*item = value{kind: object, at: item.at}
			}
			b.value(item, s.item, p.index(i))
		}
	}
}

// one takes an object out of its list. A block without any setting may hold
// null.
func one(v *value) {
	if v.kind != list || len(v.items) != 1 {
		return
	}
	if inner := v.items[0]; inner.kind == null {
		*v = value{kind: object, at: v.at}
	} else if inner.kind == object || inner.kind == unknownValue {
		*v = *inner
	}
}

// many makes a list of what stands where the API has one: the pairs of a map
// (Cloud Map attributes), or a block that is its only one.
func many(v *value, s *shape) {
	made := &value{kind: list, at: v.at}
	if s.item != attribute {
		only := *v
		made.items = []*value{&only}
		*v = *made
		return
	}
	for _, m := range v.members {
		if strings.HasPrefix(m.name, "__") {
			continue
		}
		made.items = append(made.items, &value{kind: object, at: m.at, members: []member{
			{"key", m.at, &value{kind: text, text: m.name, at: m.at}}, {"value", m.value.at, m.value}}})
	}
	slices.SortFunc(made.items, func(a, b *value) int { return strings.Compare(a.get("key").str(), b.get("key").str()) })
	*v = *made
}

// backendShape is the shape of a node's backends.
func backendShape() *shape { return nodeSpec.fields[nodeSpec.field("backends")].shape.item }

// oldBackend reads a backend as provider versions before 2.3 kept it: the name
// of a service.
func oldBackend(v *value) {
	name := *v
	service := &value{kind: object, at: v.at, members: []member{{"virtualServiceName", v.at, &name}}}
	*v = value{kind: object, at: v.at, members: []member{{"virtualService", v.at, service}}}
}

func (b *blocks) object(v *value, s *shape, p *path) {
	members := v.members[:0]
	for _, m := range v.members {
		if strings.HasPrefix(m.name, "__") {
			continue // Pulumi's own
		}
		f := s.field(m.name)
		if f < 0 {
			f = s.field(fieldNamed(m.name))
		}
		if f < 0 {
			if b.extra(&m, s, p) {
				members = append(members, m)
			}
			continue
		}
		m.name = s.fields[f].name
		b.value(m.value, s.fields[f].shape, p.name(m.name))
		if !absent(&m, s.fields[f]) {
			members = append(members, m)
		}
	}
	if s == duration && !slices.ContainsFunc(members, func(m member) bool { return m.name == "value" }) {
		members = append(members, member{"value", v.at, &value{kind: number, text: "0", at: v.at}})
	}
	v.members = members
}

// fieldNamed is the API's name for what the provider names otherwise: blocks
// that repeat are singular in Terraform, and sets and some blocks plural in
// Pulumi. The last is of provider versions before 2.3.
func fieldNamed(name string) string {
	for _, n := range [...][2]string{
		{"listener", "listeners"}, {"backend", "backends"}, {"weightedTarget", "weightedTargets"}, {"header", "headers"},
		{"queryParameter", "queryParameters"}, {"metadatas", "metadata"}, {"jsons", "json"}, {"exacts", "exact"},
		{"https", "http"}, {"http2s", "http2"}, {"tcps", "tcp"}, {"grpcs", "grpc"}, {"serviceName", "hostname"},
	} {
		if named(name, n[0]) {
			return n[1]
		}
	}
	return ""
}

// extra says what becomes of an attribute that the API has no field for, and
// reports whether it is left to the check, which refuses it.
func (b *blocks) extra(m *member, s *shape, p *path) (left bool) {
	switch {
	case unset(m.value):
	case named(m.name, "prefix") && (s.field("serviceName") >= 0):
		b.warn(m.at, p.name(m.name), "the provider never sent the prefix of a gRPC match: ignored", "serviceName and methodName match")
	case named(m.name, "serviceNames") && s == routerSpec:
		b.warn(m.at, p.name(m.name), "is of App Mesh's preview, and dropped: a virtual service names its router", "")
	default:
		return true
	}
	return false
}

// absent reports whether a member stands for a setting that was never sent
// (App Mesh 7.1, zero values).
func absent(m *member, f field) bool {
	v := m.value
	if v.kind == null {
		return true
	}
	switch f.shape.kind {
	case anObject:
		// A block of alternatives without any was never sent either.
		return v.kind == list && len(v.items) == 0 || v.kind == object && len(v.members) == 0 && f.shape.one != nil && !f.required
	case anInteger:
		return v.text == "" && v.kind == text || zero(v) && !slices.Contains(zeros[:], f.name)
	case aBoolean:
		return unset(v) && f.name != "enforce" // whose default is true
	}
	return unset(v)
}

// zeros are the numbers of which 0 was sent, or means 0 where it was not.
// All others do not count when they are 0.
var zeros = [...]string{"weight", "maxRetries", "maxEjectionPercent", "start", "end", "value"}
