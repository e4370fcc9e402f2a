package l7

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type task func()

func (f task) Run() { f() }

func waiting(c *Crew) []*hand {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.idle)
}

func TestAHandIsReusedAndEndsWhenNobodyNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew, ran := NewCrew(), 0
		work := func() {
			crew.Do(task(func() { ran++ }))
			synctest.Wait()
		}
		work()
		first := waiting(crew)[0]
		for range 3 {
			time.Sleep(handIdle / 2)
			work()
			if now := waiting(crew); len(now) != 1 || now[0] != first {
				t.Fatal("the next task was not run by the first hand")
			}
		}
		time.Sleep(2 * handIdle)
		synctest.Wait()
		if len(waiting(crew)) != 0 {
			t.Error("the hand is still there")
		}
		work()
		if crew.Close(); ran != 5 {
			t.Errorf("%d tasks ran, want 5", ran)
		}
	})
}

func TestOnlyWhatNobodyNeededEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew, hold := NewCrew(), make(chan struct{})
		together := func(n int) {
			for range n {
				crew.Do(task(func() { <-hold }))
			}
			synctest.Wait()
			for range n {
				hold <- struct{}{}
			}
			synctest.Wait()
		}
		together(8)
		for range 3 {
			time.Sleep(handIdle)
			together(3)
		}
		if n := len(waiting(crew)); n != 3 {
			t.Errorf("%d hands wait, want the 3 that are needed", n)
		}
		crew.Close()
	})
}

func TestHandingOverAllocatesNothing(t *testing.T) {
	crew, done := NewCrew(), make(chan struct{})
	defer crew.Close()
	var signal Task = task(func() { done <- struct{}{} })
	if n := testing.AllocsPerRun(200, func() { crew.Do(signal); <-done }); n > 0.5 {
		t.Errorf("%v allocations per task", n)
	}
}
