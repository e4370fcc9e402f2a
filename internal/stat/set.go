package stat

import (
	"slices"
	"strings"
	"sync"
)

// Layout names the cells of all groups of one kind, in the order in which
// the owner numbers them. Layouts are compared by pointer: one kind, one Layout.
type Layout struct {
	Counters   []string
	Gauges     []string
	Histograms []string
	// Codes is the name before "_<code>" and "_<N>xx", like "upstream_rq";
	// empty when the kind counts no status codes.
	Codes string
}

// Group is the cells that share a prefix such as "cluster.backend.".
type Group struct {
	prefix     string
	layout     *Layout
	counters   []Counter
	gauges     []Gauge
	histograms []Histogram
	codes      Codes
}

// Counter is the i-th of Layout.Counters.
func (g *Group) Counter(i int) *Counter { return &g.counters[i] }

// Gauge is the i-th of Layout.Gauges.
func (g *Group) Gauge(i int) *Gauge { return &g.gauges[i] }

// Histogram is the i-th of Layout.Histograms.
func (g *Group) Histogram(i int) *Histogram { return &g.histograms[i] }

// Codes counts the group's responses by status code.
func (g *Group) Codes() *Codes { return &g.codes }

// Prefix is the prefix of all names in the group, ending in a dot, or empty.
func (g *Group) Prefix() string { return g.prefix }

// Layout gives the names, shared by all groups of the kind.
func (g *Group) Layout() *Layout { return g.layout }

// resetCounters sets all counters of the group back to 0.
func (g *Group) resetCounters() {
	for i := range g.counters {
		g.counters[i].Reset()
	}
	g.codes.Each(func(_ int, cell *Counter) { cell.Reset() })
}

// Set is all cells of a process, by name. The zero value is ready; methods
// take a lock and are meant for building and for reading, not for counting.
type Set struct {
	mu       sync.Mutex
	groups   map[string][]*Group
	computed map[string]func() int64
	texts    map[string]func() string
	version  uint64
}

// Group gives the group of that prefix and layout, made at the first call.
func (s *Set) Group(prefix string, layout *Layout) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups[prefix] {
		if g.layout == layout {
			return g
		}
	}
	g := &Group{
		prefix:     prefix,
		layout:     layout,
		counters:   make([]Counter, len(layout.Counters)),
		gauges:     make([]Gauge, len(layout.Gauges)),
		histograms: make([]Histogram, len(layout.Histograms)),
	}
	if s.groups == nil {
		s.groups = make(map[string][]*Group)
	}
	s.groups[prefix] = append(s.groups[prefix], g)
	s.version++
	return g
}

// GaugeFunc adds a gauge whose value read gives when somebody asks; it must
// not block and may be called from any goroutine. The name is whole
// ("server.uptime"). The last function given for a name counts.
func (s *Set) GaugeFunc(name string, read func() int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.computed == nil {
		s.computed = make(map[string]func() int64)
	}
	s.computed[name] = read
	s.version++
}

// TextFunc adds a text readout, as GaugeFunc adds a gauge.
func (s *Set) TextFunc(name string, read func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = make(map[string]func() string)
	}
	s.texts[name] = read
	s.version++
}

// Version changes whenever a group or a computed value was added, so that a
// reader knows when an index of its own is out of date.
func (s *Set) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// Groups lists all groups, ordered by prefix. The slice is the caller's.
func (s *Set) Groups() []*Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Group
	for _, groups := range s.groups {
		all = append(all, groups...)
	}
	// Stable: groups of one prefix stay in the order in which they were made.
	slices.SortStableFunc(all, func(a, b *Group) int { return strings.Compare(a.prefix, b.prefix) })
	return all
}

// ResetCounters sets all counters back to 0; gauges and histograms stay
// (Envoy: /reset_counters).
func (s *Set) ResetCounters() {
	for _, g := range s.Groups() {
		g.resetCounters()
	}
}
