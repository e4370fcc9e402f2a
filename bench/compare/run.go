//go:build linux

package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Plan is a comparison to be made.
type Plan struct {
	Scenarios []Scenario
	Peers     []string // of peers.Names
	Rounds    int
	Warmup    time.Duration
	Window    time.Duration
	Progress  io.Writer // a line per turn
}

// Run starts the peers on the stage, each in front of a listener of the backend (on processor rest, which the caller
// also runs on), and measures. Whatever it started is ended by the stage's spawner. Requests that fail are in the outcomes, not an error.
func (p Plan) Run(ctx context.Context, stage peers.Stage, rest int) (outcomes []report.Outcome, versions []string, err error) {
	backs, err := peers.StartBackend(stage.Spawner, rest, len(p.Peers))
	if err != nil {
		return nil, nil, err
	}
	var running []*peers.Peer
	for i, name := range p.Peers {
		peer, err := stage.Start(ctx, name, backs[i])
		if err != nil {
			return nil, nil, err
		}
		running = append(running, peer)
		if peer.Version != "" {
			versions = append(versions, peer.Version)
		}
	}
	for _, s := range p.Scenarios {
		outcomes = append(outcomes, report.Outcome{Name: s.Name, Title: s.Title, Subject: peers.Outrider,
			Baseline: peers.Direct, Peers: p.Peers, Samples: map[string][]report.Sample{}, Goals: s.goals, Bulk: s.bulk > 0})
	}
	for round := range p.Rounds {
		for i, scenario := range p.Scenarios {
			for turn := range running {
				peer := running[(round+turn)%len(running)]
				sample, err := p.measure(ctx, scenario, peer)
				if err != nil {
					return outcomes, versions, fmt.Errorf("scenario %s, peer %s: %w", scenario.Name, peer.Name, err)
				}
				outcomes[i].Samples[peer.Name] = append(outcomes[i].Samples[peer.Name], sample)
				fmt.Fprintf(p.Progress, "round %d/%d  %-16s  %-8s  %8d answers  %8.2f us  %d failed\n", round+1, p.Rounds,
					scenario.Name, peer.Name, sample.Requests, sample.CPU.Seconds()*1e6/float64(max(sample.Requests, 1)), sample.Failed)
			}
		}
	}
	return outcomes, versions, nil
}

// measure is one peer's turn.
func (p Plan) measure(ctx context.Context, scenario Scenario, peer *peers.Peer) (report.Sample, error) {
	before, err := peer.Upstream(ctx)
	if err != nil {
		return report.Sample{}, err
	}
	config, err := p.config(ctx, scenario, peer)
	if err != nil {
		return report.Sample{}, err
	}
	pids := peer.PIDs()
	var cpu [2]time.Duration
	var errs [2]error
	config.AtStart = func() { cpu[0], errs[0] = measure.CPU(pids...) }
	config.AtEnd = func() { cpu[1], errs[1] = measure.CPU(pids...) }

	bulk := p.startBulk(ctx, scenario, peer)
	result, err := load.Run(ctx, config, nil)
	bulkResult, bulkErr := bulk()
	if err := errors.Join(err, bulkErr, errs[0], errs[1], peer.Ended(), context.Cause(ctx)); err != nil {
		return report.Sample{}, err
	}
	after, err := peer.Upstream(ctx)
	if err != nil {
		return report.Sample{}, err
	}
	rss, err := measure.RSS(pids...)
	bulkBytes := 0.0
	if bulkResult.Elapsed > 0 {
		bulkBytes = float64(bulkResult.Bytes) * result.Elapsed.Seconds() / bulkResult.Elapsed.Seconds()
	}
	return report.Sample{
		Requests: result.Window, Elapsed: result.Elapsed, CPU: cpu[1] - cpu[0],
		P50: result.Quantile(0.5), P99: result.Quantile(0.99),
		RSS: rss, Upstream: after.Open, Opened: after.Accepted - before.Accepted - 1, // the asking itself came in between
		Failed: result.Failures.Total() + bulkResult.Failures.Total(), Unsent: result.Shortfall, BulkBytes: int64(bulkBytes),
	}, err
}

// headers are what a request bears besides Host: about what an application's HTTP client sends.
var headers = []string{
	"Host: " + peers.Authority, "User-Agent: bench/1", "Accept: */*", "Accept-Encoding: gzip", "X-Tenant: t-4711",
	"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}

func (p Plan) config(ctx context.Context, scenario Scenario, peer *peers.Peer) (load.Config, error) {
	target, err := load.Request{URL: "http://" + peer.Addr.String() + scenario.path, BodySize: scenario.body, Headers: headers}.Prepare(ctx)
	return load.Config{Target: target, Connections: scenario.connections, Rate: scenario.rate,
		Warmup: p.Warmup, Duration: p.Window, Timeout: 5 * time.Second}, err
}

// bulkSize is one bulk answer; a stream is one after another. No answer lives long enough for a proxy's time limits.
const bulkSize = 16 << 20

// startBulk loads the peer with the scenario's bulk streams, if any, for the time of a turn. The returned function
// ends them and waits.
func (p Plan) startBulk(ctx context.Context, scenario Scenario, peer *peers.Peer) (end func() (load.Result, error)) {
	if scenario.bulk == 0 {
		return func() (load.Result, error) { return load.Result{}, nil }
	}
	var result load.Result
	var err error
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	scenario.path, scenario.connections, scenario.rate = fmt.Sprintf("/bulk?bytes=%d", bulkSize), scenario.bulk, 0
	go func() {
		defer close(done)
		var config load.Config
		if config, err = p.config(ctx, scenario, peer); err != nil {
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
