package resilience

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
)

func TestRetryBudgetAllows(t *testing.T) {
	for _, tt := range []struct {
		says           string
		percent, least uint32
		requests       uint64
		want           int64
	}{
		{"three without traffic", 20, 3, 0, 3},
		{"three while the share is smaller", 20, 3, 15, 3},
		{"the share, rounded down", 20, 3, 24, 4},
		{"the share of much traffic", 20, 3, 1000, 200},
		{"nothing without traffic and without a minimum", 20, 0, 4, 0},
		{"a share above 100", 150, 0, 10, 15},
		{"off: as many as are asked for", 0, 3, 0, 500},
		{"more requests than can be multiplied", 20, 0, math.MaxUint64, 500},
	} {
		t.Run(tt.says, func(t *testing.T) {
			b := NewRetryBudget(tt.percent, tt.least)
			permits := make([]RetryPermit, 500)
			var got int64
			for i := range permits {
				if permits[i].Acquire(b, tt.requests) {
					got++
				}
			}
			if got != tt.want || b.Active() != tt.want {
				t.Errorf("%d were allowed and %d are counted, want %d", got, b.Active(), tt.want)
			}
			if refused := uint64(500 - got); b.Overflow() != refused {
				t.Errorf("Overflow = %d, want %d", b.Overflow(), refused)
			}
			for i := range permits {
				permits[i].Release()
			}
			if b.Active() != 0 {
				t.Errorf("%d are counted after all were released", b.Active())
			}
		})
	}
}

func TestRetryPermitCannotLeak(t *testing.T) {
	b := NewRetryBudget(20, 1)
	var p RetryPermit
	p.Release() // of nothing
	for range 3 {
		if !p.Acquire(b, 0) {
			t.Fatal("the next retry of the same request was refused although it gives the last one back")
		}
	}
	if b.Active() != 1 {
		t.Fatalf("Active = %d, want 1", b.Active())
	}
	other := NewRetryBudget(20, 1)
	if !p.Acquire(other, 0) || b.Active() != 0 || other.Active() != 1 {
		t.Errorf("a retry on another cluster: Active = %d and %d, want 0 and 1", b.Active(), other.Active())
	}
	p.Release()
	p.Release()
	if other.Active() != 0 {
		t.Errorf("Active = %d after two releases, want 0", other.Active())
	}
}

func TestARefusedPermitHoldsNothing(t *testing.T) {
	b := NewRetryBudget(20, 1)
	var first, second RetryPermit
	first.Acquire(b, 0)
	if second.Acquire(b, 0) {
		t.Fatal("a second retry was allowed")
	}
	second.Release()
	if b.Active() != 1 {
		t.Errorf("Active = %d, want 1: the refused permit gave back another's", b.Active())
	}
}

func TestRetryBudgetCanBeReconfiguredWhileInUse(t *testing.T) {
	b := new(RetryBudget)
	var p [3]RetryPermit
	for i := range p {
		if !p[i].Acquire(b, 0) {
			t.Fatal("the zero value refused a retry")
		}
	}
	b.Configure(20, 2)
	var q RetryPermit
	if q.Acquire(b, 0) {
		t.Error("a retry was allowed above the new budget")
	}
	p[0].Release()
	p[1].Release()
	if !q.Acquire(b, 0) {
		t.Error("a retry was refused below the new budget")
	}
}

// The property: however many goroutines ask, the budget is never exceeded,
// and nothing stays counted.
func TestRetryBudgetIsNeverExceeded(t *testing.T) {
	const workers, rounds = 8, 2000
	b := NewRetryBudget(20, 3)
	var under, worst atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var p RetryPermit
			for range rounds {
				if p.Acquire(b, 10) {
					raise(&worst, under.Add(1))
					under.Add(-1)
					p.Release()
				}
			}
		})
	}
	wg.Wait()
	if worst.Load() > 3 {
		t.Errorf("%d retries were under way at once, want at most 3", worst.Load())
	}
	if b.Active() != 0 {
		t.Errorf("Active = %d at the end, want 0", b.Active())
	}
}

func raise(worst *atomic.Int64, n int64) {
	for {
		w := worst.Load()
		if n <= w || worst.CompareAndSwap(w, n) {
			return
		}
	}
}
