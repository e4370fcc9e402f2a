//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/outrider-mesh/outrider/bench/footprint"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// runIdle is bench idle.
func runIdle(ctx context.Context, args []string) error {
	var common standFlags
	idle := footprint.Idle{Progress: os.Stderr}
	flags := flag.NewFlagSet("bench idle", flag.ContinueOnError)
	common.add(flags)
	flags.IntVar(&idle.Nodes, "nodes", 200, "virtual nodes in the generated mesh, 2 to 10000")
	flags.IntVar(&idle.Starts, "starts", 5, "starts to take the median of, 1 to 100")
	flags.DurationVar(&idle.Settle, "settle", 10*time.Second, "from LIVE to reading memory")
	flags.IntVar(&idle.Connections, "connections", 10000, "connections to hold, 1 to 25000")
	flags.IntVar(&idle.Others, "others", 500, "connections at work meanwhile, 1 to 5000")
	if err := parse(flags, args); err != nil {
		return err
	}
	if !within(idle.Nodes, 2, 10000) || !within(idle.Starts, 1, 100) || !within(idle.Connections, 1, 25000) || !within(idle.Others, 1, 5000) {
		return usageError{fmt.Errorf("idle: a number is out of its bounds: try --help")}
	}
	return printFacts(measureIdle(ctx, &common, idle))
}

func within(n, low, high int) bool { return low <= n && n <= high }

func measureIdle(ctx context.Context, common *standFlags, idle footprint.Idle) ([]report.Fact, error) {
	stand, err := common.open([]string{peers.Outrider})
	if err != nil {
		return nil, err
	}
	defer stand.close()
	backs, err := peers.StartBackend(stand.stage.Spawner, stand.rest, 1)
	if err != nil {
		return nil, err
	}
	facts, err := idle.Run(ctx, stand.stage, backs[0])
	return facts, interrupted(ctx, err)
}

// runMallocs is bench mallocs.
func runMallocs(ctx context.Context, args []string) error {
	var common standFlags
	mallocs := footprint.Mallocs{Progress: os.Stderr}
	flags := flag.NewFlagSet("bench mallocs", flag.ContinueOnError)
	common.add(flags)
	flags.Int64Var(&mallocs.Requests, "requests", 200_000, "requests to count over, at least 1")
	flags.IntVar(&mallocs.Connections, "connections", 8, "connections, 1 to 5000")
	if err := parse(flags, args); err != nil {
		return err
	}
	if mallocs.Requests < 1 || !within(mallocs.Connections, 1, 5000) {
		return usageError{fmt.Errorf("mallocs: a number is out of its bounds: try --help")}
	}
	return printFacts(measureMallocs(ctx, &common, mallocs))
}

func measureMallocs(ctx context.Context, common *standFlags, mallocs footprint.Mallocs) ([]report.Fact, error) {
	stand, err := common.open([]string{peers.Outrider})
	if err != nil {
		return nil, err
	}
	defer stand.close()
	backs, err := peers.StartBackend(stand.stage.Spawner, stand.rest, 1)
	if err != nil {
		return nil, err
	}
	peer, err := stand.stage.Start(ctx, peers.Outrider, backs[0])
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	facts, err := mallocs.Run(ctx, peer)
	return facts, interrupted(ctx, err)
}

func printFacts(facts []report.Fact, err error) error {
	if err != nil {
		return err
	}
	fmt.Printf("Measured %s on %s.\n\n", time.Now().UTC().Format("2006-01-02"), measure.Machine())
	return report.WriteFacts(os.Stdout, facts)
}

// runAll is bench all: everything with its defaults, as the section of docs/benchmarks.md.
func runAll(ctx context.Context, args []string) error {
	var f compareFlags
	flags := flag.NewFlagSet("bench all", flag.ContinueOnError)
	f.add(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return usageError{fmt.Errorf("all: %w", err)}
	}
	idle := footprint.Idle{Nodes: 200, Starts: 5, Settle: 10 * time.Second, Connections: 10_000, Others: 500, Progress: os.Stderr}
	mallocs := footprint.Mallocs{Requests: 200_000, Connections: 8, Progress: os.Stderr}
	if f.smoke {
		idle.Starts, idle.Settle, idle.Connections, mallocs.Requests = 1, time.Second, 1000, 10_000
	}
	facts, err := measureIdle(ctx, &f.stand, idle)
	if err != nil {
		return err
	}
	more, err := measureMallocs(ctx, &f.stand, mallocs)
	if err != nil {
		return err
	}
	result, err := f.run(ctx)
	if err != nil {
		return err
	}
	fmt.Print("## Beside peers\n\n")
	if err := result.Write(os.Stdout); err != nil {
		return err
	}
	fmt.Print("\n## At rest\n\n")
	if err := report.WriteFacts(os.Stdout, append(facts, more...)); err != nil {
		return err
	}
	return f.verdict(result)
}
