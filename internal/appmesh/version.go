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
			if v.implies(&m) {
				continue
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

// implies reports whether an object would mean the same without a member:
// describe output and states tell defaults, and what is empty, where templates
// say nothing.
//
// An empty clientPolicy is the exception: it takes the place of the default one
// (App Mesh 1.3).
func (v *value) implies(m *member) bool {
	switch m.value.kind {
	case null:
		return true
	case object, list:
		return m.name == "egressFilter" && m.value.get("type").str() == "DROP_ALL" ||
			len(m.value.members)+len(m.value.items) == 0 && m.name != "clientPolicy"
	}
	switch m.name {
	case "enforce":
		return m.value.num == 1
	case "invert":
		return m.value.num == 0
	case "responseType":
		return m.value.text == "LOADBALANCER"
	case "maxPendingRequests":
		return m.value.num == 1<<31-1
	case "port": // of a healthCheck: none but the listener's is allowed
		return v.has("intervalMillis") || v.has("healthyThreshold")
	}
	return false
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
