//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binary is the program under test. binaryVariable hands it on to a test that runs itself in other namespaces.
var binary string

const binaryVariable = "OUTRIDER_E2E_BINARY"

// top is the project's folder, seen from here.
const top = "../.."

func TestMain(m *testing.M) {
	binary = os.Getenv(binaryVariable)
	if binary != "" {
		goleak.VerifyTestMain(m)
		return
	}
	folder, err := os.MkdirTemp("", "outrider-e2e-")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	binary = filepath.Join(folder, "outrider")
	if err == nil {
		err = build(binary)
	}
	if err == nil {
		err = os.Setenv(binaryVariable, binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(folder)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(folder)
		os.Exit(code)
	}))
}

// raceVariable, set to 1, has the binary built with the race detector.
const raceVariable = "OUTRIDER_E2E_RACE"

// build makes the binary as the Makefile does.
func build(to string) error {
	args, env := []string{"build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", to}, "CGO_ENABLED=0"
	if os.Getenv(raceVariable) == "1" {
		args, env = []string{"build", "-race", "-o", to}, "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "./cmd/outrider")...)
	cmd.Dir = top
	cmd.Env = append(os.Environ(), env)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output)
	}
	return nil
}
