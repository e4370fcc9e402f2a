//go:build linux

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/grpclog"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(verdicts{})
	folder, err := os.MkdirTemp("", "outrider-interop-")
	binary = filepath.Join(folder, "outrider")
	if err == nil {
		err = build(binary)
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

// build makes the binary as the Makefile does, or with the race detector (OUTRIDER_E2E_RACE=1, as in test/e2e).
func build(to string) error {
	args, env := []string{"build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", to}, "CGO_ENABLED=0"
	if os.Getenv("OUTRIDER_E2E_RACE") == "1" {
		args, env = []string{"build", "-race", "-o", to}, "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "./cmd/outrider")...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), env)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output)
	}
	return nil
}
