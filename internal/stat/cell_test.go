package stat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestAResetCounterStartsAtZeroAndStaysUsed(t *testing.T) {
	var c Counter
	if c.Used() {
		t.Error("used before it was counted in")
	}
	c.Add(5)
	c.Reset()
	if c.Value() != 0 || !c.Used() {
		t.Errorf("value %d, used %v", c.Value(), c.Used())
	}
	c.Inc()
	if c.Value() != 1 {
		t.Errorf("value %d after one more", c.Value())
	}
}

func TestAGaugeThatFellBackToZeroStaysUsed(t *testing.T) {
	var g Gauge
	if g.Used() {
		t.Error("used before it was set")
	}
	g.Inc()
	g.Dec()
	if g.Value() != 0 || !g.Used() {
		t.Errorf("value %d, used %v", g.Value(), g.Used())
	}
	g.Set(7)
	if got := g.Add(-2); got != 5 {
		t.Errorf("Add gives %d", got)
	}
}

func TestCodesOutsideOfHTTPAreDropped(t *testing.T) {
	var c Codes
	for _, code := range []int{-1, 0, 99, 600, 100, 599, 200, 200, 204} {
		c.Inc(code)
	}
	var got []string
	c.Each(func(code int, cell *Counter) { got = append(got, fmt.Sprint(code, "=", cell.Value())) })
	if want := "100=1 200=2 204=1 599=1"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if n, used := c.Class(2); n != 3 || !used {
		t.Errorf("2xx = %d, %v", n, used)
	}
	if n, used := c.Class(4); n != 0 || used {
		t.Errorf("4xx = %d, %v", n, used)
	}
	if _, used := c.Class(9); used {
		t.Error("there is no class 9")
	}
}

func TestASetGivesTheSameGroupTwice(t *testing.T) {
	var s Set
	layout, other := &Layout{Counters: []string{"a"}}, &Layout{Counters: []string{"b"}}
	g := s.Group("x.", layout)
	g.Counter(0).Inc()
	if s.Group("x.", layout) != g {
		t.Error("the same prefix and layout must give the same group")
	}
	v := s.Version()
	if s.Group("x.", other) == g || s.Version() == v {
		t.Error("another layout is another group, and a new version")
	}
	if n := len(s.Groups()); n != 2 {
		t.Errorf("%d groups", n)
	}
}

func TestEachGoesByFullName(t *testing.T) {
	var s Set
	s.Group("b.", &Layout{Counters: []string{"z", "a"}, Gauges: []string{"m"}, Histograms: []string{"h"}, Codes: "rq"}).Codes().Inc(204)
	s.Group("b.a", &Layout{Counters: []string{"a"}}) // "b.aa", between b.a and b.h
	s.Group("", &Layout{Gauges: []string{"c", "b.b"}})
	s.GaugeFunc("b.n", func() int64 { return 4 })
	s.TextFunc("a", func() string { return "text" })
	var got []string
	s.Each(func(c *Cell) { got = append(got, string(c.AppendName(nil))) })
	want := "a b.a b.aa b.b b.h b.m b.n b.rq_204 b.rq_2xx b.z c"
	if strings.Join(got, " ") != want {
		t.Errorf("%v\nwant %s", got, want)
	}
}

func TestComparingNamesIsComparingTheWholeText(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	word := func() string {
		b := make([]byte, rnd.IntN(4))
		for i := range b {
			b[i] = "ab."[rnd.IntN(3)]
		}
		return string(b)
	}
	for range 20000 {
		a, b := Cell{Prefix: word(), Name: word()}, Cell{Prefix: word(), Name: word()}
		if got, want := compareNames(&a, &b), strings.Compare(a.Prefix+a.Name, b.Prefix+b.Name); got != want {
			t.Fatalf("%q+%q against %q+%q: %d, want %d", a.Prefix, a.Name, b.Prefix, b.Name, got, want)
		}
	}
}

func TestResetCountersLeavesGaugesAndHistograms(t *testing.T) {
	var s Set
	g := s.Group("x.", &Layout{Counters: []string{"c"}, Gauges: []string{"g"}, Histograms: []string{"h"}, Codes: "rq"})
	g.Counter(0).Inc()
	g.Gauge(0).Set(3)
	g.Histogram(0).Observe(9)
	g.Codes().Inc(200)
	s.ResetCounters()
	s.Each(func(c *Cell) {
		if want := map[Kind]int64{KindGauge: 3}[c.Kind]; c.Value != want || !c.Used {
			t.Errorf("%s%s = %d, used %v", c.Prefix, c.Name, c.Value, c.Used)
		}
	})
	var r Reading
	if g.Histogram(0).Read(&r); r.Count() != 1 {
		t.Error("the histogram was reset")
	}
}

func TestCountingFromManyGoroutinesLosesNothing(t *testing.T) {
	g := new(Set).Group("x.", &Layout{Counters: []string{"c"}, Gauges: []string{"g"}, Histograms: []string{"h"}, Codes: "rq"})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				g.Counter(0).Inc()
				g.Gauge(0).Inc()
				g.Histogram(0).Observe(1)
				g.Codes().Inc(200)
			}
		})
	}
	all.Wait()
	var r Reading
	g.Histogram(0).Read(&r)
	codes, _ := g.Codes().Class(2)
	got := []int64{int64(g.Counter(0).Value()), g.Gauge(0).Value(), int64(r.Count()), int64(codes)}
	if !slices.Equal(got, []int64{8000, 8000, 8000, 8000}) {
		t.Error(got)
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	g := new(Set).Group("x.", &Layout{Counters: []string{"c"}, Gauges: []string{"g"}, Histograms: []string{"h"}, Codes: "rq"})
	count := func() {
		g.Counter(0).Inc()
		g.Gauge(0).Inc()
		g.Gauge(0).Dec()
		g.Histogram(0).Observe(1234)
		g.Codes().Inc(200)
	}
	count()
	if n := testing.AllocsPerRun(100, count); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Observe(uint64(i))
	}
}

func BenchmarkGauge(b *testing.B) {
	var g Gauge
	for range b.N {
		g.Inc()
	}
}
