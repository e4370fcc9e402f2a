package docs

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// top is the project's folder, seen from here.
const top = "../.."

// folder holds the program, as the Makefile builds it, and the stand-ins.
var folder string

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "outrider-docs-"); err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err == nil {
		err = build()
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

func build() error {
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", filepath.Join(folder, "outrider"), "./cmd/outrider")
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output)
	}
	return nil
}
