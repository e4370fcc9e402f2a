package testkit

import (
	"os"
	"testing"
	"time"
)

// Eventually waits until done says yes, and fails the test if it never does.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for give := time.Now().Add(Patience); time.Now().Before(give); <-tick.C {
		if done() {
			return
		}
	}
	t.Errorf("it never came about: %s", what)
}

// Wait takes a value from a channel, and fails the test if none comes.
func Wait[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(Patience):
		t.Fatalf("it never came about: %s", what)
	}
	return v
}

// Descriptors is how many file descriptors this process has open; the test is
// skipped where they cannot be counted.
func Descriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("descriptors cannot be counted here: %v", err)
	}
	return len(names)
}

// NoMoreDescriptors waits until no more are open than before, but for a few
// that the runtime keeps.
func NoMoreDescriptors(t testing.TB, before int) {
	t.Helper()
	now := 0
	Eventually(t, "descriptors closed", func() bool {
		now = Descriptors(t)
		return now <= before+2
	})
	if now > before+2 {
		t.Errorf("%d descriptors before, %d after", before, now)
	}
}
