//go:build linux

package load

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMergingAddsWhatWorkersCounted(t *testing.T) {
	total := NewResult()
	for k := range int64(4) {
		r := NewResult()
		r.Started, r.Succeeded, r.Window, r.Bytes, r.Shortfall = 26, 25, 24, 1000, k
		r.Failures[TimedOut] = 1
		r.Elapsed = time.Duration(k+1) * time.Second
		for i := range int64(25) {
			r.Record((k*25 + i + 1) * 1000)
		}
		total.merge(&r)
	}
	if total.Started != 104 || total.Succeeded != 100 || total.Window != 96 || total.Bytes != 4000 || total.Shortfall != 6 ||
		total.Failures[TimedOut] != 4 || total.Failures.Total() != 4 || total.Elapsed != 4*time.Second || total.PerSecond() != 24 {
		t.Errorf("%+v", total)
	}
	for q, want := range map[float64]time.Duration{0.5: 50 * time.Microsecond, 0.99: 99 * time.Microsecond, 1: 100 * time.Microsecond} {
		if got := total.Quantile(q); got < want || got > want+want/500 {
			t.Errorf("quantile %v is %v, want %v within three digits", q, got, want)
		}
	}
}

func TestLatenciesBeyondTheHistogramAreKeptAsItsLongest(t *testing.T) {
	r := NewResult()
	r.Record(-5)
	r.Record(int64(time.Hour))
	if r.Latency.TotalCount() != 2 || r.Quantile(1) < MaxLatency {
		t.Errorf("%d recorded, longest %v", r.Latency.TotalCount(), r.Quantile(1))
	}
}

func TestFailuresAreNamedByKind(t *testing.T) {
	f := Failures{ConnectFailed: 1, Status5xx: 2}
	if f.String() != "connect 1, status 5xx 2" || (Failures{}).String() != "none" {
		t.Errorf("%q", f)
	}
	for err, want := range map[error]Kind{unix.ECONNRESET: WasReset, unix.EPIPE: WasReset, unix.ETIMEDOUT: TimedOut, unix.EIO: ClosedEarly} {
		if got := KindOf(err); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

func TestTheHistogramFileIsADistribution(t *testing.T) {
	r := NewResult()
	r.Record(1_500_000)
	path := filepath.Join(t.TempDir(), "latency.hgrm")
	if err := r.WriteHistogram(path); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if !strings.Contains(string(text), "Percentile") || !strings.Contains(string(text), "1500.") {
		t.Errorf("%s", text)
	}
	if err := r.WriteHistogram(filepath.Join(path, "x")); err == nil {
		t.Error("an impossible path was accepted")
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil || !strings.Contains(b.String(), "p99.99") {
		t.Errorf("%s, %v", b.String(), err)
	}
}
