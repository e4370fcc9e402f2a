package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace of an isolated test. It belongs to the test and goes with it.
type Namespace struct {
	name string // as ip netns knows it; "" is the test's own
}

// Here is the namespace that the isolated test itself runs in.
var Here = &Namespace{}

// New makes another network namespace, with its loopback device up.
func New(t *testing.T, name string) *Namespace {
	t.Helper()
	Here.Run(t, "ip", "netns", "add", name)
	n := &Namespace{name: name}
	n.Run(t, "ip", "link", "set", "lo", "up")
	return n
}

// Command is a program to be run in the namespace.
func (n *Namespace) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	if n == nil || n.name == "" {
		return exec.CommandContext(ctx, program, args...)
	}
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.name, program}, args...)...)
}

// Run runs a program in the namespace and returns its standard output. If it fails, so does the test.
func (n *Namespace) Run(t *testing.T, program string, args ...string) string {
	t.Helper()
	return n.Feed(t, "", program, args...)
}

// Feed is Run with a text for standard input.
func (n *Namespace) Feed(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	cmd := n.Command(t.Context(), program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s%s", cmd, err, stdin, &stdout, &stderr)
	}
	return stdout.String()
}

// Do calls f on a thread that is inside the namespace. Sockets that f opens itself belong to it; goroutines that f
// starts do not. Names are not to be resolved there: give addresses.
func (n *Namespace) Do(f func() error) (err error) {
	if n == nil || n.name == "" {
		return f()
	}
	there, err := os.Open("/run/netns/" + n.name)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	back, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer back.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering namespace %s: %w", n.name, err)
	}
	err = f()
	if failed := unix.Setns(int(back.Fd()), unix.CLONE_NEWNET); failed != nil {
		return errors.Join(err, failed) // The thread stays locked, and ends with its goroutine.
	}
	runtime.UnlockOSThread()
	return err
}

// End is one end of a cable.
type End struct {
	In        *Namespace // nil is the test's own
	Device    string
	Addresses []string // with prefix length, IPv4 and IPv6
}

// Connect lays a cable (a veth pair) and brings both ends up. IPv6 addresses can be used at once: nobody else is on the
// cable, so they are not checked for duplicates.
func Connect(t *testing.T, a, b End) {
	t.Helper()
	// Made under other names and then moved: both ends may be called eth0.
	Here.Run(t, "ip", "link", "add", "cable-a", "type", "veth", "peer", "name", "cable-b")
	for device, end := range map[string]End{"cable-a": a, "cable-b": b} {
		if end.In != nil && end.In.name != "" {
			Here.Run(t, "ip", "link", "set", device, "netns", end.In.name)
		}
		end.In.Run(t, "ip", "link", "set", device, "name", end.Device)
		for _, address := range end.Addresses {
			args := []string{"address", "add", address, "dev", end.Device}
			if strings.Contains(address, ":") {
				args = append(args, "nodad")
			}
			end.In.Run(t, "ip", args...)
		}
		end.In.Run(t, "ip", "link", "set", end.Device, "up")
	}
}
