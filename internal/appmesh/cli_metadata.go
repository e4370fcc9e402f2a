package appmesh

import (
	"math"
	"strconv"
	"time"
)

// What describe output says beside names and spec (App Mesh 5):
//
//	"metadata": {"arn": ..., "createdAt": 1699348325.5, "lastUpdatedAt": ...,
//	             "meshOwner": ..., "resourceOwner": ..., "uid": ..., "version": 3}
//
// Whose the mesh is, which mesh that is, and when the resource was last
// changed count. resourceOwner is another account: who wrote this resource
// into a shared mesh.

// metadata are these members, found in metadata or, as list commands print
// them, beside the names.
type metadata struct {
	arn, owner, created, updated *value
}

// take keeps a member if it is one of these; false if it is not.
func (m *metadata) take(name string, v *value) bool {
	for _, slot := range [...]struct {
		name string
		of   **value
	}{{"arn", &m.arn}, {"createdAt", &m.created}, {"lastUpdatedAt", &m.updated}} {
		if named(name, slot.name) {
			*slot.of = v
			return true
		}
	}
	if !named(name, "metadata") {
		return false
	}
	for _, inner := range v.all() {
		if !m.take(inner.name, inner.value) && named(inner.name, "meshOwner") {
			m.owner = inner.value
		}
	}
	return true
}

// describe tells a resource what its request leaves open.
func (m *metadata) describe(res *resource) {
	if res.dated = timestamp(m.updated); m.updated == nil {
		res.dated = timestamp(m.created)
	}
	says := readARN(m.arn.str())
	if res.mesh == "" {
		res.mesh = says.mesh
	}
	switch {
	case res.owner != "":
	case account(m.owner.str()):
		res.owner = m.owner.text
	case res.kind == meshKind && says.ofMesh && says.mesh == res.mesh:
		res.owner = says.account
	}
}

// timestamp reads seconds since 1970 with a fraction, as the API and the CLI's
// first version wrote them, or RFC 3339, as its second does. What is neither
// is no date.
func timestamp(v *value) time.Time {
	if t, err := time.Parse(time.RFC3339, v.str()); err == nil {
		return t.UTC()
	}
	seconds, err := strconv.ParseFloat(v.str(), 64)
	if err != nil || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
}
