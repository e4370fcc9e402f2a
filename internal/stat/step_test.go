package stat

import (
	"math"
	"testing"
	"testing/quick"
)

func TestEveryValueFallsIntoTheStepThatHoldsIt(t *testing.T) {
	holds := func(v uint64) bool {
		v &= 1<<42 - 1
		i := step(v)
		return lower(i) <= v && v < lower(i+1)
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
}

func TestAStepIsAtMostAnEighthOfItsStart(t *testing.T) {
	for i := 1 << subBits; i < steps; i++ {
		if width := lower(i+1) - lower(i); width*8 > lower(i) {
			t.Errorf("step %d is %d wide from %d", i, width, lower(i))
		}
	}
}

func TestStepsFollowOneAnotherWithoutGaps(t *testing.T) {
	for i := range steps {
		if got := step(lower(i)); got != i {
			t.Errorf("step(lower(%d)) = %d", i, got)
		}
		if got := step(lower(i+1) - 1); got != i {
			t.Errorf("the last value of step %d falls into %d", i, got)
		}
	}
	if step(lower(steps)) != steps-1 || step(math.MaxUint64) != steps-1 {
		t.Error("what is too large must count in the last step")
	}
	if lower(steps) != 1<<42 {
		t.Errorf("the last step ends at %d", lower(steps))
	}
}
