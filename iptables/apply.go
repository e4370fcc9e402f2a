package iptables

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Report says what became of each family, in the order IPv4, IPv6.
type Report []Outcome

// Outcome is the state of one family's nat table after Apply or Remove.
type Outcome struct {
	Family  Family
	Variant Variant // "" if Skipped
	Rules   int     // rules of ours that the table now holds, jumps included
	Changed bool    // false: it was so already
	Skipped string  // why the family was not touched, if it was not
}

// String is one line per family, for people.
func (r Report) String() string {
	var b strings.Builder
	for _, o := range r {
		switch {
		case o.Skipped != "":
			fmt.Fprintf(&b, "%s: skipped: %s\n", o.Family, o.Skipped)
		case o.Changed:
			fmt.Fprintf(&b, "%s: %d rules in the nat table (%s)\n", o.Family, o.Rules, o.Variant)
		default:
			fmt.Fprintf(&b, "%s: %d rules in the nat table (%s), as before\n", o.Family, o.Rules, o.Variant)
		}
	}
	return b.String()
}

// Apply puts the rules of the Config in force in the calling process's network namespace, replacing those of an
// earlier Apply. Each family is changed in one step; if a later family fails, or the context ends, the earlier ones are
// put back as they were. Applying the same Config again changes nothing. With EnableIPv6 off, IPv6 rules of an earlier
// Apply are removed.
//
// It blocks while it runs a handful of programs, and while another Apply or Remove is at work in this namespace.
// Errors: *ConfigError before anything is touched, *PrivilegeError,
// *MissingError, *CommandError.
func Apply(ctx context.Context, cfg Config) (Report, error) {
	unlock, err := lockNamespace(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return apply(ctx, system{}, cfg)
}

func apply(ctx context.Context, host runner, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	v4, err := familyEdits(ctx, host, NewPlan(cfg, IPv4))
	if err != nil {
		return nil, err
	}
	v6, skipped, err := ipv6Edits(ctx, host, cfg)
	if err != nil {
		return nil, err
	}
	report, err := perform(ctx, host, append(v4, v6...))
	if err == nil && skipped != "" {
		report = append(report, Outcome{Family: IPv6, Skipped: skipped})
	}
	return report, err
}

// familyEdits writes the plan into the chosen table and takes ours out of the other variant's.
func familyEdits(ctx context.Context, host runner, plan Plan) ([]edit, error) {
	all, err := tables(ctx, host, plan.Family)
	if err != nil {
		return nil, err
	}
	chosen, others := choose(all)
	return append([]edit{{table: chosen, want: plan.over}}, removals(others)...), nil
}

// ipv6Edits also says why there are none to put rules in, if so.
func ipv6Edits(ctx context.Context, host runner, cfg Config) (edits []edit, skipped string, err error) {
	has, err := hasIPv6(host)
	if err != nil {
		return nil, "", err
	}
	if !has {
		return nil, "this host has no IPv6", nil
	}
	if cfg.EnableIPv6 {
		edits, err = familyEdits(ctx, host, NewPlan(cfg, IPv6))
		return edits, "", err
	}
	all, err := tables(ctx, host, IPv6)
	var missing *MissingError
	if err != nil && !errors.As(err, &missing) { // Without the programs no Apply can have put rules there.
		return nil, "", err
	}
	return removals(all), "switched off", nil
}

func removals(tables []table) []edit {
	var edits []edit
	for _, t := range tables {
		if t.found.holdsOurs() {
			edits = append(edits, edit{table: t, want: nothing})
		}
	}
	return edits
}

// undoTime bounds putting things back, which goes on when the caller's context has ended.
const undoTime = 30 * time.Second

// perform does all edits or none.
func perform(ctx context.Context, host runner, edits []edit) (Report, error) {
	var report Report
	for i, e := range edits {
		changed, err := e.do(ctx, host)
		if err != nil {
			return nil, errors.Join(err, takeBack(ctx, host, edits[:i+1]))
		}
		report = report.with(e, changed)
	}
	return report, nil
}

// takeBack undoes in reverse order. The last edit may have happened although it failed (a program killed after its
// commit), so it is looked at too.
func takeBack(ctx context.Context, host runner, edits []edit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var failed error
	for i := len(edits) - 1; i >= 0; i-- {
		if _, err := edits[i].undo().do(ctx, host); err != nil {
			failed = errors.Join(failed, fmt.Errorf("and putting back the earlier rules failed: %w", err))
		}
	}
	return failed
}

// with adds an outcome; a family's second table (the other variant, cleaned) counts into the first one's line.
func (r Report) with(e edit, changed bool) Report {
	if n := len(r); n > 0 && r[n-1].Family == e.table.family {
		r[n-1].Changed = r[n-1].Changed || changed
		return r
	}
	rules := 0
	want := e.want(e.table.found)
	for _, c := range want.chains {
		rules += len(c.rules)
	}
	return append(r, Outcome{Family: e.table.family, Variant: e.table.variant, Rules: rules + len(want.jumps), Changed: changed})
}
