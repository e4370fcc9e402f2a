//go:build linux

package footprint

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Idle is a measurement of start, rest and connections.
type Idle struct {
	Nodes       int           // of the mesh, the sidecar's own included
	Starts      int           // processes started to take the median of
	Settle      time.Duration // after LIVE, before memory is read
	Connections int           // to hold
	Others      int           // connections that work meanwhile
	Progress    io.Writer
}

// Run measures, with one backend listener at back. A request that fails is an error here: it has spoilt the figures.
func (p Idle) Run(ctx context.Context, stage peers.Stage, back netip.AddrPort) ([]report.Fact, error) {
	// The files first: a limit that is too low is found before anything is measured.
	if err := measure.RaiseDescriptors(uint64(p.Connections + p.Others + 500)); err != nil {
		return nil, err
	}
	peer, facts, err := p.starts(ctx, stage, back)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.Progress, "LIVE; memory at rest is read in %v\n", p.Settle)
	if err := pause(ctx, p.Settle); err != nil {
		return nil, err
	}
	rss, err := measure.RSS(peer.PIDs()...)
	if err != nil {
		return nil, err
	}
	facts = append(facts, report.Fact{What: fmt.Sprintf("RSS %v after LIVE, %d nodes", p.Settle, p.Nodes),
		Value: mib(rss), Unit: "MiB", AtMost: 15})
	more, err := p.connections(ctx, peer)
	return append(facts, more...), err
}

// starts runs the sidecar several times and leaves the last running.
func (p Idle) starts(ctx context.Context, stage peers.Stage, back netip.AddrPort) (*peers.Peer, []report.Fact, error) {
	var times []float64
	for {
		peer, took, err := stage.StartMesh(ctx, p.Nodes-1, back)
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(p.Progress, "start to LIVE: %v\n", took.Round(10*time.Microsecond))
		times = append(times, took.Seconds()*1e3)
		if len(times) == p.Starts {
			median := report.Median(times) // sorts them
			return peer, []report.Fact{{What: fmt.Sprintf("start to LIVE, %d nodes", p.Nodes), Value: median, Unit: "ms", AtMost: 50,
				Note: fmt.Sprintf("median of %d, %.0f to %.0f", len(times), times[0], times[len(times)-1])}}, nil
		}
		peer.Stop()
	}
}

// reading is what is compared before and after the connections.
type reading struct {
	rss, heap   float64 // bytes; heap is Go's heap and stacks in use
	descriptors int
	kernel      measure.Kernel
}

// connections holds many, and reads what they cost; then lets others work beside them.
func (p Idle) connections(ctx context.Context, peer *peers.Peer) ([]report.Fact, error) {
	// What the first requests build up once (pools, code pages) is not a connection's: let it be there before.
	if err := p.work(ctx, peer); err != nil {
		return nil, err
	}
	before, err := read(ctx, peer)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.Progress, "opening %d connections\n", p.Connections)
	held, err := hold(ctx, peer.Addr, p.Connections)
	defer held.close()
	if err != nil {
		return nil, err
	}
	after, err := read(ctx, peer)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.Progress, "%d others at work beside them\n", p.Others)
	if err := p.work(ctx, peer); err != nil {
		return nil, err
	}
	if err := held.again(ctx); err != nil {
		return nil, fmt.Errorf("a held connection's second request: %w", err)
	}
	return p.facts(before, after), nil
}

func (p Idle) facts(before, after reading) []report.Fact {
	each := func(delta float64) float64 { return delta / float64(p.Connections) / 1024 }
	ends := "both ends, the generator's too"
	return []report.Fact{
		{What: fmt.Sprintf("RSS per connection, %d idle", p.Connections), Value: each(after.rss - before.rss), Unit: "KiB", AtMost: 7,
			Note: "after a collection, each has served a request with 2 KB of headers"},
		{What: "heap and stacks in use per connection", Value: each(after.heap - before.heap), Unit: "KiB"},
		{What: "descriptors per connection", Value: float64(after.descriptors-before.descriptors) / float64(p.Connections)},
		{What: "kernel slab per connection", Value: each(float64(after.kernel.Slab - before.kernel.Slab)), Unit: "KiB", Note: ends},
		{What: "kernel TCP buffers per connection", Value: each(float64(after.kernel.TCP - before.kernel.TCP)), Unit: "KiB", Note: ends},
		{What: fmt.Sprintf("failures of %d other connections meanwhile", p.Others), Value: 0, Note: "or there would be no table"},
	}
}

// work loads the peer for two seconds over the other connections; any failure is an error.
func (p Idle) work(ctx context.Context, peer *peers.Peer) error {
	target, err := load.Request{URL: "http://" + peer.Addr.String() + "/1k", Headers: []string{"Host: " + peers.Authority}}.Prepare(ctx)
	if err != nil {
		return err
	}
	result, err := load.Run(ctx, load.Config{Target: target, Connections: p.Others, Duration: 2 * time.Second}, nil)
	if err == nil && (result.Failures.Total() > 0 || result.Succeeded == 0) {
		err = fmt.Errorf("%d connections at work: %d requests succeeded; failures: %v", p.Others, result.Succeeded, result.Failures)
	}
	return err
}

// read has the sidecar collect its garbage and reads.
func read(ctx context.Context, peer *peers.Peer) (r reading, err error) {
	if _, err = peers.Post(ctx, peer.Admin, "/outrider/gc"); err != nil {
		return r, err
	}
	var heap, stacks float64
	if heap, err = metric(ctx, peer, "go_memstats_heap_inuse_bytes"); err != nil {
		return r, err
	}
	if stacks, err = metric(ctx, peer, "go_memstats_stack_inuse_bytes"); err != nil {
		return r, err
	}
	r.heap = heap + stacks
	pids := peer.PIDs()
	rss, err := measure.RSS(pids...)
	if err != nil {
		return r, err
	}
	r.rss = float64(rss)
	if r.descriptors, err = measure.Descriptors(pids[0]); err != nil {
		return r, err
	}
	r.kernel, err = measure.ReadKernel()
	return r, err
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
