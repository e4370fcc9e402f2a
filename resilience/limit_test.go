package resilience

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLimitRefusesAboveItsMaximum(t *testing.T) {
	var l Limit
	l.SetMax(2)
	for i, want := range []bool{true, true, false, false} {
		if l.Open() == want {
			t.Errorf("before attempt %d Open = %v", i, !want)
		}
		if got := l.TryAcquire(); got != want {
			t.Errorf("attempt %d = %v, want %v", i, got, want)
		}
	}
	if l.InUse() != 2 || l.Remaining() != 0 || l.Overflow() != 2 || l.Max() != 2 {
		t.Errorf("InUse, Remaining, Overflow, Max = %d, %d, %d, %d; want 2, 0, 2, 2", l.InUse(), l.Remaining(), l.Overflow(), l.Max())
	}
	l.Release()
	if l.Remaining() != 1 || !l.TryAcquire() {
		t.Error("a place that was released cannot be had")
	}
}

func TestLimitWithoutMaximumCountsAndRefusesNothing(t *testing.T) {
	var l Limit
	for range 5000 {
		if !l.TryAcquire() {
			t.Fatal("refused without a maximum")
		}
	}
	if l.InUse() != 5000 || l.Open() || l.Remaining() != math.MaxInt64 || l.Overflow() != 0 {
		t.Errorf("InUse = %d, Open = %v, Remaining = %d, Overflow = %d", l.InUse(), l.Open(), l.Remaining(), l.Overflow())
	}
}

func TestLimitKeepsWhoIsInWhenItShrinks(t *testing.T) {
	var l Limit
	for range 3 {
		l.TryAcquire()
	}
	l.SetMax(2)
	if l.Remaining() != 0 || l.TryAcquire() {
		t.Error("let one in above the new maximum")
	}
	l.Release()
	if l.TryAcquire() {
		t.Error("let one in at the new maximum")
	}
	l.Release()
	if !l.TryAcquire() {
		t.Error("refused one below the new maximum")
	}
}

func TestLimitAcquireIsNeverRefused(t *testing.T) {
	var l Limit
	l.SetMax(1)
	l.Acquire()
	l.Acquire()
	if l.InUse() != 2 || l.Remaining() != 0 || l.Overflow() != 0 {
		t.Errorf("InUse, Remaining, Overflow = %d, %d, %d; want 2, 0, 0", l.InUse(), l.Remaining(), l.Overflow())
	}
}

func TestLimitReleaseOfNothingPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Release of nothing went unnoticed")
		}
	}()
	new(Limit).Release()
}

// The property: among any number of goroutines, while the maximum moves, no
// more than the largest maximum are in at once, and at the end nobody.
func TestLimitIsNeverExceeded(t *testing.T) {
	const workers, rounds, largest = 8, 3000, 3
	var l Limit
	l.SetMax(largest)
	var under, worst atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				if w == 0 {
					l.SetMax(uint32(1 + i%largest))
				}
				if l.TryAcquire() {
					raise(&worst, under.Add(1))
					under.Add(-1)
					l.Release()
				}
			}
		})
	}
	wg.Wait()
	if worst.Load() > largest {
		t.Errorf("%d were in at once, want at most %d", worst.Load(), largest)
	}
	if l.InUse() != 0 {
		t.Errorf("InUse = %d at the end, want 0", l.InUse())
	}
}

// As many as there are places never see a refusal: a place that is free is
// given, whatever others try at the same time.
func TestLimitRefusesNobodyWhileThereIsRoom(t *testing.T) {
	const places = 4
	var l Limit
	l.SetMax(places)
	var wg sync.WaitGroup
	for range places {
		wg.Go(func() {
			for range 3000 {
				if !l.TryAcquire() {
					t.Error("refused although a place was free")
					return
				}
				l.Release()
			}
		})
	}
	wg.Wait()
}

func TestNothingAllocates(t *testing.T) {
	var l Limit
	l.SetMax(1)
	b := NewRetryBudget(DefaultRetryPercent, DefaultMinRetryConcurrency)
	var p RetryPermit
	var wait Backoff
	n := testing.AllocsPerRun(100, func() {
		if l.TryAcquire() {
			l.Release()
		}
		p.Acquire(b, 10)
		wait.Next(1)
		p.Release()
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkLimit(b *testing.B) {
	var l Limit
	l.SetMax(1024)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if l.TryAcquire() {
				l.Release()
			}
		}
	})
}
