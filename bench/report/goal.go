package report

import (
	"cmp"
	"fmt"
	"math"
)

// Measure is what a goal is about.
type Measure int

// The measures.
const (
	CPU Measure = iota // processor time per request
	P50
	P99
)

func (m Measure) figure() figure { return [...]figure{cpuPerRequest, p50, p99}[m] }
func (m Measure) String() string { return [...]string{"CPU per request", "p50", "p99"}[m] }

// Goal bounds the ratio of the subject's measure to a peer's.
type Goal struct {
	Measure Measure
	Against string  // a peer; empty: the better of all peers
	AtMost  float64 // the ratio
}

// Outcome is what was measured of one scenario.
type Outcome struct {
	Name, Title string
	Subject     string   // the peer that the goals are set for
	Baseline    string   // the run without a proxy, which latencies are also shown over; in Peers or not
	Peers       []string // in the order of the table, the subject and the baseline among them
	Samples     map[string][]Sample
	Goals       []Goal
	Bulk        bool // bulk streams ran beside: requests are too few for a CPU figure
}

// ratio compares the subject with a peer.
type ratio struct {
	peer            string
	median          float64
	lowest, highest float64 // of any one round
}

// ratios compares the subject with every peer that is a proxy; none if the subject was not measured.
func (o Outcome) ratios(of figure) []ratio {
	var all []ratio
	ours := o.Samples[o.Subject]
	for _, peer := range o.Peers {
		theirs := o.Samples[peer]
		if peer == o.Subject || peer == o.Baseline || len(ours) == 0 || len(theirs) == 0 {
			continue
		}
		r := ratio{peer: peer, median: per(median(ours, of), median(theirs, of)), lowest: math.Inf(1)}
		for i := range min(len(ours), len(theirs)) {
			once := per(of(ours[i]), of(theirs[i]))
			r.lowest, r.highest = min(r.lowest, once), max(r.highest, once)
		}
		all = append(all, r)
	}
	return all
}

// Verdict is a goal held against what was measured.
type Verdict struct {
	Goal    Goal
	Peer    string // that it was held against
	Ratio   float64
	Met     bool
	Unknown bool // the subject or the peer was not measured
}

// Verdicts judges every goal, in order.
func (o Outcome) Verdicts() []Verdict {
	var verdicts []Verdict
	for _, goal := range o.Goals {
		v := Verdict{Goal: goal, Unknown: true}
		for _, r := range o.ratios(goal.Measure.figure()) {
			if goal.Against != "" && goal.Against != r.peer {
				continue
			}
			// Against the better peer is against the one the ratio is worse for.
			if v.Unknown || r.median > v.Ratio {
				v = Verdict{Goal: goal, Peer: r.peer, Ratio: r.median, Met: r.median <= goal.AtMost}
			}
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

func (v Verdict) String() string {
	against := cmp.Or(v.Goal.Against, "the better peer")
	goal := fmt.Sprintf("target: at most %.2f of %s", v.Goal.AtMost, against)
	switch {
	case v.Unknown:
		return fmt.Sprintf("%s: not measured (%s)", v.Goal.Measure, goal)
	case v.Met:
		return fmt.Sprintf("%s: %.2f of %s: met (%s)", v.Goal.Measure, v.Ratio, v.Peer, goal)
	}
	return fmt.Sprintf("%s: %.2f of %s: **missed by %.0f %%** (%s)", v.Goal.Measure, v.Ratio, v.Peer, (v.Ratio/v.Goal.AtMost-1)*100, goal)
}
