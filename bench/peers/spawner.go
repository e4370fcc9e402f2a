//go:build linux

// Package peers starts and ends what a benchmark needs: the proxies under test, each pinned to the one processor they take turns on, and
// the backend behind them.
//
// Every process started here is ended here, by its pid, whatever ends the benchmark: Close on the ordinary ways out and on Ctrl-C; and, should the
// harness itself be killed, by the kernel, which sends each child SIGTERM when the thread that started it is
// gone. So one thread starts them all, and lives as long as they may.
package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/bench/measure"
)

// Spawner starts processes from a thread of its own. Close it when all that it started may end.
type Spawner struct {
	jobs    chan func()
	mu      sync.Mutex
	started []*Process
}

// NewSpawner starts the thread.
func NewSpawner() *Spawner {
	s := &Spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// Close ends every process that still runs, newest first, and the thread.
func (s *Spawner) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.started) - 1; i >= 0; i-- {
		s.started[i].Stop()
	}
	close(s.jobs)
}

// Process is a child of the harness.
type Process struct {
	Name string
	cmd  *exec.Cmd
	said *tail
	done chan struct{} // closed when it has ended
	stop sync.Once
}

// Start runs cmd on one processor. What it says on both outputs is kept, its end only, for the case that it fails.
func (s *Spawner) Start(name string, cpu int, cmd *exec.Cmd) (*Process, error) {
	p := &Process{Name: name, cmd: cmd, said: &tail{}, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.said
	}
	cmd.Stderr = p.said
	// Its own process group: Ctrl-C at the terminal reaches the harness alone, which then ends its children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	result := make(chan error)
	s.jobs <- func() {
		err := measure.PinThread(0, cpu)
		if err == nil {
			err = cmd.Start()
		}
		result <- err
	}
	if err := <-result; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended matters only to Ended, which reads the state
		close(p.done)
	}()
	s.mu.Lock()
	s.started = append(s.started, p)
	s.mu.Unlock()
	return p, nil
}

// PIDs are the process and its descendants.
func (p *Process) PIDs() []int { return measure.Family(p.cmd.Process.Pid) }

// Ended reports a process that has ended, with the last it said; nil while it runs.
func (p *Process) Ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended (%v); its last words:\n%s", p.Name, p.cmd.ProcessState, p.said)
	default:
		return nil
	}
}

// Stop ends the process: SIGTERM, again for those that drain on the first, and SIGKILL after three seconds, to its
// descendants too. It returns when the process is gone; further calls wait for the first.
func (p *Process) Stop() {
	p.stop.Do(func() {
		family := p.PIDs()
		for _, patience := range []time.Duration{700 * time.Millisecond, 2300 * time.Millisecond} {
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // already gone: nothing to do
			select {
			case <-p.done:
				return
			case <-time.After(patience):
			}
		}
		for _, pid := range family {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.done
	})
}

// Await asks ready again and again until it is content; it fails when the process ends, after the time given, or with ctx.
func (p *Process) Await(ctx context.Context, patience, between time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ended := p.Ended(); ended != nil {
			return ended
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s is not ready: %w; its last words:\n%s", p.Name, err, p.said), context.Cause(ctx))
		case <-time.After(between):
		}
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// Require says which of the programs are missing, and how to get them.
func Require(programs ...string) error {
	var missing []error
	for _, path := range programs {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: apt-get install nginx haproxy, make build, or leave it out with --peers", path))
		}
	}
	return errors.Join(missing...)
}
