//go:build linux

package load

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Kind is a way for a request to fail.
type Kind int

// The kinds of failure.
const (
	ConnectFailed Kind = iota // no connection, for whatever reason but time
	TimedOut                  // no whole answer, or no connection, in time
	WasReset                  // the peer reset the connection
	ClosedEarly               // the peer ended the connection before the answer was whole
	Malformed                 // the answer is not HTTP/1.1 as bench/wire reads it, or more came than was asked for
	Status4xx
	Status5xx
	kinds
)

var kindNames = [kinds]string{"connect", "timeout", "reset", "closed early", "protocol", "status 4xx", "status 5xx"}

func (k Kind) String() string { return kindNames[k] }

// Failures counts failed requests by kind.
type Failures [kinds]int64

// Total is the number of failed requests.
func (f Failures) Total() int64 {
	var n int64
	for _, v := range f {
		n += v
	}
	return n
}

// String names the kinds that occurred; "none" if there are none.
func (f Failures) String() string {
	text := ""
	for k, n := range f {
		if n > 0 {
			text += fmt.Sprintf(", %s %d", Kind(k), n)
		}
	}
	if text == "" {
		return "none"
	}
	return text[2:]
}

// KindOf sorts a socket error.
func KindOf(err error) Kind {
	switch {
	case errors.Is(err, unix.ETIMEDOUT):
		return TimedOut
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return WasReset
	}
	return ClosedEarly
}

// Result is what a run measured. Its counts hold the measured window and the answers awaited after it, unless their
// comment says otherwise.
type Result struct {
	Started   int64 // requests sent or tried
	Succeeded int64 // answered with a status below 400
	Failures  Failures
	Shortfall int64 // requests the schedule asked for that were not sent: too many outstanding
	Bytes     int64 // received
	Window    int64 // answers whose last byte came within the measured window
	Answered  int64 // answers in all, the warm-up's and those that came after the window included
	Received  int64 // bytes that came within the measured window, whosever answer they belong to
	Elapsed   time.Duration
	// Latency holds nanoseconds of every answer with a status below 400, and the age of every request that timed out
	// (its latency is at least that; leaving it out would flatter). Other failures have no latency.
	Latency *hdrhistogram.Histogram
}

// MaxLatency is the longest latency told apart from longer ones.
const MaxLatency = 5 * time.Minute

// NewResult is an empty result, for generators of other protocols too.
func NewResult() Result {
	return Result{Latency: hdrhistogram.New(1, MaxLatency.Nanoseconds(), 3)}
}

// Record adds a latency.
func (r *Result) Record(nanoseconds int64) {
	_ = r.Latency.RecordValue(min(max(nanoseconds, 1), MaxLatency.Nanoseconds())) // clamped: cannot fail
}

// merge adds another worker's share.
func (r *Result) merge(o *Result) {
	r.Started += o.Started
	r.Succeeded += o.Succeeded
	r.Shortfall += o.Shortfall
	r.Bytes += o.Bytes
	r.Window += o.Window
	r.Answered += o.Answered
	r.Received += o.Received
	r.Elapsed = max(r.Elapsed, o.Elapsed)
	for k, n := range o.Failures {
		r.Failures[k] += n
	}
	r.Latency.Merge(o.Latency)
}

// PerSecond is the rate of answers within the measured window.
func (r *Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Window) / r.Elapsed.Seconds()
}

// Quantile is the latency that a share q (0..1) of the answers did not exceed; 0 without answers.
func (r *Result) Quantile(q float64) time.Duration {
	if r.Latency.TotalCount() == 0 {
		return 0
	}
	return time.Duration(r.Latency.ValueAtQuantile(q * 100))
}

var quantiles = []float64{0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1}

// Write prints the result for people.
func (r *Result) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "requests   %d started, %d succeeded, %d failed\nrate       %.1f answers/s over %v\n"+
		"received   %.1f MiB\nerrors     %s\nshortfall  %d\n",
		r.Started, r.Succeeded, r.Failures.Total(), r.PerSecond(), r.Elapsed.Round(time.Millisecond),
		float64(r.Bytes)/(1<<20), r.Failures, r.Shortfall)
	for _, q := range quantiles {
		if err == nil {
			_, err = fmt.Fprintf(w, "p%-9v %v\n", float64(int64(q*1e6+0.5))/1e4, r.Quantile(q).Round(time.Microsecond))
		}
	}
	return err
}

// WriteHistogram writes the latencies to path, in microseconds, as an HdrHistogram percentile distribution (.hgrm),
// which the usual plotters read. An existing file is replaced.
func (r *Result) WriteHistogram(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("histogram file: %w", err)
	}
	_, err = r.Latency.PercentilesPrint(f, 5, 1e3)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("histogram file %s: %w", path, err)
	}
	return nil
}
