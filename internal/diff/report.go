package diff

import (
	"cmp"
	"maps"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A Set is what one set of documents says.
type Set struct {
	// Name is what the set is called: the paths it was read from.
	Name string
	// Proxies are those it describes, by what they stand for; nil where errors
	// leave no snapshot.
	Proxies map[mesh.Resource]*mesh.Snapshot
	// Findings are its errors. What they hide cannot be compared.
	Findings []mesh.Finding
}

// A Report is what changes for traffic between two sets.
type Report struct {
	Before, After Set
	// Compared is how many proxies both sets describe without errors.
	Compared int
	// Gone and New are those that one set alone describes, Hidden those of which
	// an error hides what they are told.
	Gone, New, Hidden []mesh.Resource
	// Groups hold every change of the others once, with all that it touches.
	Groups []Group
}

// A Group is what changes for some proxies alike.
type Group struct {
	Proxies []mesh.Resource
	Changes []Change
}

// Between compares two sets.
func Between(before, after Set) *Report {
	r := &Report{Before: before, After: after}
	touched := make(map[Change][]mesh.Resource)
	var changes []Change // in the order in which they were found
	for _, res := range slices.SortedFunc(maps.Keys(before.Proxies), compare) {
		was := before.Proxies[res]
		is, both := after.Proxies[res]
		switch {
		case !both:
			r.Gone = append(r.Gone, res)
		case was == nil || is == nil:
			r.Hidden = append(r.Hidden, res)
		default:
			r.Compared++
			for _, c := range Compare(was, is) {
				if touched[c] == nil {
					changes = append(changes, c)
				}
				touched[c] = append(touched[c], res)
			}
		}
	}
	for _, res := range slices.SortedFunc(maps.Keys(after.Proxies), compare) {
		if _, both := before.Proxies[res]; !both {
			r.New = append(r.New, res)
		}
	}
	r.group(changes, touched)
	return r
}

// group brings changes together that touch the same proxies, those that touch
// the most first.
func (r *Report) group(changes []Change, touched map[Change][]mesh.Resource) {
	for _, c := range changes {
		i := slices.IndexFunc(r.Groups, func(g Group) bool { return slices.Equal(g.Proxies, touched[c]) })
		if i < 0 {
			i = len(r.Groups)
			r.Groups = append(r.Groups, Group{Proxies: touched[c]})
		}
		r.Groups[i].Changes = append(r.Groups[i].Changes, c)
	}
	slices.SortStableFunc(r.Groups, func(a, b Group) int { return cmp.Compare(len(b.Proxies), len(a.Proxies)) })
}

// Same reports whether nothing changes for traffic, as far as it can be told:
// not where a set has errors.
func (r *Report) Same() bool {
	return len(r.Groups)+len(r.Gone)+len(r.New)+len(r.Hidden)+len(r.Before.Findings)+len(r.After.Findings) == 0
}

// Changed is how many of the compared proxies change.
func (r *Report) Changed() int {
	all := make(map[mesh.Resource]bool)
	for _, g := range r.Groups {
		for _, res := range g.Proxies {
			all[res] = true
		}
	}
	return len(all)
}

func compare(a, b mesh.Resource) int {
	return cmp.Or(cmp.Compare(a.Mesh, b.Mesh), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
