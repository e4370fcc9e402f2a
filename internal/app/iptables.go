package app

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/outrider-mesh/outrider/iptables"
)

const iptablesUsage = "usage: outrider iptables print|apply|remove [flags]"

// iptablesCommand prints, applies or removes the interception rules.
func iptablesCommand(ctx context.Context, p *Process, args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(p.Stderr, iptablesUsage)
		return ExitUsage
	}
	verb := args[0]
	var flags iptables.Flags
	fs := flag.NewFlagSet("outrider iptables "+verb, flag.ContinueOnError)
	flags.Register(fs)
	if code, done := parseFlags(p, fs, args[1:]); done {
		return code
	}
	if fs.NArg() > 0 || verb != "print" && verb != "apply" && verb != "remove" {
		fmt.Fprintln(p.Stderr, iptablesUsage)
		return ExitUsage
	}
	if verb == "remove" {
		report, err := iptables.Remove(ctx)
		return iptablesResult(p, report, err)
	}
	cfg, err := flags.Config(p.Getenv)
	if err != nil {
		return iptablesResult(p, iptables.Report{}, err)
	}
	if verb == "print" {
		return iptablesResult(p, iptables.Report{}, iptables.Print(p.Stdout, cfg))
	}
	report, err := iptables.Apply(ctx, cfg)
	return iptablesResult(p, report, err)
}

func iptablesResult(p *Process, report iptables.Report, err error) int {
	if err == nil {
		fmt.Fprint(p.Stdout, report.String())
		return ExitFine
	}
	fmt.Fprintln(p.Stderr, "outrider iptables:", err)
	var usage *iptables.ConfigError
	if errors.As(err, &usage) {
		return ExitUsage
	}
	return ExitEnvironment
}
