package appmesh

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
)

// version is a hash of what the reach says, without places: layout, comments,
// order of members and documents out of reach do not change it.
func version(r *reach, opt Options) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", r.mesh.id.name, opt.AppHost)
	for _, res := range slices.SortedFunc(maps.Keys(r.has), func(a, b *resource) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.parent, b.parent), cmp.Compare(a.name, b.name))
	}) {
		fmt.Fprintf(h, "%d %q %q ", res.kind, res.parent, res.name)
		res.spec.hash(h)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (v *value) hash(h hash.Hash) {
	switch v.kind {
	case object:
		h.Write([]byte{'{'})
		members := slices.Clone(v.members)
		slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
		for _, m := range members {
			if m.value.kind != null {
				h.Write(strconv.AppendQuote(nil, m.name))
				m.value.hash(h)
			}
		}
		h.Write([]byte{'}'})
	case list:
		h.Write([]byte{'['})
		for _, item := range v.items {
			item.hash(h)
		}
		h.Write([]byte{']'})
	default:
		h.Write(strconv.AppendQuote(nil, v.text))
	}
}
