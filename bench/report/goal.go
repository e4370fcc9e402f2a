package report

import (
	"cmp"
	"fmt"
	"math"
)

// Measure is what a goal is about.
type Measure int

// The measures. Of the first three less is better, of the others more.
const (
	CPU Measure = iota // processor time per request
	P50
	P99
	PerCPU     // requests per second of processor time
	Throughput // bytes per second of processor time
)

func (m Measure) figure() figure {
	return [...]figure{cpuPerRequest, p50, p99, perCPUSecond, mibPerCPU}[m]
}

func (m Measure) String() string {
	return [...]string{"CPU per request", "p50", "p99", "rate per CPU second", "throughput per CPU second"}[m]
}

// Goal bounds the ratio of the subject's measure to a peer's.
type Goal struct {
	Measure Measure
	Against string  // a peer; empty: the better of all peers but the earlier build
	AtMost  float64 // the ratio, where less is better
	AtLeast float64 // the ratio, where more is better; AtMost is 0 then
}

func (g Goal) met(ratio float64) bool {
	if g.AtMost > 0 {
		return ratio <= g.AtMost
	}
	return ratio >= g.AtLeast
}

// missedBy is by how much, of the goal.
func (g Goal) missedBy(ratio float64) float64 {
	if g.AtMost > 0 {
		return ratio/g.AtMost - 1
	}
	return 1 - ratio/g.AtLeast
}

// worse tells whether ratio a falls shorter of the goal than b.
func (g Goal) worse(a, b float64) bool {
	if g.AtMost > 0 {
		return a > b
	}
	return a < b
}

// Outcome is what was measured of one scenario.
type Outcome struct {
	Name, Title string
	Subject     string   // the peer that the goals are set for
	Baseline    string   // the run without a proxy, which latencies are also shown over; in Peers or not
	Peers       []string // in the order of the table, the subject and the baseline among them
	Samples     map[string][]Sample
	Goals       []Goal
	Earlier     string  // the peer that is an earlier build of the subject: it is compared with only where a goal names it
	Unit        string  // what is counted; empty: req
	Main        Measure // that all peers are compared by, goals or not
	Bulk        bool    // bulk streams ran beside: requests are too few for a CPU figure
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
		if median(ours, of) == 0 || median(theirs, of) == 0 {
			continue // nothing was answered: no figure, and no ratio
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
			if goal.Against != r.peer && (goal.Against != "" || r.peer == o.Earlier) {
				continue
			}
			// Against the better peer is against the one the ratio is worse for.
			if v.Unknown || goal.worse(r.median, v.Ratio) {
				v = Verdict{Goal: goal, Peer: r.peer, Ratio: r.median, Met: goal.met(r.median)}
			}
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

func (v Verdict) String() string {
	against := cmp.Or(v.Goal.Against, "the better peer")
	goal := fmt.Sprintf("target: at most %.2f of %s", v.Goal.AtMost, against)
	if v.Goal.AtMost == 0 {
		goal = fmt.Sprintf("target: at least %.2f of %s", v.Goal.AtLeast, against)
	}
	switch {
	case v.Unknown:
		return fmt.Sprintf("%s: not measured (%s)", v.Goal.Measure, goal)
	case v.Met:
		return fmt.Sprintf("%s: %.2f of %s: met (%s)", v.Goal.Measure, v.Ratio, v.Peer, goal)
	}
	return fmt.Sprintf("%s: %.2f of %s: **missed by %.0f %%** (%s)", v.Goal.Measure, v.Ratio, v.Peer, v.Goal.missedBy(v.Ratio)*100, goal)
}
