//go:build linux

// Package compare measures Outrider and its peers beside each other: the same requests, the same backend, one processor
// for whichever proxy has its turn.
//
// All peers are started once and wait, idle, for their turns. Each round runs every scenario against every peer before the next round begins, and the order
// of the peers moves on by one: what the machine does meanwhile falls on all of them alike. A turn is a warm-up, then
// a window at whose two ends processor time and answers are counted.
package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Scenario is a kind of load and what is asked of Outrider under it.
type Scenario struct {
	Name, Title string
	path        string
	body        int // bytes; 0: GET
	connections int
	rate        float64 // 0: closed loop
	bulk        int     // streams of /bulk beside it
	goals       []report.Goal
}

// Scenarios are all there are, in the order they run.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "get-1k-64", Title: "GET, answers of 1 KB, 64 connections, closed loop",
			path: "/1k", connections: 64, goals: cpuAtMost(0.95)},
		{Name: "get-1k-8", Title: "GET, answers of 1 KB, 8 connections, closed loop",
			path: "/1k", connections: 8, goals: cpuAtMost(1.00)},
		{Name: "get-1k-1", Title: "GET, answers of 1 KB, 1 connection, closed loop",
			path: "/1k", connections: 1, goals: cpuAtMost(1.05)},
		{Name: "open-1000", Title: "GET, answers of 1 KB, 1,000 requests/s on 8 connections, open loop",
			path: "/1k", connections: 8, rate: 1000, goals: cpuAtMost(1.05)},
		{Name: "post-16k", Title: "POST of 16 KB, short answers, 8 connections, closed loop",
			path: "/sink", body: 16 << 10, connections: 8, goals: cpuAtMost(1.00)},
		{Name: "get-16k", Title: "GET, answers of 16 KB, 8 connections, closed loop",
			path: "/16k", connections: 8, goals: cpuAtMost(1.00)},
		{Name: "ping-beside-bulk", Title: "GET of 32 bytes, 200 requests/s on 4 connections, open loop, beside 4 bulk streams",
			path: "/ping32", connections: 4, rate: 200, bulk: 4, goals: []report.Goal{
				{Measure: report.P50, Against: peers.HAProxy, AtMost: 1},
				{Measure: report.P99, Against: peers.HAProxy, AtMost: 1},
			}},
	}
}

func cpuAtMost(ratio float64) []report.Goal {
	return []report.Goal{{Measure: report.CPU, AtMost: ratio}}
}

// Pick returns the scenarios named, in their own order; all of them if names is empty.
func Pick(names []string) ([]Scenario, error) {
	all := Scenarios()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s Scenario) bool { return !slices.Contains(names, s.Name) }), nil
}
