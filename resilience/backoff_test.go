package resilience

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestBackoffIntervals(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		says string
		b    Backoff
		want []time.Duration // the intervals: one more than the longest wait
	}{
		{"the zero value is Envoy's default", Backoff{}, []time.Duration{25 * ms, 50 * ms, 100 * ms, 200 * ms, 250 * ms, 250 * ms}},
		{"the maximum is ten times the base", Backoff{Base: ms}, []time.Duration{ms, 2 * ms, 4 * ms, 8 * ms, 10 * ms, 10 * ms}},
		{"a maximum is kept", Backoff{Base: 10 * ms, Max: 40 * ms}, []time.Duration{10 * ms, 20 * ms, 40 * ms, 40 * ms}},
		{"half of the maximum goes to the maximum", Backoff{Base: 20 * ms, Max: 40 * ms}, []time.Duration{20 * ms, 40 * ms, 40 * ms}},
		{"a maximum equal to the base stays", Backoff{Base: 25 * ms, Max: 25 * ms}, []time.Duration{25 * ms, 25 * ms}},
		{"a maximum below the base holds", Backoff{Base: 25 * ms, Max: 10 * ms}, []time.Duration{10 * ms, 10 * ms}},
		{"the largest base does not overflow", Backoff{Base: math.MaxInt64}, []time.Duration{math.MaxInt64, math.MaxInt64}},
	} {
		t.Run(tt.says, func(t *testing.T) {
			b := tt.b
			for i, want := range tt.want {
				if got := b.Next(math.MaxUint64); got != want-1 {
					t.Errorf("wait %d is at most %v, want %v", i+1, got, want-1)
				}
			}
			b.Reset()
			if got := b.Next(math.MaxUint64); got != tt.want[0]-1 {
				t.Errorf("after Reset the wait is at most %v, want %v", got, tt.want[0]-1)
			}
		})
	}
}

func TestBackoffIsUniformFromZero(t *testing.T) {
	if got := new(Backoff).Next(0); got != 0 {
		t.Errorf("the least draw waits %v, want 0", got)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	var quarters [4]int
	const draws = 40_000
	for range draws {
		wait := new(Backoff).Next(rng.Uint64())
		if wait < 0 || wait >= DefaultBackoffBase {
			t.Fatalf("waits %v, want less than %v", wait, DefaultBackoffBase)
		}
		quarters[wait*4/DefaultBackoffBase]++
	}
	for i, n := range quarters {
		if bound := 5 * math.Sqrt(draws*0.25*0.75); math.Abs(float64(n)-draws/4) > bound {
			t.Errorf("quarter %d got %d of %d, want %d within %.0f", i, n, draws, draws/4, bound)
		}
	}
}
