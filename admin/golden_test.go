package admin

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// ask sends a request as curl on the same host would.
func ask(s *Server, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:9901"+target, nil)
	r.RemoteAddr = "127.0.0.1:40000"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestEndpointsPrintWhatEnvoyWould(t *testing.T) {
	for name, request := range map[string]string{
		"home":                  "GET /",
		"certs":                 "GET /certs",
		"clusters":              "GET /clusters",
		"clusters_json":         "GET /clusters?format=json",
		"config_dump":           "GET /config_dump",
		"config_dump_mask":      "GET /config_dump?mask=configs",
		"drain":                 "POST /drain_listeners?graceful&inboundonly",
		"drain_skip_exit":       "POST /drain_listeners?skip_exit",
		"drain_get":             "GET /drain_listeners",
		"healthcheck_fail":      "POST /healthcheck/fail",
		"healthcheck_ok":        "POST /healthcheck/ok",
		"help":                  "GET /help",
		"hot_restart":           "GET /hot_restart_version",
		"listeners":             "GET /listeners",
		"listeners_json":        "GET /listeners?format=json",
		"logging":               "POST /logging",
		"logging_get":           "GET /logging",
		"logging_warn":          "POST /logging?level=warn",
		"logging_unknown":       "POST /logging?nobody=debug",
		"logging_two":           "POST /logging?admin=debug&router=debug",
		"logging_empty":         "POST /logging?paths=admin",
		"logging_level":         "POST /logging?level=debug",
		"logging_paths":         "POST /logging?paths=admin:trace,router:off",
		"quit":                  "POST /quitquitquit",
		"ready":                 "GET /ready",
		"reset_counters":        "POST /reset_counters",
		"reopen_logs":           "POST /reopen_logs",
		"server_info":           "GET /server_info",
		"stats":                 "GET /stats",
		"stats_used":            "GET /stats?usedonly=false",
		"stats_filter":          "GET /stats?filter=rq_(200|total)$",
		"stats_bad_filter":      "GET /stats?filter=(",
		"stats_type":            "GET /stats?type=Gauges",
		"stats_bad_type":        "GET /stats?type=gauges",
		"stats_bad_format":      "GET /stats?format=html",
		"stats_buckets":         "GET /stats?type=Histograms&histogram_buckets=cumulative",
		"stats_disjoint":        "GET /stats?type=Histograms&histogram_buckets=disjoint",
		"stats_detailed":        "GET /stats?type=Histograms&histogram_buckets=detailed",
		"stats_json":            "GET /stats?format=json",
		"stats_json_buckets":    "GET /stats?format=json&usedonly&type=Histograms&histogram_buckets=cumulative",
		"stats_json_detailed":   "GET /stats?format=json&usedonly&type=Histograms&histogram_buckets=detailed",
		"stats_prometheus":      "GET /stats/prometheus?usedonly&filter=x&text_readouts",
		"stats_as_prometheus":   "GET /stats?format=prometheus&histogram_buckets=summary",
		"stats_prom_bad_bucket": "GET /stats/prometheus?histogram_buckets=disjoint",
		"unknown":               "GET /nothing",
		"trailing_slash":        "GET /ready/",
	} {
		t.Run(name, func(t *testing.T) {
			s, f := newTest()
			method, target, _ := strings.Cut(request, " ")
			golden(t, name, show(request, ask(s, method, target), f.done))
		})
	}
}

func TestReadySaysWhatStateItIsIn(t *testing.T) {
	for state, want := range map[State]string{
		Live: "200 LIVE\n", Draining: "503 DRAINING\n", PreInitializing: "503 PRE_INITIALIZING\n", Initializing: "503 INITIALIZING\n",
	} {
		s, f := newTest()
		f.state = state
		w := ask(s, "GET", "/ready")
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestConfigDumpBeforeTheFirstSnapshotIsEmpty(t *testing.T) {
	f := newFake()
	s := New(Config{Engine: f, Logs: f, Controls: f, Metrics: f})
	if got := ask(s, "GET", "/config_dump").Body.String(); got != "{\n \"configs\": []\n}\n" {
		t.Error(got)
	}
}

func TestAnIntervalIsSinceStatsWereLastAsked(t *testing.T) {
	s, _ := newTest()
	first := ask(s, "GET", "/stats?filter=upstream_rq_time").Body.String()
	second := ask(s, "GET", "/stats?filter=upstream_rq_time").Body.String()
	if !strings.Contains(first, "P0(3.328,3.328)") || !strings.Contains(second, "P0(nan,3.328)") {
		t.Errorf("%s%s", first, second)
	}
}

func TestParametersMayComeAsAForm(t *testing.T) {
	s, f := newTest()
	ask(s, "POST", "/logging", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = http.NoBody
		r.Body = readCloser{strings.NewReader("level=error")}
	})
	if f.levels["router"] != "error" {
		t.Error(f.levels)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// show prints an answer whole, and what the server was told to do.
func show(request string, w *httptest.ResponseRecorder, done []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%d\n", request, w.Code)
	var names []string
	for name := range w.Header() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(w.Header()[name], ", "))
	}
	fmt.Fprintf(&b, "\n%s", w.Body)
	for _, d := range done {
		fmt.Fprintf(&b, "\n[%s]", d)
	}
	return b.String() + "\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s\n(go test -update rewrites)", got, want)
	}
}
