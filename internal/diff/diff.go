package diff

import (
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A Change is one thing that is otherwise for traffic.
type Change struct {
	// Subject is what changes: `route "all" of color.local, egress port 80`.
	// Empty is the proxy itself.
	Subject string
	// Aspect is what of it changes; empty: it comes (no Before) or goes (no
	// After).
	Aspect        string
	Before, After Value
}

// A Value is what stands in one set of documents; zero: nothing does.
type Value struct {
	Words string
	// At is where: file:line, or which default.
	At string
	// More is how many other places say the same to other proxies; 0 of one proxy.
	More int
}

// place is where, in words.
func (v Value) place() string {
	if v.More == 0 {
		return v.At
	}
	return v.At + " and " + count(v.More, "more place")
}

// Compare gives what changes for traffic from one snapshot of a proxy to
// another, in the order of what is compared; nothing for equal ones.
func Compare(before, after *mesh.Snapshot) []Change {
	if before.Version != "" && before.Version == after.Version {
		return nil
	}
	var c comparison
	c.things(things(before), things(after))
	return c.changes
}

type comparison struct{ changes []Change }

// add leaves out what was said before: routes of a virtual service that
// several gateway routes share.
func (c *comparison) add(change Change) {
	if !slices.Contains(c.changes, change) {
		c.changes = append(c.changes, change)
	}
}

// things compares siblings.
func (c *comparison) things(before, after []thing) {
	was, is := byKey(before), byKey(after)
	for i := range before {
		if is[before[i].key] == nil {
			c.add(Change{Subject: before[i].name, Before: value(before[i].says, before[i].origin)})
		}
	}
	for i := range after {
		t := &after[i]
		old := was[t.key]
		if old == nil {
			c.add(Change{Subject: t.name, After: value(t.says, t.origin)})
			continue
		}
		c.thing(old, t)
	}
}

func byKey(all []thing) map[string]*thing {
	m := make(map[string]*thing, len(all))
	for i := range all {
		m[all[i].key] = &all[i]
	}
	return m
}

func (c *comparison) thing(before, after *thing) {
	for i, was := range before.aspects {
		is := after.aspects[i]
		if was.differs(is) {
			c.add(Change{after.name, was.name, value(was.words, was.origin), value(is.words, is.origin)})
		}
	}
	c.things(before.parts, after.parts)
	if after.ordered != "" {
		c.order(after, before)
	}
}

func (a aspect) differs(b aspect) bool {
	if a.same+b.same != "" {
		return a.same != b.same
	}
	return a.words != b.words
}

func value(words string, origin mesh.Origin) Value { return Value{Words: words, At: origin.String()} }

// order says where routes that both have are looked at in another order.
func (c *comparison) order(after, before *thing) {
	was, is := byKey(before.parts), byKey(after.parts)
	names := func(all []thing, other map[string]*thing) (names []string) {
		for i := range all {
			if other[all[i].key] != nil {
				names = append(names, strings.TrimPrefix(all[i].key, "route "))
			}
		}
		return names
	}
	first, then := names(before.parts, is), names(after.parts, was)
	if !slices.Equal(first, then) {
		c.add(Change{after.name, after.ordered, value(strings.Join(first, ", "), before.origin), value(strings.Join(then, ", "), after.origin)})
	}
}
