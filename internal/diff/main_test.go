package diff

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// Snapshots are made thousands of times and thrown away: collecting them less
// often takes a quarter off.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	goleak.VerifyTestMain(m)
}
