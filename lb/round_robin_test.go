package lb

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func TestRoundRobinWithoutEndpointsPicksNone(t *testing.T) {
	for _, p := range []Picker{&RoundRobin{}, NewRoundRobin(0, 7), NewRoundRobin(-1, 7)} {
		if got := p.Pick(&Context{}); got != None {
			t.Errorf("Pick = %d, want None", got)
		}
	}
}

func TestRoundRobinWithOneEndpointPicksItAlsoWhenTried(t *testing.T) {
	p := NewRoundRobin(1, math.MaxUint64)
	for range 3 {
		if got := Select(p, &Context{Avoid: []int{0}}); got != 0 {
			t.Fatalf("Select = %d, want 0", got)
		}
	}
}

func TestRoundRobinBeginsWhereTheSeedSays(t *testing.T) {
	for _, seed := range []uint64{0, 4, 5, 1<<63 + 2, math.MaxUint64} {
		p := NewRoundRobin(5, seed)
		first := int(seed % 5)
		for k := range 12 {
			if got := p.Pick(nil); got != (first+k)%5 {
				t.Fatalf("seed %d, pick %d = %d, want %d", seed, k, got, (first+k)%5)
			}
		}
	}
}

func TestRoundRobinSaysWhoIsNext(t *testing.T) {
	p := NewRoundRobin(3, 1)
	for turn, want := range [][]int{{1, 2, 0}, {2, 0, 1}} {
		if got := p.Next(); !slices.Equal(got, want) || !slices.Equal(p.Next(), want) {
			t.Errorf("after %d picks Next = %v, then %v; want %v both times", turn, got, p.Next(), want)
		}
		if got := p.Pick(nil); got != want[0] {
			t.Errorf("Pick = %d after Next = %v", got, want)
		}
	}
	if got := new(RoundRobin).Next(); len(got) != 0 {
		t.Errorf("nobody has turns %v", got)
	}
}

// The property of the policy: over any number of picks no endpoint gets more
// than one pick more than another, and no index is out of range.
func TestRoundRobinSharesAreEqual(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		size, picks := 1+rng.IntN(50), rng.IntN(500)
		p := NewRoundRobin(size, rng.Uint64())
		checkShares(t, count(size, picks, p), picks)
	}
}

func count(size, picks int, p Picker) []int {
	counts := make([]int, size)
	c := &Context{}
	for range picks {
		counts[p.Pick(c)]++
	}
	return counts
}

func checkShares(t *testing.T, counts []int, picks int) {
	t.Helper()
	low, high := picks/len(counts), (picks+len(counts)-1)/len(counts)
	for i, n := range counts {
		if n < low || n > high {
			t.Fatalf("endpoint %d of %d got %d of %d picks, want %d to %d", i, len(counts), n, picks, low, high)
		}
	}
}

func TestRoundRobinSharesAreEqualAmongGoroutines(t *testing.T) {
	const workers, each, size = 8, 1000, 7
	p := NewRoundRobin(size, 3)
	var wg sync.WaitGroup
	var counts [workers][]int
	for w := range workers {
		wg.Go(func() { counts[w] = count(size, each, p) })
	}
	wg.Wait()
	sum := make([]int, size)
	for _, c := range counts {
		for i, n := range c {
			sum[i] += n
		}
	}
	checkShares(t, sum, workers*each)
}

// A retry goes to an endpoint that was not tried, wherever there is one.
func TestRoundRobinAvoidsPreviousEndpointsWhenItCan(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		size := 2 + rng.IntN(10)
		p := NewRoundRobin(size, rng.Uint64())
		c := &Context{}
		for range min(size, MaxReselections+1) {
			for range rng.IntN(3) { // others pick in between
				p.Pick(c)
			}
			i := Select(p, c)
			if c.avoids(i) {
				t.Fatalf("%d endpoints: picked %d again although only %v were tried", size, i, c.Avoid)
			}
			c.Avoid = append(c.Avoid, i)
		}
	}
}

func TestSelectDoesNotAllocate(t *testing.T) {
	var p Picker = NewRoundRobin(3, 0)
	c := &Context{Avoid: []int{0, 1}}
	if n := testing.AllocsPerRun(100, func() { Select(p, c) }); n != 0 {
		t.Errorf("Select allocates %v times, want 0", n)
	}
}

func BenchmarkSelectRoundRobin(b *testing.B) {
	var p Picker = NewRoundRobin(10, 0)
	c := &Context{}
	b.ReportAllocs()
	for b.Loop() {
		Select(p, c)
	}
}
