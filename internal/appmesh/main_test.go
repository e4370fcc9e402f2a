package appmesh

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// Documents are read thousands of times and thrown away: collecting them less
// often takes a quarter off.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	goleak.VerifyTestMain(m)
}

// some reports whether the i-th of many like cases is looked at: all of them,
// under the race detector one in n. What one goroutine does has nothing to race
// with, and takes ten times as long there.
func some(i, n int) bool { return !raceEnabled || i%n == 0 }
