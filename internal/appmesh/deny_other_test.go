//go:build !linux

package appmesh

import (
	"os"
	"testing"
)

// deny takes all permissions from a file.
func deny(t *testing.T, name string) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(name, 0o700) })
}
