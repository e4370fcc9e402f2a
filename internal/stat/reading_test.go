package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAReadingWithoutValuesHasNoQuantile(t *testing.T) {
	var h Histogram
	var r Reading
	h.Read(&r)
	if !math.IsNaN(r.Quantile(0.5)) || r.Count() != 0 || h.Used() {
		t.Error("an empty histogram must give NaN, 0, unused")
	}
}

func TestQuantilesAreWithinAStepOfTheTruth(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	values := make([]uint64, 10001)
	for i := range values {
		values[i] = uint64(math.Exp(rnd.Float64() * 20))
		h.Observe(values[i])
	}
	slices.Sort(values)
	var r Reading
	h.Read(&r)
	for _, q := range []float64{0, .25, .5, .75, .9, .95, .99, .995, .999, 1} {
		truth := float64(values[int(q*float64(len(values)-1))]) / Unit
		if got := r.Quantile(q); math.Abs(got-truth) > truth*0.13+0.002 {
			t.Errorf("P%g = %g, want about %g", q*100, got, truth)
		}
	}
}

func TestQuantilesNeverFall(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		var h Histogram
		for range 1 + rnd.IntN(30) {
			h.Observe(rnd.Uint64N(1 << (1 + rnd.UintN(40))))
		}
		var r Reading
		h.Read(&r)
		last := r.Quantile(0)
		for q := 0.0; q <= 1; q += 0.01 {
			if now := r.Quantile(q); now < last {
				t.Fatalf("P%g = %g after %g", q*100, now, last)
			} else {
				last = now
			}
		}
	}
}

func TestOneValueIsSpreadOverItsStep(t *testing.T) {
	var h Histogram
	h.Observe(1000) // 1 ms: the step from 0.96 to 1.024
	var r Reading
	h.Read(&r)
	for q, want := range map[float64]float64{0: 0.96, 0.5: 0.992, 1: 1.024} {
		if got := r.Quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("Quantile(%g) = %g, want %g", q, got, want)
		}
	}
	if r.Sum() != 1 || r.Count() != 1 {
		t.Errorf("sum %g count %d", r.Sum(), r.Count())
	}
}

func TestBucketsCountWhatIsBelow(t *testing.T) {
	var h Histogram
	for _, ms := range []uint64{0, 3, 3, 70, 400, 4000000} {
		h.Observe(ms * Unit)
	}
	var r Reading
	h.Read(&r)
	var got [len(Buckets)]uint64
	r.Cumulative(&got)
	want := map[float64]uint64{0.5: 1, 1: 1, 5: 3, 50: 3, 100: 4, 250: 4, 500: 5, 3600000: 5}
	for i, bound := range Buckets {
		if n, ok := want[bound]; ok && got[i] != n {
			t.Errorf("bucket %g = %d, want %d", bound, got[i], n)
		}
	}
}

func TestBucketsNeverFallFromBoundToBoundOrInTime(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var h Histogram
	var before [len(Buckets)]uint64
	for range 300 {
		h.Observe(rnd.Uint64N(1 << (1 + rnd.UintN(34))))
		var r Reading
		h.Read(&r)
		var now [len(Buckets)]uint64
		r.Cumulative(&now)
		for i := range now {
			if now[i] < before[i] || i > 0 && now[i] < now[i-1] || now[i] > r.Count() {
				t.Fatalf("bucket %g: %d after %d, total %d", Buckets[i], now[i], before[i], r.Count())
			}
		}
		before = now
	}
}

func TestStepsAreListedWithTheirCounts(t *testing.T) {
	var h Histogram
	h.Observe(2)
	h.Observe(2)
	h.Observe(1000)
	var r Reading
	h.Read(&r)
	var got [][3]float64
	r.Steps(func(from, width float64, n uint64) { got = append(got, [3]float64{from, width, float64(n)}) })
	want := [][3]float64{{0.002, 0.001, 2}, {0.96, 0.064, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAnIntervalIsWhatCameSinceTheReaderLastLooked(t *testing.T) {
	var h Histogram
	var mine, other Intervals
	var interval, total Reading
	look := func(v *Intervals) (uint64, uint64) {
		v.Read(&h, &interval, &total)
		return interval.Count(), total.Count()
	}
	if i, n := look(&mine); i != 0 || n != 0 {
		t.Errorf("empty: %d, %d", i, n)
	}
	h.Observe(5)
	if i, n := look(&mine); i != 1 || n != 1 {
		t.Errorf("first: %d, %d", i, n)
	}
	h.Observe(6)
	h.Observe(7)
	if i, n := look(&mine); i != 2 || n != 3 {
		t.Errorf("second: %d, %d", i, n)
	}
	if i, n := look(&mine); i != 0 || n != 3 {
		t.Errorf("third: %d, %d", i, n)
	}
	if i, n := look(&other); i != 3 || n != 3 {
		t.Errorf("another reader: %d, %d", i, n)
	}
}
