// Package report turns samples into medians, ratios and verdicts, and those into Markdown that also reads well on a terminal.
//
// Every peer is measured once in every round. A figure is the median over the rounds; a ratio is that of two medians, with the
// lowest and highest ratio of any one round beside it, so that a reader sees how far to trust it.
package report

import (
	"slices"
	"time"
)

// Sample is one peer's measured window in one round.
type Sample struct {
	Requests  int64         // answered within the window
	Elapsed   time.Duration // of the window
	CPU       time.Duration // the peer used within it; 0: no process of its own
	P50, P99  time.Duration
	RSS       int64 // bytes, after the run
	Upstream  int64 // connections to the backend, after the run
	Opened    int64 // connections made to the backend during the run, warm-up included
	Failed    int64 // requests
	Unsent    int64 // requests the schedule asked for that were not sent
	Bytes     int64 // received within the window
	BulkBytes int64 // received beside the requests
}

// A figure is what can be read off a sample.
type figure func(Sample) float64

func cpuPerRequest(s Sample) float64 { return per(s.CPU.Seconds()*1e6, float64(s.Requests)) }
func perCPUSecond(s Sample) float64  { return per(float64(s.Requests), s.CPU.Seconds()) }
func mibPerCPU(s Sample) float64     { return per(float64(s.Bytes)/(1<<20), s.CPU.Seconds()) }
func mibPerSecond(s Sample) float64  { return per(float64(s.Bytes)/(1<<20), s.Elapsed.Seconds()) }
func perSecond(s Sample) float64     { return per(float64(s.Requests), s.Elapsed.Seconds()) }
func busy(s Sample) float64          { return per(s.CPU.Seconds()*100, s.Elapsed.Seconds()) }
func p50(s Sample) float64           { return s.P50.Seconds() * 1e6 }
func p99(s Sample) float64           { return s.P99.Seconds() * 1e6 }
func rss(s Sample) float64           { return float64(s.RSS) / (1 << 20) }
func upstream(s Sample) float64      { return float64(s.Upstream) }
func opened(s Sample) float64        { return float64(s.Opened) }
func bulkRate(s Sample) float64      { return per(float64(s.BulkBytes)/(1<<20), s.Elapsed.Seconds()) }

func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// median of the figure over the rounds; 0 without any.
func median(samples []Sample, of figure) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return Median(values)
}

// Median of values, which it sorts; 0 without any.
func Median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
