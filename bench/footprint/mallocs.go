//go:build linux

package footprint

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/outrider-mesh/outrider/bench/closed"
	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Mallocs counts heap allocations per proxied request over HTTP/1.1 or HTTP/2: the runtime's own count over a run, less that over an idle time of the same length.
type Mallocs struct {
	Requests    int64
	Connections int
	Progress    io.Writer
}

// Run measures on a running Outrider. A request that fails is an error.
func (p Mallocs) Run(ctx context.Context, peer *peers.Peer) ([]report.Fact, error) {
	if _, err := p.load(ctx, peer, max(p.Requests/20, 1)); err != nil { // what is built once
		return nil, err
	}
	fmt.Fprintf(p.Progress, "counting the allocations of %d requests\n", p.Requests)
	var elapsed time.Duration
	loaded, err := p.count(ctx, peer, func() (err error) {
		elapsed, err = p.load(ctx, peer, p.Requests)
		return err
	})
	if err != nil {
		return nil, err
	}
	idle, err := p.count(ctx, peer, func() error { return pause(ctx, elapsed) })
	if err != nil {
		return nil, err
	}
	what, most := "heap allocations per request", 0.01
	if peer.Protocol == peers.HTTP2 {
		what, most = "heap allocations per HTTP/2 request", 2
	}
	return []report.Fact{{What: what, Value: (loaded - idle) / float64(p.Requests), AtMost: most,
		Note: fmt.Sprintf("%.0f over %d requests in %v, %.0f idle for as long", loaded, p.Requests, elapsed.Round(time.Millisecond), idle)}}, nil
}

// count is the number of allocations while something is done.
func (p Mallocs) count(ctx context.Context, peer *peers.Peer, do func() error) (float64, error) {
	const name = "go_memstats_mallocs_total"
	before, err := metric(ctx, peer, name)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := metric(ctx, peer, name)
	return after - before, err
}

func (p Mallocs) load(ctx context.Context, peer *peers.Peer, requests int64) (time.Duration, error) {
	began := time.Now()
	var result load.Result
	var err error
	if peer.Protocol == peers.HTTP2 {
		result, err = closed.Run(ctx, closed.Config{Addr: peer.Addr, Connections: p.Connections, Requests: requests, Duration: 10 * time.Minute,
			Speak: closed.HTTP2{Fields: peers.HTTP2Fields("/1k"), Streams: 10, Size: 1 << 10}})
	} else {
		var target load.Target
		if target, err = (load.Request{URL: "http://" + peer.Addr.String() + "/1k", Headers: []string{"Host: " + peers.Authority}}).Prepare(ctx); err != nil {
			return 0, err
		}
		result, err = load.Run(ctx, load.Config{Target: target, Connections: p.Connections, Requests: requests, Duration: 10 * time.Minute}, nil)
	}
	if err == nil && result.Succeeded != requests {
		err = fmt.Errorf("%d of %d requests succeeded; failures: %v", result.Succeeded, requests, result.Failures)
	}
	return time.Since(began), err
}
