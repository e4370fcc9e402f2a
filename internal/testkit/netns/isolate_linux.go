package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// marker names, in a child's environment, the test that it is to run.
const marker = "OUTRIDER_TEST_ISOLATED"

// EndsAtOnce, in the environment of a test binary under the race detector, spares the second it sleeps at its end.
const EndsAtOnce = "GORACE=atexit_sleep_ms=0"

// Isolated runs the calling test again in a child process under namespaces of its own, and blocks until that has
// ended. It returns true in the child, where the test goes on, and false in the parent, which has then failed, passed
// or been skipped as the child was. Only top-level tests may call it, first thing, and they must not be parallel.
func Isolated(t *testing.T) bool {
	t.Helper()
	if os.Getenv(marker) == t.Name() {
		settle(t)
		return true
	}
	Require(t)
	// The death signal is sent when the thread that started the child ends, so this thread must not.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	output, err := child(t).CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("in its own namespaces: %v\n%s", err, output)
	case strings.Contains(string(output), "--- SKIP: "+t.Name()+" "):
		t.Skipf("in its own namespaces: %s", output)
	}
	if testing.Verbose() {
		t.Logf("in its own namespaces:\n%s", output)
	}
	return false
}

// child is this test binary, told to run this one test.
func child(t *testing.T) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout="+remaining(t).String())
	cmd.Env = append(os.Environ(), marker+"="+t.Name(), EndsAtOnce)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

func remaining(t *testing.T) time.Duration {
	if deadline, ok := t.Deadline(); ok {
		return time.Until(deadline)
	}
	return 0
}

// settle makes the child's surroundings private. What it mounts goes with the process.
func settle(t *testing.T) {
	t.Helper()
	if os.Getpid() != 1 {
		t.Fatalf("%s is set, but this process is not the first of a process namespace", marker)
	}
	must(t, "making mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, "mounting /proc", unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	must(t, "mounting /run", unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"))
	must(t, "making /run/tmp", os.Mkdir("/run/tmp", 0o777))
	must(t, "opening /run/tmp", os.Chmod("/run/tmp", 0o777|fs.ModeSticky))
	t.Setenv("TMPDIR", "/run/tmp")
	privateCopy(t, "/etc/hosts")
	Here.Run(t, "ip", "link", "set", "lo", "up")
}

// privateCopy puts a copy over a file, to be written by the test alone.
func privateCopy(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	must(t, "reading "+path, err)
	replacement := "/run/" + strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
	must(t, "copying "+path, os.WriteFile(replacement, text, 0o644))
	must(t, "putting a copy over "+path, unix.Mount(replacement, path, "", unix.MS_BIND, ""))
}

// Self returns a path of the test binary that any user may execute; the go command keeps it in a folder closed to
// others. Only in an isolated test.
func Self(t *testing.T) string {
	t.Helper()
	const path = "/run/self.test"
	if _, err := os.Stat(path); err == nil {
		return path
	}
	own, err := os.Executable()
	must(t, "finding the test binary", err)
	must(t, "making "+path, os.WriteFile(path, nil, 0o755))
	must(t, "mounting the test binary", unix.Mount(own, path, "", unix.MS_BIND, ""))
	return path
}

func must(t *testing.T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", doing, err))
	}
}
