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
// order of members and of sets, defaults that are said and documents out of
// reach do not change it.
func version(r *reach, opt Options) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", r.mesh.id.name, opt.AppHost)
	for _, res := range slices.SortedFunc(maps.Keys(r.has), func(a, b *resource) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.parent, b.parent), cmp.Compare(a.name, b.name))
	}) {
		fmt.Fprintf(h, "%d %q %q ", res.kind, res.parent, res.name)
		h.Write(res.hashed())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// hashed is the digest of a resource's spec.
func (r *resource) hashed() []byte {
	sum := r.digest.Load()
	if sum == nil {
		h := sha256.New()
		r.spec.hash(h)
		sum = (*[sha256.Size]byte)(h.Sum(nil))
		r.digest.Store(sum)
	}
	return sum[:]
}

func (v *value) hash(h hash.Hash) {
	switch v.kind {
	case object:
		h.Write([]byte{'{'})
		members := slices.Clone(v.members)
		slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
		for _, m := range members {
			if m.value.kind == null || m.name == "enforce" && m.value.num == 1 || m.name == "invert" && m.value.num == 0 {
				continue // the default, said
			}
			h.Write(strconv.AppendQuote(nil, m.name))
			if slices.Contains(sets[:], m.name) && m.value.kind == list {
				m.value.hashSet(h)
			} else {
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

// sets are the lists whose order says nothing: states and exports keep them in
// an order of their own.
var sets = [...]string{"backends", "weightedTargets", "headers", "metadata", "queryParameters", "attributes", "ports",
	"httpRetryEvents", "tcpRetryEvents", "grpcRetryEvents", "certificateAuthorityArns", "exact"}

func (v *value) hashSet(h hash.Hash) {
	sums := make([]string, len(v.items))
	for i, item := range v.items {
		inner := sha256.New()
		item.hash(inner)
		sums[i] = string(inner.Sum(nil))
	}
	slices.Sort(sums)
	for _, sum := range sums {
		h.Write([]byte(sum))
	}
}
