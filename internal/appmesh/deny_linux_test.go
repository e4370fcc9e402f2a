package appmesh

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// deny takes all permissions from a file. Root, whom that does not stop, looks
// at files as nobody until the test ends.
func deny(t *testing.T, name string) {
	t.Helper()
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(name, 0o700) })
	if os.Geteuid() != 0 {
		return
	}
	for dir := filepath.Dir(name); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}
