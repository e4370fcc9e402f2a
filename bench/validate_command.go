//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
	"github.com/outrider-mesh/outrider/bench/validate"
)

// runValidate is bench validate.
func runValidate(ctx context.Context, args []string) error {
	v := validate.Validate{Progress: os.Stderr}
	flags := flag.NewFlagSet("bench validate", flag.ContinueOnError)
	flags.StringVar(&v.Program, "outrider", "bin/outrider", "Outrider's program")
	flags.IntVar(&v.Nodes, "nodes", 2000, "virtual nodes in the mesh, 2 to 5000")
	flags.IntVar(&v.Runs, "runs", 3, "runs to take the median of, 1 to 100")
	if err := parse(flags, args); err != nil {
		return err
	}
	if !within(v.Nodes, 2, 5000) || !within(v.Runs, 1, 100) {
		return usageError{fmt.Errorf("validate: a number is out of its bounds: try --help")}
	}
	facts, err := measureValidate(ctx, v)
	if err := printFacts(facts, err); err != nil {
		return err
	}
	if slices.ContainsFunc(facts, report.Fact.Missed) {
		return errFound
	}
	return nil
}

func measureValidate(ctx context.Context, v validate.Validate) (facts []report.Fact, err error) {
	if err := peers.Require(v.Program); err != nil {
		return nil, err
	}
	if v.Dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(v.Dir) }()
	facts, err = v.Run(ctx)
	return facts, interrupted(ctx, err)
}
