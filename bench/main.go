//go:build linux

// Command bench measures Outrider and its peers: how fast, how big, against whom?
//
//	bench load      generates HTTP load on a target and prints latencies and failures
//	bench backend   is the cheap server behind the proxies of a benchmark
//	bench compare   runs Outrider, nginx and HAProxy beside each other, protocol by protocol
//	bench idle      measures memory at rest, memory per connection and the time to LIVE
//	bench held      measures memory per idle HTTP/2 connection, HTTP/2 stream and TCP pair
//	bench mallocs   counts heap allocations per proxied request
//	bench validate  measures how long the documents of a large mesh take, in each form
//	bench all       runs the last five and prints the section for docs/benchmarks.md (what make bench calls)
//
// The commands parse flags and call the packages below this one. How a figure is made: one proxy at a time is loaded,
// pinned to one core, with generator and backend on another; its CPU time is what the kernel's scheduler has counted
// for all its threads between two moments, divided by the answers between the same moments; peers take turns, round by round, and medians are
// compared. Nothing but this machine is ever loaded, unless load is told --allow-remote.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type command struct {
	name, gist string
	run        func(ctx context.Context, args []string) error
}

var commands = []command{
	{"load", "generate HTTP load on a target: bench load [flags] URL", runLoad},
	{"backend", "serve the paths a benchmark asks for: bench backend [flags]", runBackend},
	{"compare", "run Outrider and its peers beside each other: bench compare [flags]", runCompare},
	{"idle", "measure time to LIVE, memory at rest and per connection: bench idle [flags]", runIdle},
	{"held", "measure memory per idle HTTP/2 connection, HTTP/2 stream and TCP pair: bench held [flags]", runHeld},
	{"mallocs", "count heap allocations per proxied request: bench mallocs [flags]", runMallocs},
	{"validate", "measure how long a large mesh takes to validate, form by form: bench validate [flags]", runValidate},
	{"all", "run compare, idle, held, mallocs and validate, print the section for docs/benchmarks.md: bench all [flags]", runAll},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	os.Exit(exitCode(err))
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) > 0 {
		for _, c := range commands {
			if c.name == args[0] {
				return c.run(ctx, args[1:])
			}
		}
	}
	usage := "usage: bench COMMAND [flags]\n"
	for _, c := range commands {
		usage += fmt.Sprintf("  %-9s %s\n", c.name, c.gist)
	}
	return usageError{errors.New(usage)}
}

// usageError is a command line that asks for nothing that can be done; the exit code is 2.
type usageError struct{ error }

// errFound says that the command did its work and found something wanting: failed requests, a missed target. It has been
// reported; the exit code is 1.
var errFound = errors.New("findings")

// exitCode reports err on standard error and turns it into the process's exit code: 0 fine, 1 findings, 2 usage,
// 3 something about this machine.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errFound):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 3
}

// parse parses a command's flags; the flag package has already explained an error to the user, so it returns it short.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{fmt.Errorf("%s: try --help", flags.Name())}
	}
	return nil
}
