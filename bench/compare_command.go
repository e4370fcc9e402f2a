//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/bench/compare"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// compareFlags are what bench compare and bench all may be told.
type compareFlags struct {
	stand            standFlags
	plan             compare.Plan
	peers, scenarios string
	before           string
	smoke, strict    bool
}

func (f *compareFlags) add(flags *flag.FlagSet) {
	f.stand.add(flags)
	flags.IntVar(&f.plan.Rounds, "rounds", 5, "how often every scenario is measured with every peer, 1 to 1000")
	flags.DurationVar(&f.plan.Window, "duration", 1500*time.Millisecond, "of one measured window")
	flags.DurationVar(&f.plan.Warmup, "warmup", 300*time.Millisecond, "load before each window")
	flags.StringVar(&f.peers, "peers", strings.Join(peers.Names, ","), "who is measured, each where it speaks the protocol")
	flags.StringVar(&f.scenarios, "scenarios", "", "which scenarios (default all); a name may end in an asterisk: h2c-*")
	flags.StringVar(&f.before, "before", "", "an earlier Outrider to run beside today's over HTTP/1.1: a program or a git `revision` "+
		"(default "+beforeHTTP2+" if it can be built)")
	flags.BoolVar(&f.smoke, "smoke", false, "one very short round: does everything run? Its figures mean nothing")
	flags.BoolVar(&f.strict, "strict", false, "exit with 1 when a target is missed")
}

// check fills the plan in and refuses what makes no sense.
func (f *compareFlags) check() (err error) {
	if f.smoke {
		f.plan.Rounds, f.plan.Window, f.plan.Warmup = 1, 200*time.Millisecond, 50*time.Millisecond
	}
	f.plan.Peers = split(f.peers)
	for i, name := range f.plan.Peers {
		if !slices.Contains(peers.Names, name) || slices.Contains(f.plan.Peers[:i], name) {
			return fmt.Errorf("--peers %q: want each at most once of %s", f.peers, strings.Join(peers.Names, ","))
		}
	}
	switch {
	case len(f.plan.Peers) == 0:
		return errors.New("--peers: nobody to measure")
	case f.plan.Rounds < 1 || f.plan.Rounds > 1000:
		return fmt.Errorf("--rounds %d: want 1 to 1000", f.plan.Rounds)
	case f.plan.Window < 10*time.Millisecond || f.plan.Window > 10*time.Minute:
		return fmt.Errorf("--duration %v: want 10ms to 10m", f.plan.Window)
	case f.plan.Warmup < 0 || f.plan.Warmup > time.Minute:
		return fmt.Errorf("--warmup %v: want 0 to 1m", f.plan.Warmup)
	}
	f.plan.Scenarios, err = compare.Pick(split(f.scenarios))
	f.plan.Progress = os.Stderr
	return err
}

// runCompare is bench compare. It fails (exit code 1) if requests did, and with --strict if a target is missed.
func runCompare(ctx context.Context, args []string) error {
	var f compareFlags
	flags := flag.NewFlagSet("bench compare", flag.ContinueOnError)
	f.add(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return usageError{fmt.Errorf("compare: %w", err)}
	}
	result, err := f.run(ctx)
	if err != nil {
		return err
	}
	if err := result.Write(os.Stdout); err != nil {
		return err
	}
	return f.verdict(result)
}

// run makes the comparison on a stand of its own.
func (f *compareFlags) run(ctx context.Context) (report.Comparison, error) {
	dir, err := os.MkdirTemp("", "bench-before-")
	if err != nil {
		return report.Comparison{}, err
	}
	defer os.RemoveAll(dir)
	missing, err := f.prepareBefore(ctx, dir) // with all processors, before this process is pinned to one
	if err != nil {
		return report.Comparison{}, interrupted(ctx, err)
	}
	stand, err := f.stand.open(f.plan.Peers)
	if err != nil {
		return report.Comparison{}, err
	}
	defer stand.close()
	result, err := f.plan.Run(ctx, stand.stage, stand.rest)
	return report.Comparison{
		Date: time.Now().UTC().Format("2006-01-02"), Machine: measure.Machine(), Versions: result.Versions, Outcomes: result.Outcomes,
		Missing: append(missing, result.Missing...),
		How: fmt.Sprintf("Medians of %d rounds, windows of %v after %v of warm-up, peers taking turns; %s.",
			f.plan.Rounds, f.plan.Window, f.plan.Warmup, stand.processors()),
	}, interrupted(ctx, err)
}

// prepareBefore finds or builds the earlier program, if the plan has a use for it. Without one that was asked for by name the comparison goes on, and says so.
func (f *compareFlags) prepareBefore(ctx context.Context, dir string) (missing []string, err error) {
	if !f.plan.Measures(peers.Before) {
		f.plan.Peers = slices.DeleteFunc(f.plan.Peers, func(name string) bool { return name == peers.Before })
		return nil, nil
	}
	what := cmp.Or(f.before, beforeHTTP2)
	fmt.Fprintf(os.Stderr, "preparing the earlier build, %s\n", what)
	f.stand.programs.Before, err = earlierProgram(ctx, what, dir)
	if err == nil || f.before != "" || ctx.Err() != nil {
		return nil, err
	}
	f.plan.Peers = slices.DeleteFunc(f.plan.Peers, func(name string) bool { return name == peers.Before })
	fmt.Fprintf(os.Stderr, "bench: NOT MEASURED: %s: %v\n", peers.Before, err)
	return []string{fmt.Sprintf("%s, the build of revision %s: %v", peers.Before, what, err)}, nil
}

func (f *compareFlags) verdict(result report.Comparison) error {
	if n := result.Failed(); n > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d requests failed\n", n)
		return errFound
	}
	if n := result.Missed(); n > 0 && !f.smoke {
		fmt.Fprintf(os.Stderr, "bench: %d targets missed\n", n)
		if f.strict {
			return errFound
		}
	}
	return nil
}

// split cuts a list at its commas; an empty text is an empty list.
func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
