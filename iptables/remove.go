package iptables

import (
	"context"
	"errors"
)

// Remove takes our rules out of the calling process's network namespace: of both families, of both variants. What is
// not there is no error. It leaves iptables-save as it was before Apply, counters, comments and empty built-in chains
// aside, whoever else's rules are there.
//
// It goes on after a failure, so that as little as possible stays, and returns all failures. It blocks while it runs a
// handful of programs. Errors: *PrivilegeError, *CommandError, and *MissingError if there is no program to look with.
func Remove(ctx context.Context) (Report, error) {
	unlock, err := lockNamespace(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return remove(ctx, system{})
}

func remove(ctx context.Context, host runner) (Report, error) {
	var report Report
	var failed error
	for _, family := range []Family{IPv4, IPv6} {
		outcome, err := removeFamily(ctx, host, family)
		failed = errors.Join(failed, err)
		report = append(report, outcome...)
	}
	return report, failed
}

func removeFamily(ctx context.Context, host runner, family Family) (Report, error) {
	if family == IPv6 {
		if has, err := hasIPv6(host); err != nil || !has {
			return Report{{Family: IPv6, Skipped: "this host has no IPv6"}}, err
		}
	}
	all, err := tables(ctx, host, family)
	if err != nil {
		return nil, err
	}
	var report Report
	for _, e := range removals(all) {
		changed, err := e.do(ctx, host)
		if err != nil {
			return report, err
		}
		report = report.with(e, changed)
	}
	if report == nil {
		chosen, _ := choose(all)
		report = Report{{Family: family, Variant: chosen.variant}}
	}
	return report, nil
}
