//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
)

// stand is the test stand of a measuring command: two processors, a temporary folder, and a spawner that owns every
// process started. Close it in every way out.
type stand struct {
	stage peers.Stage
	rest  int // the processor of generator and backend
}

// standFlags are the flags all measuring commands have.
type standFlags struct {
	programs      peers.Programs
	proxyCPU, cpu int
}

func (f *standFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&f.programs.Outrider, "outrider", "bin/outrider", "Outrider's program")
	flags.StringVar(&f.programs.Nginx, "nginx", "/usr/sbin/nginx", "nginx's program")
	flags.StringVar(&f.programs.HAProxy, "haproxy", "/usr/sbin/haproxy", "HAProxy's program")
	flags.IntVar(&f.proxyCPU, "proxy-cpu", -1, "processor of the proxy under test (default: the last one allowed)")
	flags.IntVar(&f.cpu, "load-cpu", -1, "processor of load generator and backend (default: the first one allowed)")
}

// open checks that what the named peers need is there, and pins this process to the processor that is not the proxy's.
func (f *standFlags) open(names []string) (*stand, error) {
	var needed []string
	for _, name := range names {
		if path := f.programs.Path(name); path != "" {
			needed = append(needed, path)
		}
	}
	if err := peers.Require(needed...); err != nil {
		return nil, err
	}
	if err := f.choose(); err != nil {
		return nil, err
	}
	// Several generator threads share the one processor: the kernel shall deal it out, not the Go scheduler.
	runtime.GOMAXPROCS(8)
	if err := measure.Pin(f.cpu); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	spawner := peers.NewSpawner()
	return &stand{rest: f.cpu, stage: peers.Stage{Spawner: spawner, Programs: f.programs, Dir: dir, ProxyCPU: f.proxyCPU}}, nil
}

// choose picks the processors if the user has not; the choice is kept, for once pinned a process cannot see the others.
func (f *standFlags) choose() (err error) {
	switch {
	case f.proxyCPU < 0 && f.cpu < 0:
		f.proxyCPU, f.cpu, err = measure.Cores()
		return err
	case f.proxyCPU < 0 || f.cpu < 0 || f.proxyCPU == f.cpu:
		return usageError{errors.New("--proxy-cpu and --load-cpu go together and want two different processors")}
	}
	return nil
}

func (s *stand) close() {
	s.stage.Spawner.Close()
	if err := os.RemoveAll(s.stage.Dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// processors says which processor did what, for a report.
func (s *stand) processors() string {
	return fmt.Sprintf("proxy under test on processor %d, generator and backend on processor %d", s.stage.ProxyCPU, s.rest)
}

// interrupted turns the failure that Ctrl-C causes into one line.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; everything started has been ended")
	}
	return err
}
