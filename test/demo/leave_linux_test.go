//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// demoBinary and outriderBinary are built once for all tests.
var demoBinary, outriderBinary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "demo-test-")
	demoBinary, outriderBinary = filepath.Join(folder, "demo"), filepath.Join(folder, "outrider")
	for binary, source := range map[string]string{demoBinary: ".", outriderBinary: "../../cmd/outrider"} {
		if err == nil {
			var output []byte
			if output, err = exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", binary, source).CombinedOutput(); err != nil {
				err = fmt.Errorf("go build %s: %w\n%s", source, err, output)
			}
		}
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

// show is a running demo with a folder for temporary files of its own.
type show struct {
	cmd    *exec.Cmd
	temp   string
	output bytes.Buffer
}

func start(t *testing.T, args ...string) *show {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: apt-get install curl")
	}
	s := &show{temp: t.TempDir()}
	s.cmd = exec.Command(demoBinary, append([]string{"-outrider", outriderBinary, "-documents", "../../examples/guide"}, args...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.temp)
	return s
}

// running starts the demo, and returns when it keeps running.
func running(t *testing.T, args ...string) *show {
	t.Helper()
	s := start(t, append([]string{"-keep", "-step", "live"}, args...)...)
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended, if all went well
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		s.output.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "keeps running") {
			return s
		}
	}
	t.Fatalf("it ended:\n%s", &s.output)
	return nil
}

// ways are the two ways to run; without root the first is the second.
var ways = map[string][]string{"isolated": nil, "direct": {"-direct"}}

func TestHoweverItEndsNothingIsLeft(t *testing.T) {
	for way, args := range ways {
		for how, end := range map[string]func(demo int, family []int) error{
			"by Ctrl-C":               func(demo int, _ []int) error { return syscall.Kill(demo, syscall.SIGINT) },
			"by kill -9 of the demo":  func(demo int, _ []int) error { return syscall.Kill(demo, syscall.SIGKILL) },
			"by kill -9 of its stage": func(_ int, family []int) error { return syscall.Kill(family[0], syscall.SIGKILL) },
		} {
			t.Run(way+" "+how, func(t *testing.T) {
				before := machine(t)
				s := running(t, args...)
				family := descendants(t, s.cmd.Process.Pid)
				if len(family) < 10 { // the stage, four apps, four sidecars, the database
					t.Fatalf("the demo's processes are %v", family)
				}
				if err := end(s.cmd.Process.Pid, family); err != nil {
					t.Fatal(err)
				}
				_ = s.cmd.Wait() // however it ended
				eventually(t, "its processes have gone", func() bool { return !anyAlive(family) })
				eventually(t, "its files have gone", func() bool {
					left, err := os.ReadDir(s.temp)
					return err == nil && len(left) == 0
				})
				if after := machine(t); after != before {
					t.Errorf("the machine has changed from\n%s\nto\n%s", before, after)
				}
			})
		}
	}
}

func TestTwiceAtOnce(t *testing.T) {
	for way, args := range ways {
		t.Run(way, func(t *testing.T) {
			var shows []*show
			for range 2 {
				s := start(t, append([]string{"-step", "header"}, args...)...)
				s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
				if err := s.cmd.Start(); err != nil {
					t.Fatal(err)
				}
				shows = append(shows, s)
			}
			for _, s := range shows {
				if err := s.cmd.Wait(); err != nil {
					t.Errorf("%v\n%s", err, &s.output)
				}
			}
		})
	}
}

// machine is what the demo must never touch.
func machine(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, file := range []string{"/etc/hosts", "/etc/resolv.conf"} {
		contents, _ := os.ReadFile(file) // without the file there is nothing to change
		text.Write(contents)
	}
	names, _ := filepath.Glob("/run/netns/*")
	fmt.Fprintln(&text, names)
	if rules, err := exec.Command("iptables-save", "-t", "nat").Output(); err == nil {
		for line := range strings.Lines(string(rules)) {
			if strings.HasPrefix(line, "-") {
				text.WriteString(line)
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&text, strings.Count(string(mounts), "\n"), "mounts")
	return text.String()
}

// descendants are the processes below one, nearest first.
func descendants(t *testing.T, pid int) (family []int) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread that has ended has no children
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			family = append(append(family, child), descendants(t, child)...)
		}
	}
	return family
}

// anyAlive: a dead process that nobody has asked for yet is not alive.
func anyAlive(pids []int) bool {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(text), ") Z ") {
			return true
		}
	}
	return false
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-deadline:
			t.Fatalf("20 s, and it is not so that %s", what)
		case <-tick.C:
		}
	}
}
