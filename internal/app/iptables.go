package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-mesh/outrider/iptables"
)

const iptablesUsage = "usage: outrider iptables print|apply|remove|verify [flags]"

// iptablesCommand prints, applies, removes or verifies the interception rules.
func iptablesCommand(ctx context.Context, p *Process, args []string) int {
	var flags iptables.Flags
	fs := newFlags(iptablesUsage)
	flags.Register(fs)
	format := fs.String("format", "text", "of verify: text or json")
	verbs, code, done := parseFlags(p, fs, args)
	if done {
		return code
	}
	if len(verbs) != 1 || !slices.Contains([]string{"print", "apply", "remove", "verify"}, verbs[0]) || *format != "text" && *format != "json" {
		fs.Usage()
		return ExitUsage
	}
	verb := verbs[0]
	if verb == "remove" {
		report, err := iptables.Remove(ctx)
		return iptablesResult(p, report, err)
	}
	cfg, err := flags.Config(p.Getenv)
	if err != nil {
		return iptablesResult(p, iptables.Report{}, err)
	}
	switch verb {
	case "print":
		return iptablesResult(p, iptables.Report{}, iptables.Print(p.Stdout, cfg))
	case "verify":
		return verifyTables(ctx, p, cfg, verification{format: *format, fix: applyCommand(fs)})
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
