package iptables

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// edit is one table and what it shall hold, given what it holds.
type edit struct {
	table table
	want  func(now layout) layout
}

// nothing is the layout without us.
func nothing(layout) layout { return layout{} }

// undo is the edit that leads back to what the table held when it was looked at first.
func (e edit) undo() edit {
	return edit{table: e.table, want: func(layout) layout { return e.table.found }}
}

// maxAttempts bounds how often an edit starts again because somebody else changed the table between our look and our
// restore. Each start needs another such coincidence.
const maxAttempts = 8

// do makes the table hold what is wanted and looks at it again until it does. It reports whether it changed anything.
// It blocks for as long as the programs wait for the xtables lock (waitSeconds each).
func (e edit) do(ctx context.Context, host runner) (changed bool, err error) {
	now, err := e.table.firstLook(ctx, host)
	if err != nil {
		return false, err
	}
	refusals := 0 // in a row, of a table that looks the same again
	for range maxAttempts {
		text := script(now, e.want(now))
		if text == "" {
			return changed, nil
		}
		failure := e.table.write(ctx, host, text)
		changed = changed || failure == nil
		next, err := e.table.read(ctx, host)
		if err != nil {
			return changed, errors.Join(failure, err)
		}
		if failure == nil && next.arrived(e.want(next)) {
			return true, nil
		}
		if failure == nil || !now.equal(next) {
			refusals = 0
		} else if refusals++; refusals == 2 { // Once may have been somebody who came and went in between.
			return changed, failure
		}
		now = next
	}
	return changed, &CommandError{Command: e.table.restore, Answer: "somebody else keeps changing the nat table; try again"}
}

// waitSeconds is how long one program waits for the xtables lock.
const waitSeconds = "10"

func (t table) write(ctx context.Context, host runner, text string) error {
	_, err := host.run(ctx, command{path: t.restore, args: []string{"--noflush", "-w", waitSeconds}, stdin: text})
	if err != nil {
		return fmt.Errorf("writing the %s nat table (%s): %w", t.family, t.variant, err)
	}
	return nil
}

// arrived compares by structure, not by spelling: versions of iptables-save spell the same rule differently.
func (l layout) arrived(want layout) bool {
	if len(l.chains) != len(want.chains) || len(l.jumps) != len(want.jumps) {
		return false
	}
	for _, c := range want.chains {
		if !slices.ContainsFunc(l.chains, func(have chainText) bool { return have.name == c.name && len(have.rules) == len(c.rules) }) {
			return false
		}
	}
	for _, j := range want.jumps {
		if !slices.ContainsFunc(l.jumps, func(have jump) bool { return have.from == j.from && have.to == j.to }) {
			return false
		}
	}
	return true
}

// equal says that two looks at a table saw the same of ours, among as many rules of others.
func (l layout) equal(other layout) bool {
	return slices.Equal(l.jumps, other.jumps) && slices.EqualFunc(l.chains, other.chains, func(a, b chainText) bool {
		return a.name == b.name && slices.Equal(a.rules, b.rules)
	}) && maps.Equal(l.foreign, other.foreign)
}
