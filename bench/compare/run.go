//go:build linux

package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

// Plan is a comparison to be made.
type Plan struct {
	Scenarios []Scenario
	Peers     []string // of peers.Names; each takes part where it speaks the protocol
	Rounds    int
	Warmup    time.Duration
	Window    time.Duration
	Progress  io.Writer // a line per turn
}

// Measures tells whether a peer has a turn in the plan.
func (p Plan) Measures(peer string) bool {
	return slices.Contains(p.Peers, peer) &&
		slices.ContainsFunc(p.Scenarios, func(s Scenario) bool { return slices.Contains(s.protocol.Peers(), peer) })
}

// Result is what came of a plan.
type Result struct {
	Outcomes []report.Outcome
	Versions []string // of the peers
	Missing  []string // scenarios that none of the peers could be measured in
}

// Run measures. Each peer of a protocol stands in front of a listener of its own of the protocol's backend (on processor rest, which the caller
// also runs on). What is still running in the end is ended by the stage's spawner. Requests that fail are in the outcomes, not an error.
func (p Plan) Run(ctx context.Context, stage peers.Stage, rest int) (result Result, err error) {
	for _, protocol := range peers.Protocols {
		part := p
		part.Scenarios = slices.DeleteFunc(slices.Clone(p.Scenarios), func(s Scenario) bool { return s.protocol != protocol })
		part.Peers = slices.DeleteFunc(protocol.Peers(), func(name string) bool { return !slices.Contains(p.Peers, name) })
		if len(part.Scenarios) == 0 {
			continue
		}
		if len(part.Peers) == 0 {
			for _, s := range part.Scenarios {
				result.Missing = append(result.Missing, s.Name+": none of the peers chosen speaks "+protocol.String())
			}
			continue
		}
		if err := part.protocol(ctx, stage, protocol, rest, &result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// protocol measures the scenarios of one protocol and ends its peers.
func (p Plan) protocol(ctx context.Context, stage peers.Stage, protocol peers.Protocol, rest int, result *Result) error {
	backs, err := peers.StartBackend(stage.Spawner, protocol, rest, len(p.Peers))
	if err != nil {
		return err
	}
	var running []*peers.Peer
	defer func() {
		for _, peer := range running {
			peer.Stop()
		}
	}()
	for i, name := range p.Peers {
		peer, err := stage.Start(ctx, name, protocol, backs[i])
		if err != nil {
			return fmt.Errorf("%s for %v: %w", name, protocol, err)
		}
		running = append(running, peer)
		if peer.Version != "" && !slices.Contains(result.Versions, peer.Version) {
			result.Versions = append(result.Versions, peer.Version)
		}
	}
	outcomes, err := p.rounds(ctx, running)
	result.Outcomes = append(result.Outcomes, outcomes...)
	return err
}

func (p Plan) rounds(ctx context.Context, running []*peers.Peer) (outcomes []report.Outcome, err error) {
	for _, s := range p.Scenarios {
		outcomes = append(outcomes, report.Outcome{Name: s.Name, Title: s.Title, Subject: peers.Outrider, Earlier: peers.Before,
			Baseline: peers.Direct, Peers: p.Peers, Samples: map[string][]report.Sample{}, Goals: s.goals, Unit: s.unit, Main: s.main, Bulk: s.bulk > 0})
	}
	for round := range p.Rounds {
		for i, scenario := range p.Scenarios {
			for k := range running {
				peer := running[(round+k)%len(running)]
				sample, err := turn{plan: p, scenario: scenario, peer: peer}.measure(ctx)
				if err != nil {
					return outcomes, fmt.Errorf("scenario %s, peer %s: %w", scenario.Name, peer.Name, err)
				}
				outcomes[i].Samples[peer.Name] = append(outcomes[i].Samples[peer.Name], sample)
				p.tell(fmt.Sprintf("round %d/%d  %-20s  %-13s", round+1, p.Rounds, scenario.Name, peer.Name), scenario, sample)
			}
		}
	}
	return outcomes, nil
}

func (p Plan) tell(what string, s Scenario, sample report.Sample) {
	if s.main == report.Throughput {
		fmt.Fprintf(p.Progress, "%s  %8.0f MiB/s  %8.2f us/MiB  %d failed\n", what, float64(sample.Bytes)/(1<<20)/sample.Elapsed.Seconds(),
			sample.CPU.Seconds()*1e6/max(float64(sample.Bytes)/(1<<20), 1), sample.Failed)
		return
	}
	fmt.Fprintf(p.Progress, "%s  %8d answers  %8.2f us  %d failed\n", what, sample.Requests, sample.CPU.Seconds()*1e6/float64(max(sample.Requests, 1)), sample.Failed)
}

// measure takes the turn.
func (t turn) measure(ctx context.Context) (report.Sample, error) {
	before, err := t.peer.Upstream(ctx)
	if err != nil {
		return report.Sample{}, err
	}
	pids := t.peer.PIDs()
	var cpu [2]time.Duration
	var errs [2]error
	t.atStart = func() { cpu[0], errs[0] = measure.CPU(pids...) }
	t.atEnd = func() { cpu[1], errs[1] = measure.CPU(pids...) }

	bulk := t.startBulk(ctx)
	result, err := t.scenario.generate(t, ctx)
	bulkResult, bulkErr := bulk()
	if err := errors.Join(err, bulkErr, errs[0], errs[1], t.peer.Ended(), context.Cause(ctx)); err != nil {
		return report.Sample{}, err
	}
	after, err := t.peer.Upstream(ctx)
	if err != nil {
		return report.Sample{}, err
	}
	rss, err := measure.RSS(pids...)
	sample := report.Sample{
		Requests: result.Window, Elapsed: result.Elapsed, CPU: cpu[1] - cpu[0],
		P50: result.Quantile(0.5), P99: result.Quantile(0.99),
		RSS: rss, Upstream: after.Open, Opened: after.Accepted - before.Accepted - 1, // the asking itself came in between
		Failed: result.Failures.Total() + bulkResult.Failures.Total(), Unsent: result.Shortfall, Bytes: result.Received,
	}
	if bulkResult.Elapsed > 0 {
		sample.BulkBytes = int64(float64(bulkResult.Received) * result.Elapsed.Seconds() / bulkResult.Elapsed.Seconds())
	}
	if result.Answered == 0 && result.Received == 0 {
		sample.Failed = max(sample.Failed, 1) // no figure; none within the window may be a busy machine, none at all is a peer that does not work
	}
	return sample, err
}
