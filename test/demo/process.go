//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// program is something to run as a member. Only the main goroutine may run it: the thread decides the namespace.
type program struct {
	cmd       *exec.Cmd
	namespace string
}

// in prepares a program. The user 0 means: whoever runs the demo.
func (w *world) in(m *member, user uint32, env []string, args ...string) *program {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=/", "TMPDIR=" + w.options.folder}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if user != 0 && !w.options.direct {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user, Gid: user}
	}
	return &program{cmd: cmd, namespace: m.namespace}
}

// output runs the program to its end.
func (p *program) output(ctx context.Context) (string, error) {
	var text bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &text, &text
	if err := p.launch(); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() }) // it may have ended meanwhile
	defer stop()
	err := p.cmd.Wait()
	return text.String(), err
}

// start runs the program in the background; what it says goes to a file.
func (p *program) start(log string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p.cmd.Stdout, p.cmd.Stderr = file, file
	if err := p.launch(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.cmd.Path, err)
	}
	started := &process{cmd: p.cmd, log: log, done: make(chan struct{})}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(started.done)
	}()
	return started, nil
}

// launch starts the program in its namespace. The calling thread goes there, forks, and comes back.
func (p *program) launch() error {
	if p.namespace == "" {
		return p.cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	back, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer back.Close()
	there, err := os.Open("/run/netns/" + p.namespace)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering %s: %w", p.namespace, err)
	}
	return errors.Join(p.cmd.Start(), unix.Setns(int(back.Fd()), unix.CLONE_NEWNET))
}

// process is a started program. A nil one never ran.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

// ended reports a process that has ended; nil while it runs.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("it has ended: %s", p.cmd.ProcessState)
	default:
		return nil
	}
}

func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// tail is the last lines of what it said.
func (p *process) tail(lines int) []string {
	if p == nil {
		return nil
	}
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []string{err.Error()}
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return all[max(0, len(all)-lines):]
}

var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4}}

// fetch is a GET by the driver.
func fetch(ctx context.Context, url string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	return response.StatusCode, string(text), err
}
