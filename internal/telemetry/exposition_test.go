package telemetry

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/outrider-mesh/outrider/internal/stat"
)

func TestTagsAreTakenOutAsEnvoyDoes(t *testing.T) {
	for name, want := range map[string]string{
		"cluster.cds_egress_m_n_http_80.|upstream_rq_total":  `envoy_cluster_upstream_rq_total{envoy_cluster_name="cds_egress_m_n_http_80"}`,
		"cluster.c.|upstream_rq_503":                         `envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="c"}`,
		"cluster.c.|upstream_rq_5xx":                         `envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="c"}`,
		"cluster.c.|circuit_breakers.default.cx_open":        `envoy_cluster_circuit_breakers_default_cx_open{envoy_cluster_name="c"}`,
		"http.ingress.|downstream_rq_2xx":                    `envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress"}`,
		"http.egress.|downstream_rq_total":                   `envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="egress"}`,
		"http.egress.rds.rds_egress_http_80.|update_success": `envoy_http_rds_update_success{envoy_rds_route_config="rds_egress_http_80",envoy_http_conn_manager_prefix="egress"}`,
		"listener.0.0.0.0_15001.|downstream_cx_total":        `envoy_listener_downstream_cx_total{envoy_listener_address="0.0.0.0_15001"}`,
		"listener.[__1]_15001.|downstream_cx_total":          `envoy_listener_downstream_cx_total{envoy_listener_address="[__1]_15001"}`,
		"listener.0.0.0.0_15000.http.ingress.|downstream_rq_2xx": `envoy_listener_http_downstream_rq_xx{envoy_response_code_class="2",` +
			`envoy_http_conn_manager_prefix="ingress",envoy_listener_address="0.0.0.0_15000"}`,
		"listener.0.0.0.0_15000.worker_3.|downstream_cx_active": `envoy_listener_worker_downstream_cx_active{envoy_worker_id="3",envoy_listener_address="0.0.0.0_15000"}`,
		"listener.admin.|downstream_cx_total":                   `envoy_listener_admin_downstream_cx_total{}`,
		"tcp.egress.|downstream_cx_total":                       `envoy_tcp_downstream_cx_total{envoy_tcp_prefix="egress"}`,
		"vhost.v.vcluster.x.|upstream_rq_200":                   `envoy_vhost_vcluster_upstream_rq{envoy_response_code="200",envoy_virtual_cluster="x",envoy_virtual_host="v"}`,
		"vhost.v.route.r.|upstream_rq_total":                    `envoy_vhost_route_upstream_rq_total{envoy_route="r",envoy_virtual_host="v"}`,
		"server.|memory_allocated":                              `envoy_server_memory_allocated{}`,
		"|server.live":                                          `envoy_server_live{}`,
		"listener_manager.lds.|update_rejected":                 `envoy_listener_manager_lds_update_rejected{}`,
		"cluster.a\"b\\c\nd.|x-y":                               `envoy_cluster_x_y{envoy_cluster_name="a\"b\\c\nd"}`,
		"http2.|rx_messaging_error":                             `envoy_http2_rx_messaging_error{}`,
		"cluster.c.http2.|streams_active":                       `envoy_cluster_http2_streams_active{envoy_cluster_name="c"}`,
		"cluster.c.|upstream_cx_http2_total":                    `envoy_cluster_upstream_cx_http2_total{envoy_cluster_name="c"}`,
		"http.ingress.|downstream_cx_http2_active":              `envoy_http_downstream_cx_http2_active{envoy_http_conn_manager_prefix="ingress"}`,
		"cluster.c.grpc.s.m.|success":                           `envoy_cluster_grpc_success{envoy_grpc_bridge_method="m",envoy_grpc_bridge_service="s",envoy_cluster_name="c"}`,
		"cluster.c.grpc.color.Service.Get.|0":                   `envoy_cluster_grpc_0{envoy_grpc_bridge_method="Get",envoy_grpc_bridge_service="color.Service",envoy_cluster_name="c"}`,
		"|cluster.c.grpc.color.Service.Get.total":               `envoy_cluster_grpc_total{envoy_grpc_bridge_method="Get",envoy_grpc_bridge_service="color.Service",envoy_cluster_name="c"}`,
		"cluster.c.grpc.s.|total":                               `envoy_cluster_grpc_total{envoy_grpc_bridge_service="s",envoy_cluster_name="c"}`,
		"cluster.c.grpc.|failure":                               `envoy_cluster_grpc_failure{envoy_cluster_name="c"}`,
		"cluster.c.|upstream_rq_time":                           `envoy_cluster_upstream_rq_time{envoy_cluster_name="c"}`,
		"|listener.9.x":                                         `envoy_listener_x{envoy_listener_address="9"}`,
		"|cluster":                                              `envoy_cluster{}`,
		"listener.|x":                                           `envoy_listener_x{}`,
	} {
		prefix, last, _ := strings.Cut(name, "|")
		rest, tags := splitPrefix(prefix)
		if prefix == "" {
			rest, tags = splitPrefix(last)
			last = ""
		}
		short, codes := splitName(last)
		if got := metricName(rest+short) + "{" + labelText(append(codes, tags...)) + "}"; got != want {
			t.Errorf("%s\n  %s\nwant\n  %s", name, got, want)
		}
	}
}

