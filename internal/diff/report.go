package diff

import (
	"cmp"
	"fmt"
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
	var told tale
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
				told.add(c, res)
			}
		}
	}
	for _, res := range slices.SortedFunc(maps.Keys(after.Proxies), compare) {
		if _, both := before.Proxies[res]; !both {
			r.New = append(r.New, res)
		}
	}
	r.group(&told)
	return r
}

// A tale is the changes of all proxies in the order in which they were found,
// each once however many places in the documents say it: two thousand nodes
// that get one timeout are one change.
type tale struct {
	entries []*entry
	known   map[Change]*entry // without places
}

type entry struct {
	change  Change
	before  map[string]bool // places
	after   map[string]bool
	proxies []mesh.Resource
}

func (t *tale) add(c Change, res mesh.Resource) {
	key := c
	key.Before.At, key.After.At = "", ""
	e := t.known[key]
	if e == nil {
		e = &entry{change: c, before: make(map[string]bool), after: make(map[string]bool)}
		if t.known == nil {
			t.known = make(map[Change]*entry)
		}
		t.known[key] = e
		t.entries = append(t.entries, e)
	}
	e.before[c.Before.At], e.after[c.After.At] = true, true
	e.change.Before.More, e.change.After.More = len(e.before)-1, len(e.after)-1
	if n := len(e.proxies); n == 0 || e.proxies[n-1] != res {
		e.proxies = append(e.proxies, res)
	}
}

// group brings changes together that touch the same proxies, those that touch
// the most first.
func (r *Report) group(told *tale) {
	groups := make(map[string]int)
	for _, e := range told.entries {
		who := fmt.Sprint(e.proxies)
		i, known := groups[who]
		if !known {
			i = len(r.Groups)
			groups[who] = i
			r.Groups = append(r.Groups, Group{Proxies: e.proxies})
		}
		r.Groups[i].Changes = append(r.Groups[i].Changes, e.change)
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
