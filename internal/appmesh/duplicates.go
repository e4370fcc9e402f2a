package appmesh

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// settle leaves one definition of every resource. It runs once all are checked
// and before anything refers to them, so that those left out leave no trace.
//
// Definitions are equal when their canonical specs are, whatever their forms:
// that is no finding. Of different ones the one changed last is taken, with a
// warning for each of the others, if all of these are known to be older. Else
// nobody knows which is meant, and that is an error.
//
// Decisions: a faulty definition is equal to none, since what is wrong may
// have said the difference. The newest wins even if it is faulty: its errors
// are then those of the mesh as it was. Where none wins, a good one stands for
// the resource in what refers to it, and the errors of all are shown.
func (d *Documents) settle() {
	all := make(map[resourceID][]*resource, len(d.resources))
	for _, res := range d.resources {
		all[res.id()] = append(all[res.id()], res)
	}
	if len(all) == len(d.resources) {
		return
	}
	out := make(map[*resource]outcome)
	for _, res := range d.resources {
		if same := all[res.id()]; len(same) > 1 && same[0] == res {
			d.settleOne(same, out)
		}
	}
	d.resources = slices.DeleteFunc(d.resources, func(res *resource) bool { return out[res] != outcome{} })
	d.findings = slices.DeleteFunc(d.findings, func(f finding) bool { return f.owner != nil && out[f.owner].gone })
	for i := range d.findings {
		if kept := out[d.findings[i].owner].heir; kept != nil {
			d.findings[i].owner = kept
		}
	}
}

// A resourceID is what only one definition may have.
type resourceID struct {
	mesh         meshID
	kind         kind
	parent, name string
}

func (r *resource) id() resourceID {
	return resourceID{meshID{r.mesh, r.owner}, r.kind, r.parent, r.name}
}

// An outcome is what becomes of a definition that is not taken: its findings
// are gone with it, or have an heir.
type outcome struct {
	gone bool
	heir *resource
}

// settleOne decides between the definitions of one resource, given in the
// order in which they were read.
func (d *Documents) settleOne(all []*resource, out map[*resource]outcome) {
	sums := make(map[*resource][sha256.Size]byte, len(all))
	for _, res := range all {
		h := sha256.New()
		res.spec.hash(h)
		sums[res] = [sha256.Size]byte(h.Sum(nil))
	}
	equal := func(a, b *resource) bool { return a == b || sums[a] == sums[b] && !a.faulty && !b.faulty }
	newest := slices.MaxFunc(all, func(a, b *resource) int { return a.dated.Compare(b.dated) })
	older := func(res *resource) bool { return !res.dated.IsZero() && res.dated.Before(newest.dated) }
	if !slices.ContainsFunc(all, func(res *resource) bool { return !equal(res, newest) && !older(res) }) {
		for _, res := range all {
			if res == newest {
				continue
			}
			out[res] = outcome{gone: true}
			if !equal(res, newest) {
				d.outdated(res, newest)
			}
		}
		return
	}
	kept := all[max(0, slices.IndexFunc(all, func(res *resource) bool { return !res.faulty }))]
	for _, res := range all {
		switch {
		case res == kept:
		case equal(res, kept):
			out[res] = outcome{gone: true}
		default:
			out[res] = outcome{heir: kept}
			d.contradicts(res, kept)
		}
	}
}

func (d *Documents) outdated(res, newest *resource) {
	d.add(finding{owner: newest, Finding: mesh.Finding{Position: res.at, Severity: mesh.Warning, Resource: res.String(),
		Message: fmt.Sprintf("is defined twice in mesh %q: this is of %s and gives way to the newer, of %s", res.mesh, date(res.dated), date(newest.dated)),
		Hint:    "the newer is at " + place(newest.at) + "; it " + differs(newest, res)}})
}

func (d *Documents) contradicts(res, kept *resource) {
	first, second := kept, res
	if comparePlaces(mesh.Finding{Position: res.at}, mesh.Finding{Position: kept.at}) < 0 {
		first, second = res, kept
	}
	hint := "first at " + place(first.at)
	switch {
	case !res.dated.IsZero() && res.dated.Equal(kept.dated):
		hint += "; both are of " + date(res.dated) + ": remove one"
	case res.dated.IsZero() != kept.dated.IsZero():
		hint += "; only one of them says when it was changed last: remove one"
	}
	d.add(finding{owner: kept, Finding: mesh.Finding{Position: second.at, Severity: mesh.Error, Resource: res.String(),
		Message: fmt.Sprintf("is defined twice in mesh %q, and %s", res.mesh, differs(second, first)), Hint: hint}})
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// differs says where two definitions differ first.
func differs(a, b *resource) string {
	if at := difference(a.spec, b.spec, nil); at != nil {
		return "differs in " + at.String()
	}
	return "is not alike"
}

// difference is the first place below p where a and b differ; p where they do
// so as wholes, nil where they are alike.
func difference(a, b *value, p *path) *path {
	if a == nil || b == nil || a.kind != b.kind || a.text != b.text || len(a.items) != len(b.items) {
		return p
	}
	for i := range a.items {
		if at := difference(a.items[i], b.items[i], p.index(i)); at != nil {
			return at
		}
	}
	for _, m := range a.members {
		if a.implies(&m) {
			continue
		}
		if other := b.get(m.name); other == nil {
			return p.name(m.name)
		} else if at := difference(m.value, other, p.name(m.name)); at != nil {
			return at
		}
	}
	for _, m := range b.members {
		if !b.implies(&m) && !a.has(m.name) {
			return p.name(m.name)
		}
	}
	return nil
}