var clusterLayout = stat.Layout{
	Counters: []string{"upstream_rq_total", "upstream_cx_total"}, Gauges: []string{"upstream_rq_active"},
	Histograms: []string{"upstream_rq_time"}, Codes: "upstream_rq",
}

func someCells() *stat.Set {
	set := new(stat.Set)
	for _, name := range []string{"b", "a"} {
		g := set.Group("cluster."+name+".", &clusterLayout)
		g.Counter(0).Add(5)
		g.Gauge(0).Set(-1)
	}
	a := set.Group("cluster.a.", &clusterLayout)
	a.Codes().Inc(200)
	a.Codes().Inc(200)
	a.Codes().Inc(503)
	a.Histogram(0).Observe(3000)
	set.Group("http.ingress.", &stat.Layout{Counters: []string{"downstream_rq_2xx", "downstream_rq_5xx"}}).Counter(0).Inc()
	set.GaugeFunc("server.live", func() int64 { return 1 })
	set.TextFunc("server.text", func() string { return "a\"b\n" })
	return set
}

// cellsOnly prints without the collectors.
func cellsOnly(t *testing.T, set *stat.Set, q stat.Query) string {
	t.Helper()
	var out bytes.Buffer
	e := &Exposition{set: set}
	if err := e.writeCells(&out, q); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCellsInPrometheusText(t *testing.T) {
	want := `# TYPE envoy_cluster_upstream_cx_total counter
envoy_cluster_upstream_cx_total{envoy_cluster_name="a"} 0
envoy_cluster_upstream_cx_total{envoy_cluster_name="b"} 0
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"} 2
envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="a"} 1
# TYPE envoy_cluster_upstream_rq_total counter
envoy_cluster_upstream_rq_total{envoy_cluster_name="a"} 5
envoy_cluster_upstream_rq_total{envoy_cluster_name="b"} 5
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="a"} 2
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="a"} 1
# TYPE envoy_http_downstream_rq_xx counter
envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress"} 1
envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="ingress"} 0
# TYPE envoy_cluster_upstream_rq_active gauge
envoy_cluster_upstream_rq_active{envoy_cluster_name="a"} -1
envoy_cluster_upstream_rq_active{envoy_cluster_name="b"} -1
# TYPE envoy_server_live gauge
envoy_server_live{} 1
`
	got := cellsOnly(t, someCells(), stat.Query{})
	cells, histograms, _ := strings.Cut(got, "# TYPE envoy_cluster_upstream_rq_time histogram\n")
	if cells != want {
		t.Errorf("\n%s\nwant\n%s", cells, want)
	}
	for _, line := range []string{
		`envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="0.5"} 0`,
		`envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="5"} 1`,
		`envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="3600000"} 1`,
		`envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="+Inf"} 1`,
		`envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="a"} 3`,
		`envoy_cluster_upstream_rq_time_count{envoy_cluster_name="a"} 1`,
		`envoy_cluster_upstream_rq_time_count{envoy_cluster_name="b"} 0`,
	} {
		if !strings.Contains(histograms, line+"\n") {
			t.Errorf("missing %s in\n%s", line, histograms)
		}
	}
}

func TestAQueryNarrowsWhatIsPrinted(t *testing.T) {
	got := cellsOnly(t, someCells(), stat.Query{
		UsedOnly: true, Texts: true, Summaries: true,
		Match: regexp.MustCompile(`server|\.a\.upstream_(cx|rq_503|rq_2xx|rq_time)`).Match,
	})
	want := `# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="a"} 1
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="a"} 2
# TYPE envoy_server_live gauge
envoy_server_live{} 1
# TYPE envoy_server_text gauge
envoy_server_text{text_value="a\"b\n"} 0
# TYPE envoy_cluster_upstream_rq_time summary
envoy_cluster_upstream_rq_time{envoy_cluster_name="a",quantile="0"} 2.816
envoy_cluster_upstream_rq_time{envoy_cluster_name="a",quantile="0.25"} 2.88
envoy_cluster_upstream_rq_time{envoy_cluster_name="a",quantile="0.5"} 2.944
`
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"a\"} 1\n") {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

func TestTheWholePageIsPrometheusText(t *testing.T) {
	set := someCells()
	e := NewExposition(set)
	var out bytes.Buffer
	if err := e.WritePrometheus(&out, stat.Query{Texts: true}); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"envoy_cluster_upstream_rq_total", "envoy_server_live", "go_goroutines", "go_memstats_mallocs_total", "process_start_time_seconds"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if h := families["envoy_cluster_upstream_rq_time"]; h == nil || len(h.Metric) != 2 || len(h.Metric[0].Histogram.Bucket) != len(stat.Buckets)+1 {
		t.Errorf("histogram: %v", h)
	}
}

func TestAFilterAlsoNarrowsTheCollectors(t *testing.T) {
	var out bytes.Buffer
	q := stat.Query{Match: regexp.MustCompile("^go_goroutines$").Match}
	if err := NewExposition(someCells()).WritePrometheus(&out, q); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "# TYPE") != 1 || !strings.Contains(got, "\ngo_goroutines ") {
		t.Error(got)
	}
}

func TestCellsAddedLaterAreSeen(t *testing.T) {
	set := someCells()
	e := &Exposition{set: set}
	_ = e.writeCells(io.Discard, stat.Query{})
	set.Group("cluster.c.", &clusterLayout)
	var out bytes.Buffer
	_ = e.writeCells(&out, stat.Query{})
	if !strings.Contains(out.String(), `upstream_cx_total{envoy_cluster_name="c"} 0`) {
		t.Error(out.String())
	}
}

func TestAScrapeMakesNoGarbage(t *testing.T) {
	set := someCells()
	e := &Exposition{set: set}
	scrape := func() { _ = e.writeCells(io.Discard, stat.Query{UsedOnly: true, Match: regexpMatch}) }
	scrape()
	if n := testing.AllocsPerRun(20, scrape); n > 1 {
		t.Errorf("%g allocations", n)
	}
}

func regexpMatch(name []byte) bool { return bytes.Contains(name, []byte("rq")) }

type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, errors.New("gone")
	}
	return len(p), nil
}

