//go:build linux

package compare

import (
	"context"
	"time"

	"github.com/outrider-mesh/outrider/bench/closed"
	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/unary"
)

// turn is one peer's turn at one scenario. Its methods are the generators.
type turn struct {
	plan           Plan
	scenario       Scenario
	peer           *peers.Peer
	atStart, atEnd func()
}

const patience = 5 * time.Second // for one answer

// headers are what a request bears besides Host: about what an application's HTTP client sends.
var headers = []string{
	"Host: " + peers.Authority, "User-Agent: bench/1", "Accept: */*", "Accept-Encoding: gzip", "X-Tenant: t-4711",
	"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}

// requests are HTTP/1.1's. Over TCP they are bytes as good as any.
func (t turn) requests(ctx context.Context) (load.Result, error) {
	config, err := t.config(ctx)
	if err != nil {
		return load.Result{}, err
	}
	return load.Run(ctx, config, nil)
}

// connects makes a connection for each request.
func (t turn) connects(ctx context.Context) (load.Result, error) {
	config, err := t.config(ctx)
	if err != nil {
		return load.Result{}, err
	}
	config.PerConnection = 1
	return load.Run(ctx, config, nil)
}

// bytes takes one bulk answer after another, and counts what arrives within the window.
func (t turn) bytes(ctx context.Context) (load.Result, error) {
	t.scenario.path = bulkPath
	config, err := t.config(ctx)
	if err != nil {
		return load.Result{}, err
	}
	config.Timeout = 6 * patience
	return load.Run(ctx, config, nil)
}

func (t turn) config(ctx context.Context) (load.Config, error) {
	s := t.scenario
	target, err := load.Request{URL: "http://" + t.peer.Addr.String() + s.path, BodySize: s.body, Headers: headers}.Prepare(ctx)
	return load.Config{Target: target, Connections: s.connections, Rate: s.rate, Warmup: t.plan.Warmup, Duration: t.plan.Window,
		Timeout: patience, AtStart: t.atStart, AtEnd: t.atEnd}, err
}

// streamed are requests over HTTP/2.
func (t turn) streamed(ctx context.Context) (load.Result, error) {
	return t.closed(ctx, closed.HTTP2{Fields: peers.HTTP2Fields(t.scenario.path), Streams: t.scenario.streams, Size: t.scenario.size})
}

// messages are WebSocket's.
func (t turn) messages(ctx context.Context) (load.Result, error) {
	return t.closed(ctx, closed.WebSocket{Host: peers.Authority, Path: t.scenario.path, Size: t.scenario.size})
}

func (t turn) closed(ctx context.Context, speak closed.Speech) (load.Result, error) {
	return closed.Run(ctx, closed.Config{Addr: t.peer.Addr, Speak: speak, Connections: t.scenario.connections, Warmup: t.plan.Warmup,
		Duration: t.plan.Window, Timeout: patience, AtStart: t.atStart, AtEnd: t.atEnd})
}

// calls are gRPC's.
func (t turn) calls(ctx context.Context) (load.Result, error) {
	return unary.Run(ctx, unary.Config{Addr: t.peer.Addr, Authority: peers.Authority, Connections: t.scenario.connections, Calls: t.scenario.streams,
		Warmup: t.plan.Warmup, Duration: t.plan.Window, Timeout: patience, AtStart: t.atStart, AtEnd: t.atEnd})
}

// bulkPath is one bulk answer, of 16 MiB; a stream is one after another. No answer lives long enough for a proxy's time limits.
const bulkPath = "/bulk?bytes=16777216"

// startBulk loads the peer with the scenario's bulk streams, if any, for the time of a turn. The returned function
// ends them and waits.
func (t turn) startBulk(ctx context.Context) (end func() (load.Result, error)) {
	if t.scenario.bulk == 0 {
		return func() (load.Result, error) { return load.Result{}, nil }
	}
	var result load.Result
	var err error
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	t.scenario.path, t.scenario.connections, t.scenario.rate = bulkPath, t.scenario.bulk, 0
	t.atStart, t.atEnd = nil, nil
	go func() {
		defer close(done)
		var config load.Config
		if config, err = t.config(ctx); err != nil {
			return
		}
		config.Duration += 5 * time.Second // beyond the requests' own run; ended by cancel
		config.Nice = 10                   // the requests are not to wait for their own generator
		result, err = load.Run(ctx, config, nil)
	}()
	return func() (load.Result, error) {
		cancel()
		<-done
		return result, err
	}
}
