//go:build linux

// Package compare measures Outrider and its peers beside each other: the same requests, the same backend, one processor
// for whichever proxy has its turn.
//
// The scenarios of one protocol are measured together, one protocol after the other. All peers of a protocol are started once and wait, idle, for
// their turns. Each round runs every scenario against every peer before the next round begins, and the order
// of the peers moves on by one: what the machine does meanwhile falls on all of them alike. A turn is a warm-up, then
// a window at whose two ends processor time and answers are counted.
package compare

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Scenario is a kind of load and what is asked of Outrider under it.
type Scenario struct {
	Name, Title string
	protocol    peers.Protocol
	generate    func(turn, context.Context) (load.Result, error)
	path        string
	body        int // bytes; 0: GET
	connections int
	streams     int     // at once on each connection
	size        int     // bytes of an answer or message, where the generator has to know
	rate        float64 // 0: closed loop
	bulk        int     // streams of /bulk beside it
	unit        string
	main        report.Measure
	goals       []report.Goal
}

// Scenarios are all there are, in the order they run.
func Scenarios() []Scenario {
	return slices.Concat(overHTTP1(), overHTTP2(), overTCP())
}

func overHTTP1() []Scenario {
	return []Scenario{
		{Name: "get-1k-64", Title: "GET, answers of 1 KB, 64 connections, closed loop",
			generate: turn.requests, path: "/1k", connections: 64, goals: cpuAtMost(0.95)},
		{Name: "get-1k-8", Title: "GET, answers of 1 KB, 8 connections, closed loop",
			generate: turn.requests, path: "/1k", connections: 8, goals: cpuAtMost(1.00)},
		{Name: "get-1k-1", Title: "GET, answers of 1 KB, 1 connection, closed loop",
			generate: turn.requests, path: "/1k", connections: 1, goals: cpuAtMost(1.05)},
		{Name: "open-1000", Title: "GET, answers of 1 KB, 1,000 requests/s on 8 connections, open loop",
			generate: turn.requests, path: "/1k", connections: 8, rate: 1000, goals: cpuAtMost(1.05)},
		{Name: "post-16k", Title: "POST of 16 KB, short answers, 8 connections, closed loop",
			generate: turn.requests, path: "/sink", body: 16 << 10, connections: 8, goals: cpuAtMost(1.00)},
		{Name: "get-16k", Title: "GET, answers of 16 KB, 8 connections, closed loop",
			generate: turn.requests, path: "/16k", connections: 8, goals: cpuAtMost(1.00)},
		{Name: "ping-beside-bulk", Title: "GET of 32 bytes, 200 requests/s on 4 connections, open loop, beside 4 bulk streams",
			generate: turn.requests, path: "/ping32", connections: 4, rate: 200, bulk: 4, main: report.P99, goals: []report.Goal{
				{Measure: report.P50, Against: peers.HAProxy, AtMost: 1},
				{Measure: report.P99, Against: peers.HAProxy, AtMost: 1},
			}},
		{Name: "ws-echo", Title: "WebSocket, messages of 128 bytes and their echo, 16 connections, closed loop",
			generate: turn.messages, path: "/websocket", connections: 16, size: 128, unit: "msg", main: report.PerCPU},
	}
}

func overHTTP2() []Scenario {
	h2c := func(connections, streams int, ofHAProxy float64) Scenario {
		return Scenario{Name: fmt.Sprintf("h2c-%dx%d", connections, streams),
			Title:    fmt.Sprintf("HTTP/2 in cleartext on both sides, GET, answers of 1 KB, %d connections, %d at once on each, closed loop", connections, streams),
			protocol: peers.HTTP2, generate: turn.streamed, path: "/1k", size: 1 << 10, connections: connections, streams: streams,
			goals: []report.Goal{
				{Measure: report.CPU, Against: peers.Nginx, AtMost: 1},
				{Measure: report.CPU, Against: peers.HAProxy, AtMost: ofHAProxy},
			}}
	}
	return []Scenario{
		h2c(16, 10, 1.20), h2c(4, 100, 1.00), h2c(8, 1, 1.15),
		{Name: "grpc-unary", Title: "Unary calls through grpc-go's client and server, answers of 1 KB, 4 connections of 16 calls, closed loop",
			protocol: peers.GRPC, generate: turn.calls, connections: 4, streams: 16, unit: "call"},
	}
}

func overTCP() []Scenario {
	bulk := func(streams int, title string) Scenario {
		return Scenario{Name: fmt.Sprintf("tcp-bulk-%d", streams), Title: "TCP, bytes as fast as they come, " + title,
			protocol: peers.TCP, generate: turn.bytes, connections: streams, main: report.Throughput,
			goals: []report.Goal{{Measure: report.Throughput, Against: peers.HAProxy, AtLeast: 0.95}}}
	}
	return []Scenario{
		bulk(1, "1 stream"), bulk(16, "16 streams"),
		{Name: "tcp-connect", Title: "TCP, connect, exchange a few bytes, close; 16 at a time",
			protocol: peers.TCP, generate: turn.connects, path: "/ping32", connections: 16, unit: "conn", main: report.PerCPU,
			goals: []report.Goal{{Measure: report.PerCPU, Against: peers.HAProxy, AtLeast: 0.95}}},
		{Name: "tcp-ping-beside-bulk", Title: "TCP, 32 bytes asked for 200 times a second on 4 connections, open loop, beside 4 bulk streams",
			protocol: peers.TCP, generate: turn.requests, path: "/ping32", connections: 4, rate: 200, bulk: 4, main: report.P99,
			goals: []report.Goal{{Measure: report.P99, Against: peers.HAProxy, AtMost: 0.5}}},
	}
}

// slowerThanBefore is how much dearer than the earlier build HTTP/1.1 may become: 3 %.
const slowerThanBefore = 1.03

func cpuAtMost(ratio float64) []report.Goal {
	return []report.Goal{{Measure: report.CPU, AtMost: ratio}, {Measure: report.CPU, Against: peers.Before, AtMost: slowerThanBefore}}
}

// Pick returns the scenarios named, in their own order; all of them if names is empty. A name may end in an asterisk.
func Pick(names []string) ([]Scenario, error) {
	all := Scenarios()
	if len(names) == 0 {
		return all, nil
	}
	picked := map[string]bool{}
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	for _, name := range names {
		found := false
		for _, one := range known {
			start, open := strings.CutSuffix(name, "*")
			if one == name || (open && strings.HasPrefix(one, start)) {
				picked[one], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s Scenario) bool { return !picked[s.Name] }), nil
}