func TestAScraperThatLeavesIsAnError(t *testing.T) {
	for left := range 2 {
		if err := NewExposition(someCells()).WritePrometheus(&broken{left}, stat.Query{}); err == nil {
			t.Errorf("after %d writes: no error", left)
		}
	}
}

func FuzzTags(f *testing.F) {
	for _, seed := range []string{"cluster.a.", "listener.0.0.0.0_1.http.x.", "http.a.rds.b.", "vhost.v.route.r.", "listener.", "."} {
		f.Add(seed, "upstream_rq_200")
	}
	f.Fuzz(func(t *testing.T, prefix, name string) {
		rest, tags := splitPrefix(prefix)
		short, codes := splitName(name)
		text := labelText(append(codes, tags...))
		if strings.Contains(text, "\n") || len(metricName(rest+short)) > len(prefix)+len(name)+len("envoy__xx") {
			t.Errorf("%q %q", text, rest)
		}
	})
}

func BenchmarkScrape(b *testing.B) {
	set := new(stat.Set)
	for i := range 200 {
		set.Group("cluster.c"+string(rune('a'+i%26))+string(rune('a'+i/26))+".", &clusterLayout)
	}
	e := &Exposition{set: set}
	b.ReportAllocs()
	for range b.N {
		_ = e.writeCells(io.Discard, stat.Query{})
	}
}
