package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update rewrites it); got:\n%s", path, got)
	}
}

// rounds makes samples whose CPU per request is given in microseconds.
func rounds(micros ...float64) []Sample {
	var samples []Sample
	for _, us := range micros {
		samples = append(samples, Sample{Requests: 100_000, Elapsed: 2 * time.Second, CPU: time.Duration(us * 1e3 * 100_000),
			P50: time.Duration(us*10) * time.Microsecond, P99: time.Duration(us*30) * time.Microsecond,
			RSS: 15 << 20, Upstream: 64, Opened: 2, Bytes: 1 << 31, BulkBytes: 1 << 30})
	}
	return samples
}

func comparison() Comparison {
	direct := rounds(0, 0, 0)
	for i := range direct {
		direct[i].P50, direct[i].P99 = 20*time.Microsecond, 90*time.Microsecond
	}
	samples := map[string][]Sample{"outrider": rounds(12, 12.5, 12.2), "nginx": rounds(14, 13.8, 14.1), "haproxy": rounds(13, 13.2, 12.9), "direct": direct}
	samples["nginx"][1].Failed = 3
	peers := []string{"outrider", "nginx", "haproxy", "direct"}
	return Comparison{Date: "2026-11-21", Machine: "a machine", How: "Medians of 3 rounds.", Versions: []string{"nginx/1.22.1", "HAProxy 2.6.12"}, Outcomes: []Outcome{
		{Name: "get-1k-64", Title: "GET", Subject: "outrider", Baseline: "direct", Peers: peers, Samples: samples,
			Goals: []Goal{{Measure: CPU, AtMost: 0.95}, {Measure: CPU, AtMost: 0.9}}},
		{Name: "ping", Title: "Ping beside bulk", Subject: "outrider", Baseline: "direct", Peers: peers, Samples: samples, Bulk: true, Main: P99,
			Goals: []Goal{{Measure: P50, Against: "haproxy", AtMost: 1}, {Measure: P99, Against: "nginx", AtMost: 1}, {Measure: P99, Against: "envoy", AtMost: 1}}},
		{Name: "alone", Title: "Nothing to compare with", Subject: "outrider", Baseline: "direct", Peers: []string{"nginx"},
			Samples: map[string][]Sample{"nginx": rounds(14)}, Goals: []Goal{{Measure: CPU, AtMost: 1}}},
	}}
}

func TestAComparisonReadsAsMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := comparison().Write(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.md", b.Bytes())
}

func TestMissesAndFailuresAreCounted(t *testing.T) {
	if c := comparison(); c.Missed() != 1 || c.Failed() != 6 {
		t.Errorf("%d missed, %d failed", c.Missed(), c.Failed())
	}
}

func TestTheBetterPeerIsTheOneTheRatioIsWorseFor(t *testing.T) {
	v := comparison().Outcomes[0].Verdicts()
	if v[0].Peer != "haproxy" || !v[0].Met || v[1].Met || v[0].Ratio != 12.2/13 {
		t.Errorf("%+v", v)
	}
}

func TestFactsReadAsATable(t *testing.T) {
	var b bytes.Buffer
	err := WriteFacts(&b, []Fact{
		{What: "start", Value: 41.26, Unit: "ms", AtMost: 50, Note: "median of 5"},
		{What: "memory", Value: 18, Unit: "MiB", AtMost: 15},
		{What: "allocations", Value: 0.00042, AtMost: 0.01},
		{What: "kernel", Value: 12345.6, Unit: "KiB"},
		{What: "nothing", Value: 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts.md", b.Bytes())
}

func TestMediansOfEvenAndOddAndNone(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2.5: {4, 1, 2, 3}, 2: {9, 1, 2}} {
		if got := Median(values); got != want {
			t.Errorf("median of %v is %v", values, got)
		}
	}
}

func TestMoreIsBetterWhereAGoalSaysAtLeast(t *testing.T) {
	samples := map[string][]Sample{"outrider": rounds(10), "before": rounds(8), "haproxy": rounds(11), "pipes": rounds(9), "direct": rounds(0)}
	peers := []string{"outrider", "before", "haproxy", "pipes", "direct"}
	c := Comparison{Date: "2026-11-21", Machine: "a machine", How: "One round.", Versions: []string{"one", "two"},
		Missing: []string{"before: there is no history of the source here"}, Outcomes: []Outcome{
			{Name: "tcp-bulk-1", Title: "Bulk", Subject: "outrider", Baseline: "direct", Peers: peers, Samples: samples, Main: Throughput,
				Goals: []Goal{{Measure: Throughput, Against: "haproxy", AtLeast: 0.95}, {Measure: Throughput, AtLeast: 0.95}}},
			{Name: "tcp-connect", Title: "Connections", Subject: "outrider", Baseline: "direct", Peers: peers, Samples: samples, Main: PerCPU, Unit: "conn",
				Goals: []Goal{{Measure: PerCPU, Against: "pipes", AtLeast: 0.85}}},
			{Name: "get-1k-64", Title: "GET", Subject: "outrider", Baseline: "direct", Peers: peers, Samples: samples, Earlier: "before",
				Goals: []Goal{{Measure: CPU, AtMost: 1.12}, {Measure: CPU, Against: "before", AtMost: 1.03}}},
		}}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "protocols.md", b.Bytes())
	met := []bool{true, false, true, true, false}
	for _, o := range c.Outcomes {
		for _, v := range o.Verdicts() {
			if v.Met != met[0] || v.Unknown {
				t.Errorf("%s: %v", o.Name, v)
			}
			met = met[1:]
		}
	}
	if c.Missed() != 2 {
		t.Error(c.Missed())
	}
}

func TestWhereNothingWasAnsweredNothingIsMetOrMissed(t *testing.T) {
	for _, samples := range []map[string][]Sample{{"outrider": {{}}, "nginx": rounds(10)}, {"outrider": rounds(10), "nginx": {{}}}} {
		o := Outcome{Subject: "outrider", Baseline: "direct", Peers: []string{"outrider", "nginx"}, Samples: samples, Goals: []Goal{{Measure: CPU, AtMost: 1}}}
		if v := o.Verdicts()[0]; !v.Unknown || v.Met {
			t.Errorf("%+v", v)
		}
	}
}
