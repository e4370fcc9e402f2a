// Package built gives tests the program as it is shipped: built once, as the
// Makefile does, or with the race detector where OUTRIDER_E2E_RACE is 1.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"go.uber.org/goleak"
)

// Program builds the program, alone in a folder that every user may read. It is
// for TestMain: where it fails it says so and exits; the folder goes with the
// tests' end.
func Program() (program string, end goleak.Option) {
	folder, err := os.MkdirTemp("", "outrider-test-")
	program = filepath.Join(folder, "outrider")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err == nil {
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(folder)
		os.Exit(1)
	}
	return program, goleak.Cleanup(func(code int) {
		os.RemoveAll(folder)
		os.Exit(code)
	})
}

func build(to string) error {
	args, env := []string{"build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", to}, "CGO_ENABLED=0"
	if os.Getenv("OUTRIDER_E2E_RACE") == "1" {
		args, env = []string{"build", "-race", "-o", to}, "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "github.com/outrider-mesh/outrider/cmd/outrider")...)
	cmd.Env = append(os.Environ(), env)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output)
	}
	return nil
}
