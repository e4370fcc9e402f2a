package netns

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
)

// victim, in the environment, lets TestVictim run: a test that sets everything up, tells so, and waits to be killed.
const victim = "OUTRIDER_TEST_VICTIM"

func TestVictim(t *testing.T) {
	report := os.Getenv(victim)
	if report == "" || !kit.Isolated(t) {
		return // Run by TestKill9LeavesNothing alone.
	}
	kit.New(t, "outrider-victim")
	apply(t, task())
	if err := os.WriteFile("/etc/hosts", []byte("10.0.0.1 outrider-victim\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(t.TempDir(), "outrider-victim"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := kit.Here.Command(t.Context(), "sleep", "1000000").Start(); err != nil {
		t.Fatal(err)
	}
	// The report is a pipe that the killer made: the one file shared with the world outside.
	pipe, err := os.OpenFile(report, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"/proc/self/ns/net", "/proc/self/ns/mnt", "/proc/self/ns/pid"} {
		name, err := os.Readlink(namespace)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(pipe, name)
	}
	pipe.Close()
	select {}
}

// A test that is killed, or whose go test is killed, leaves no process, namespace, rule or file.
func TestKill9LeavesNothing(t *testing.T) {
	kit.Require(t, "iptables-nft-save", "iptables-nft-restore")
	for name, whom := range map[string]func(parent, child int) int{
		"the test itself is killed":    func(_, child int) int { return child },
		"whoever started it is killed": func(parent, _ int) int { return parent },
	} {
		t.Run(name, func(t *testing.T) {
			before := traces(t)
			parent, namespaces := startVictim(t)
			child := onlyChild(t, parent)
			end := pidfd(t, child)
			if err := unix.Kill(whom(parent, child), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			awaitEnd(t, end)
			for _, namespace := range namespaces {
				if holder := holderOf(t, namespace); holder != "" {
					t.Errorf("%s is still held by %s", namespace, holder)
				}
			}
			if after := traces(t); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// startVictim runs TestVictim in a process of its own and returns once it has set everything up.
func startVictim(t *testing.T) (parent int, namespaces []string) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report")
	if err := unix.Mkfifo(report, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(report, os.O_RDWR, 0) // For both: does not wait for the victim.
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), victim+"="+report)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
		fmt.Fprint(pipe, "ended\nended\nended\n") // Nobody waits for a victim that is no more.
	}()
	t.Cleanup(func() { <-ended; pipe.Close() })

	lines := bufio.NewScanner(pipe)
	for range 3 {
		if !lines.Scan() || lines.Text() == "ended" {
			t.Fatalf("the victim has not set up anything: %v", lines.Err())
		}
		namespaces = append(namespaces, lines.Text())
	}
	return cmd.Process.Pid, namespaces
}

// onlyChild returns the process that a process has started, over all of its threads.
func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	var children []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, strings.Fields(string(text))...)
	}
	if len(children) != 1 {
		t.Fatalf("process %d has the children %q", parent, children)
	}
	pid, err := strconv.Atoi(children[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func pidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// awaitEnd blocks until the process has ended. The first process of a process namespace ends after all the others.
func awaitEnd(t *testing.T, fd int) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 20_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n != 1 {
			t.Fatalf("the test lives on: %d, %v", n, err)
		}
		return
	}
}

// holderOf names a process that lives in a namespace, or "". A dead one that its new parent has not yet asked for holds
// nothing any more.
func holderOf(t *testing.T, namespace string) string {
	t.Helper()
	kind, _, _ := strings.Cut(namespace, ":")
	links, err := filepath.Glob("/proc/[0-9]*/ns/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if name, err := os.Readlink(link); err != nil || name != namespace {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(link)), "stat"))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return link
		}
	}
	return ""
}

// traces is what the victim would leave if it were not isolated: rules of this machine, names of namespaces, files.
func traces(t *testing.T) string {
	t.Helper()
	text := plain(kit.Here.Run(t, "iptables-nft-save")) + plain(kit.Here.Run(t, "ip6tables-nft-save"))
	for _, file := range []string{"/proc/self/net/ip_tables_names", "/proc/self/net/ip6_tables_names", "/etc/hosts"} {
		contents, _ := os.ReadFile(file)
		text += file + ":\n" + string(contents)
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "netns") || strings.Contains(line, "etc.hosts") || strings.Contains(line, "self.test") {
			text += "mounted: " + line
		}
	}
	for _, pattern := range []string{"/run/netns/*", "/run/tmp/*", "/run/self.test", "/run/etc.hosts", filepath.Join(os.TempDir(), "TestVictim*")} {
		files, _ := filepath.Glob(pattern)
		text += pattern + ": " + strings.Join(files, " ") + "\n"
	}
	return text
}
