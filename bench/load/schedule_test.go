//go:build linux

package load

import (
	"testing"
	"testing/quick"
)

func TestEveryRequestIsDueOnceAndInItsPlace(t *testing.T) {
	const rate, workers = 1000, 3
	seen := map[int64]int{}
	for k := range int64(workers) {
		s := schedule{rate: rate, worker: k, of: workers, limit: 100}
		for !s.done() {
			due, ok := s.due()
			if !ok {
				t.Fatal("not due although not done")
			}
			seen[due]++
			s.next++
		}
		if _, ok := s.due(); ok {
			t.Error("due beyond its limit")
		}
	}
	for i := range int64(workers * 100) {
		if seen[i*1_000_000] != 1 {
			t.Fatalf("request %d: due %d times at %d ns", i, seen[i*1_000_000], i*1_000_000)
		}
	}
}

func TestDueByCountsWhatStepsWouldFind(t *testing.T) {
	check := func(rate uint16, worker, of uint8, started uint8, now uint32) bool {
		s := schedule{rate: float64(rate)/7 + 0.1, of: int64(of)%8 + 1, next: int64(started) % 16}
		s.worker = int64(worker) % s.of
		moment := int64(now) % 2_000_000_000
		var want int64
		for n := s.next; s.at(n) <= moment; n++ {
			want++
		}
		return s.dueBy(moment) == want
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestAClosedLoopOwesNothing(t *testing.T) {
	s := schedule{of: 1}
	if _, ok := s.due(); ok || s.dueBy(1e18) != 0 || s.done() {
		t.Error("a closed loop has requests due, or an end")
	}
}
