//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/bench/footprint"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
	"github.com/outrider-mesh/outrider/bench/validate"
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
	backs, err := peers.StartBackend(stand.stage.Spawner, peers.HTTP1, stand.rest, 1)
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

func measureMallocs(ctx context.Context, common *standFlags, mallocs footprint.Mallocs) (facts []report.Fact, err error) {
	stand, err := common.open([]string{peers.Outrider})
	if err != nil {
		return nil, err
	}
	defer stand.close()
	for _, protocol := range []peers.Protocol{peers.HTTP1, peers.HTTP2} {
		backs, err := peers.StartBackend(stand.stage.Spawner, protocol, stand.rest, 1)
		if err != nil {
			return nil, err
		}
		peer, err := stand.stage.Start(ctx, peers.Outrider, protocol, backs[0])
		if err != nil {
			return nil, interrupted(ctx, err)
		}
		more, err := mallocs.Run(ctx, peer)
		peer.Stop()
		if facts = append(facts, more...); err != nil {
			return facts, interrupted(ctx, err)
		}
	}
	return facts, nil
}

// runHeld is bench held.
func runHeld(ctx context.Context, args []string) error {
	var common standFlags
	held := footprint.Protocols{Progress: os.Stderr}
	flags := flag.NewFlagSet("bench held", flag.ContinueOnError)
	common.add(flags)
	flags.IntVar(&held.Connections, "connections", 5000, "HTTP/2 connections, and TCP pairs, to hold, 1 to 25000")
	flags.IntVar(&held.Streams, "streams", 10000, "HTTP/2 streams to hold, 1 to 100000")
	flags.IntVar(&held.StreamsEach, "streams-each", 100, "at most on one connection, 1 to 1000")
	if err := parse(flags, args); err != nil {
		return err
	}
	if !within(held.Connections, 1, 25000) || !within(held.Streams, 1, 100000) || !within(held.StreamsEach, 1, 1000) {
		return usageError{fmt.Errorf("held: a number is out of its bounds: try --help")}
	}
	return printFacts(measureHeld(ctx, &common, held))
}

func measureHeld(ctx context.Context, common *standFlags, held footprint.Protocols) ([]report.Fact, error) {
	stand, err := common.open([]string{peers.Outrider})
	if err != nil {
		return nil, err
	}
	defer stand.close()
	backs, err := peers.StartBackend(stand.stage.Spawner, peers.HTTP2, stand.rest, 3)
	if err != nil {
		return nil, err
	}
	facts, err := held.Run(ctx, stand.stage, [3]netip.AddrPort(backs))
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
	held := footprint.Protocols{Connections: 5000, Streams: 10_000, StreamsEach: 100, Progress: os.Stderr}
	documents := validate.Validate{Program: f.stand.programs.Outrider, Nodes: 2000, Runs: 3, Progress: os.Stderr}
	if f.smoke {
		documents.Nodes, documents.Runs = 200, 1
		idle.Starts, idle.Settle, idle.Connections, mallocs.Requests = 1, time.Second, 1000, 10_000
		held.Connections, held.Streams = 200, 500
	}
	result, err := f.run(ctx) // first: it may build the earlier program, with all processors
	if err != nil {
		return err
	}
	fmt.Print("## Beside peers\n\n")
	if err := result.Write(os.Stdout); err != nil {
		return err
	}
	facts, err := measureIdle(ctx, &f.stand, idle)
	if err != nil {
		return err
	}
	perHeld, err := measureHeld(ctx, &f.stand, held)
	if err != nil {
		return err
	}
	perRequest, err := measureMallocs(ctx, &f.stand, mallocs)
	if err != nil {
		return err
	}
	fmt.Print("\n## At rest\n\n")
	if err := report.WriteFacts(os.Stdout, slices.Concat(facts, perHeld, perRequest)); err != nil {
		return err
	}
	perForm, err := measureValidate(ctx, documents)
	if err != nil {
		return err
	}
	fmt.Print("\n## Documents\n\n")
	if err := report.WriteFacts(os.Stdout, perForm); err != nil {
		return err
	}
	return f.verdict(result)
}
