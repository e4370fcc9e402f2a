//go:build linux

package e2e

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/testkit/built"
)

// binary is the program under test. binaryVariable hands it on to a test that runs itself in other namespaces.
var binary string

const binaryVariable = "OUTRIDER_E2E_BINARY"

// top is the project's folder, seen from here.
const top = "../.."

func TestMain(m *testing.M) {
	if binary = os.Getenv(binaryVariable); binary != "" {
		goleak.VerifyTestMain(m)
		return
	}
	var end goleak.Option
	binary, end = built.Program()
	os.Setenv(binaryVariable, binary)
	goleak.VerifyTestMain(m, end)
}
