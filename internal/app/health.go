package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/config"
)

// health asks the admin page whether the sidecar is LIVE, for images without
// curl; with --wait it asks until it is.
func health(ctx context.Context, p *Process, args []string) int {
	fs := newFlags("usage: outrider health [--wait DURATION] [--admin-addr ADDRS]")
	wait := fs.Duration("wait", 0, "how long to wait for LIVE")
	addr := fs.String("admin-addr", "", "`ADDRS` of the admin page as outrider run takes them (as the variables of this task say)")
	rest, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(rest) > 0 || *wait < 0:
		fs.Usage()
		return ExitUsage
	}
	page, err := config.ParseAdmin(*addr, p.Environ)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider health:", err)
		return ExitUsage
	}
	deadline := time.Now().Add(*wait)
	for {
		state, err := askState(ctx, page)
		if state == "LIVE" {
			fmt.Fprintln(p.Stdout, state)
			return ExitFine
		}
		if !time.Now().Before(deadline) {
			if err != nil {
				state = err.Error()
			}
			fmt.Fprintln(p.Stderr, "outrider health: not LIVE:", state)
			return ExitFindings
		}
		select {
		case <-ctx.Done():
			return ExitFindings
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// askState gives the text of /ready: "LIVE" if any address says so, else what the
// first says.
func askState(ctx context.Context, page config.Admin) (state string, err error) {
	for i, door := range page.Doors() {
		_, text, failure := askPage(ctx, door, 2*time.Second, "/ready", nil)
		answer := strings.TrimRight(string(text), "\n")
		if answer == "LIVE" {
			return answer, nil
		}
		if i == 0 {
			state, err = answer, failure
		}
	}
	return state, err
}
