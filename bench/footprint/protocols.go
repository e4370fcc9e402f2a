//go:build linux

package footprint

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/bench/closed"
	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Protocols measures memory per idle HTTP/2 connection, idle HTTP/2 stream and idle TCP pair: each on a sidecar of its own.
type Protocols struct {
	Connections int // HTTP/2, and TCP pairs as many
	Streams     int // in all, StreamsEach on a connection
	StreamsEach int
	Progress    io.Writer
}

// Run measures, with a backend listener for each of the three at backs. A request that fails is an error: it has spoilt the figures.
func (p Protocols) Run(ctx context.Context, stage peers.Stage, backs [3]netip.AddrPort) (facts []report.Fact, err error) {
	if err := measure.RaiseDescriptors(uint64(p.Connections + 500)); err != nil {
		return nil, err
	}
	carriers := (p.Streams + p.StreamsEach - 1) / p.StreamsEach
	for i, kind := range []kind{
		{peers.HTTP2, "HTTP/2 connection", p.Connections, 0, "each has served a request with 2 KB of headers",
			func(ctx context.Context, addr netip.AddrPort) (holder, error) {
				return holdHTTP2(ctx, addr, p.Connections)
			}},
		{peers.HTTP2, "HTTP/2 stream", p.Streams, 0, fmt.Sprintf("half closed, answered in part; on %d connections, which are included", carriers),
			func(ctx context.Context, addr netip.AddrPort) (holder, error) {
				return holdStreams(ctx, addr, p.Streams, p.StreamsEach)
			}},
		{peers.TCP, "TCP pair", p.Connections, 12, "both connections; each has carried 2 KB one way and 1 KB the other",
			func(ctx context.Context, addr netip.AddrPort) (holder, error) { return hold(ctx, addr, p.Connections) }},
	} {
		fmt.Fprintf(p.Progress, "holding %d: %s\n", kind.count, kind.what)
		more, err := kind.measure(ctx, stage, backs[i])
		if err != nil {
			return facts, fmt.Errorf("memory per %s: %w", kind.what, err)
		}
		facts = append(facts, more...)
	}
	return facts, nil
}

// kind is something that is held while memory is read.
type kind struct {
	protocol peers.Protocol
	what     string
	count    int
	atMost   float64 // KiB of resident memory each; 0: no target
	note     string
	hold     func(context.Context, netip.AddrPort) (holder, error)
}

// holder is what is held open while memory is read. again fails unless all of it still stands.
type holder interface {
	again(context.Context) error
	close()
}

// measure reads memory before and while things are held, on a sidecar started for them.
func (k kind) measure(ctx context.Context, stage peers.Stage, back netip.AddrPort) ([]report.Fact, error) {
	peer, err := stage.Start(ctx, peers.Outrider, k.protocol, back)
	if err != nil {
		return nil, err
	}
	defer peer.Stop()
	if err := warm(ctx, peer); err != nil {
		return nil, err
	}
	before, err := read(ctx, peer)
	if err != nil {
		return nil, err
	}
	held, err := k.hold(ctx, peer.Addr)
	defer held.close()
	if err != nil {
		return nil, err
	}
	after, err := read(ctx, peer)
	if err != nil {
		return nil, err
	}
	if err := held.again(ctx); err != nil {
		return nil, fmt.Errorf("what was held does not stand any more: %w", err)
	}
	each := func(delta float64) float64 { return delta / float64(k.count) }
	return []report.Fact{
		{What: fmt.Sprintf("RSS per %s, %d idle", k.what, k.count), Value: each(after.rss-before.rss) / 1024, Unit: "KiB", AtMost: k.atMost, Note: k.note},
		{What: "heap and stacks in use per " + k.what, Value: each(after.heap-before.heap) / 1024, Unit: "KiB"},
		{What: "descriptors per " + k.what, Value: each(float64(after.descriptors - before.descriptors))},
	}, nil
}

// warm loads the peer for a second: what the first requests build up once is not a connection's.
func warm(ctx context.Context, peer *peers.Peer) error {
	var result load.Result
	var err error
	if peer.Protocol == peers.HTTP2 {
		result, err = closed.Run(ctx, closed.Config{Addr: peer.Addr, Connections: 10, Duration: time.Second,
			Speak: closed.HTTP2{Fields: peers.HTTP2Fields("/1k"), Streams: 10, Size: 1 << 10}})
	} else {
		var target load.Target
		if target, err = (load.Request{URL: "http://" + peer.Addr.String() + "/1k"}).Prepare(ctx); err == nil {
			result, err = load.Run(ctx, load.Config{Target: target, Connections: 100, Duration: time.Second}, nil)
		}
	}
	if err == nil && (result.Failures.Total() > 0 || result.Succeeded == 0) {
		err = fmt.Errorf("warm-up: %d requests succeeded; failures: %v", result.Succeeded, result.Failures)
	}
	return err
}
