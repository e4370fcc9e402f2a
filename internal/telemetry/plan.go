package telemetry

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// plan is the order in which the cells of a Set are printed: worked out once
// for each version of the Set, so that a scrape only reads and prints.
type plan struct {
	version  uint64
	families []family
}

// family is all that is printed under one "# TYPE" line.
type family struct {
	metric string
	phase  phase
	parts  []part
}

// phase is when a family is printed.
type phase uint8

// The phases, in Envoy's order.
const (
	phaseCounters phase = iota
	phaseGauges
	phaseTexts
	phaseHistograms
)

// partKind is how the series of a part are read.
type partKind uint8

const (
	partCounter partKind = iota
	partCodes            // one series for each code seen
	partClasses          // one for each class seen
	partGauge
	partComputed
	partText
	partHistogram
)

func (k partKind) phase() phase {
	switch k {
	case partGauge, partComputed:
		return phaseGauges
	case partText:
		return phaseTexts
	case partHistogram:
		return phaseHistograms
	}
	return phaseCounters
}

// part is one cell of every group of a layout.
type part struct {
	kind    partKind
	members []member // shared by all parts of a layout and prefix
	index   int      // of the cell in its group
	name    string   // of the cell in its group
	labels  string   // taken out of name
	number  func() int64
	text    func() string
}

// member is a group and the labels taken out of its prefix.
type member struct {
	group  *stat.Group
	labels string
}

func newPlan(set *stat.Set) *plan {
	b := planBuilder{index: make(map[familyKey]int), plan: &plan{version: set.Version()}}
	numbers, texts := set.Computed()
	for _, c := range numbers {
		b.addComputed(c.Name, part{kind: partComputed, number: c.Read})
	}
	for _, c := range texts {
		b.addComputed(c.Name, part{kind: partText, text: c.Read})
	}
	b.addGroups(set.Groups())
	slices.SortStableFunc(b.plan.families, func(a, b family) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), strings.Compare(a.metric, b.metric))
	})
	return b.plan
}

type planBuilder struct {
	plan  *plan
	index map[familyKey]int
}

type familyKey struct {
	phase  phase
	metric string
}

func (b *planBuilder) add(metric string, p part) {
	key := familyKey{p.kind.phase(), metric}
	i, ok := b.index[key]
	if !ok {
		i = len(b.plan.families)
		b.index[key] = i
		b.plan.families = append(b.plan.families, family{metric: metric, phase: key.phase})
	}
	b.plan.families[i].parts = append(b.plan.families[i].parts, p)
}

func (b *planBuilder) addComputed(name string, p part) {
	rest, tags := splitPrefix(name)
	rest, codes := splitName(rest)
	p.name, p.labels = name, labelText(append(codes, tags...))
	b.add(metricName(rest), p)
}

// addGroups puts groups together that share a layout and what is left of their
// prefixes: they print the same metrics.
func (b *planBuilder) addGroups(groups []*stat.Group) {
	type kind struct {
		layout *stat.Layout
		rest   string
	}
	var order []kind
	members := make(map[kind][]member)
	for _, g := range groups {
		rest, tags := splitPrefix(g.Prefix())
		k := kind{g.Layout(), rest}
		if members[k] == nil {
			order = append(order, k)
		}
		members[k] = append(members[k], member{g, labelText(tags)})
	}
	for _, k := range order {
		b.addLayout(k.layout, k.rest, members[k])
	}
}

func (b *planBuilder) addLayout(layout *stat.Layout, rest string, members []member) {
	each := func(kind partKind, names []string) {
		for i, name := range names {
			short, codes := splitName(name)
			b.add(metricName(rest+short), part{kind: kind, members: members, index: i, name: name, labels: labelText(codes)})
		}
	}
	each(partCounter, layout.Counters)
	each(partGauge, layout.Gauges)
	each(partHistogram, layout.Histograms)
	if layout.Codes != "" {
		b.add(metricName(rest+layout.Codes), part{kind: partCodes, members: members, name: layout.Codes})
		b.add(metricName(rest+layout.Codes+"_xx"), part{kind: partClasses, members: members, name: layout.Codes})
	}
}
