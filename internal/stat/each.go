package stat

import (
	"slices"
	"strconv"
	"strings"
)

// Kind tells what a Cell is.
type Kind uint8

// The kinds of cell.
const (
	KindCounter Kind = iota
	KindGauge
	KindText
	KindHistogram
)

// Cell is one named value as a reader sees it.
type Cell struct {
	// Prefix and Name together are the full name; they are apart so that
	// listing thousands of cells need not build as many names.
	Prefix, Name string
	Kind         Kind
	// Used tells whether it was ever touched; computed values always are.
	Used bool
	// Value is the value of a counter or gauge.
	Value int64
	// Text is the value of a text readout.
	Text string
	// Histogram is set for that kind alone.
	Histogram *Histogram
}

// AppendName appends the full name to dst.
func (c *Cell) AppendName(dst []byte) []byte {
	return append(append(dst, c.Prefix...), c.Name...)
}

// Each calls visit for every cell, in order of full names. The cell is
// visit's during the call alone. Counting goes on meanwhile.
func (s *Set) Each(visit func(c *Cell)) {
	cells := s.computedCells()
	for _, g := range s.Groups() {
		cells = g.appendCells(cells)
	}
	slices.SortStableFunc(cells, func(a, b Cell) int { return compareNames(&a, &b) })
	for i := range cells {
		visit(&cells[i])
	}
}

func (s *Set) computedCells() []Cell {
	numbers, texts := s.Computed()
	cells := make([]Cell, 0, len(numbers)+len(texts)+64)
	for _, c := range numbers {
		cells = append(cells, Cell{Name: c.Name, Kind: KindGauge, Used: true, Value: c.Read()})
	}
	for _, c := range texts {
		cells = append(cells, Cell{Name: c.Name, Kind: KindText, Used: true, Text: c.Read()})
	}
	return cells
}

// Computed is a value that a function gives when it is read.
type Computed[T any] struct {
	Name string
	Read func() T
}

// Computed lists the computed gauges and texts, ordered by name.
func (s *Set) Computed() (numbers []Computed[int64], texts []Computed[string]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.computed), sorted(s.texts)
}

func sorted[T any](m map[string]func() T) []Computed[T] {
	all := make([]Computed[T], 0, len(m))
	for name, read := range m {
		all = append(all, Computed[T]{name, read})
	}
	slices.SortFunc(all, func(a, b Computed[T]) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (g *Group) appendCells(cells []Cell) []Cell {
	for i, name := range g.layout.Counters {
		c := &g.counters[i]
		cells = append(cells, Cell{Prefix: g.prefix, Name: name, Kind: KindCounter, Used: c.Used(), Value: int64(c.Value())})
	}
	for i, name := range g.layout.Gauges {
		c := &g.gauges[i]
		cells = append(cells, Cell{Prefix: g.prefix, Name: name, Kind: KindGauge, Used: c.Used(), Value: c.Value()})
	}
	for i, name := range g.layout.Histograms {
		h := &g.histograms[i]
		cells = append(cells, Cell{Prefix: g.prefix, Name: name, Kind: KindHistogram, Used: h.Used(), Histogram: h})
	}
	if g.layout.Codes == "" {
		return cells
	}
	for class := 1; class <= 5; class++ {
		if n, used := g.codes.Class(class); used {
			name := g.layout.Codes + "_" + strconv.Itoa(class) + "xx"
			cells = append(cells, Cell{Prefix: g.prefix, Name: name, Kind: KindCounter, Used: true, Value: int64(n)})
		}
	}
	g.codes.Each(func(code int, c *Counter) {
		name := g.layout.Codes + "_" + strconv.Itoa(code)
		cells = append(cells, Cell{Prefix: g.prefix, Name: name, Kind: KindCounter, Used: true, Value: int64(c.Value())})
	})
	return cells
}

// compareNames orders by full name without building it.
func compareNames(a, b *Cell) int {
	if a.Prefix == b.Prefix {
		return strings.Compare(a.Name, b.Name)
	}
	n := min(len(a.Prefix), len(b.Prefix))
	if c := strings.Compare(a.Prefix[:n], b.Prefix[:n]); c != 0 {
		return c
	}
	if len(a.Prefix) == n {
		return compareRest(a.Name, b.Prefix[n:], b.Name)
	}
	return -compareRest(b.Name, a.Prefix[n:], a.Name)
}

// compareRest compares one with first+second.
func compareRest(one, first, second string) int {
	n := min(len(one), len(first))
	if c := strings.Compare(one[:n], first[:n]); c != 0 {
		return c
	}
	if len(one) < len(first) {
		return -1
	}
	return strings.Compare(one[n:], second)
}
