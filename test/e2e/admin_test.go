//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAdminAnswers(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 100, "v2", 0), ends)
	want(t, plain(t, s.egress), svc+"/nowhere/in/particular", 200, "v1")
	for name, test := range map[string]struct {
		method, path string
		status       int
		says         string
	}{
		"state, on a line of its own":  {"GET", "/server_info", 200, "\"state\": \"LIVE\",\n"},
		"ready":                        {"GET", "/ready", 200, "LIVE\n"},
		"counters":                     {"GET", "/stats", 200, "\ncluster.cds_egress_m_v1_http_8080.upstream_rq_total: "},
		"counters by name":             {"GET", "/stats?filter=server.live", 200, "server.live: 1\n"},
		"counters of listeners":        {"GET", "/stats?filter=listener", 200, "listener.0.0.0.0_15001.downstream_cx_total: "},
		"counters for Prometheus":      {"GET", "/stats/prometheus", 200, `envoy_cluster_upstream_rq_total{envoy_cluster_name="cds_egress_m_v1_http_8080"}`},
		"the Go runtime's":             {"GET", "/stats/prometheus", 200, "go_goroutines "},
		"the same by format":           {"GET", "/stats?format=prometheus", 200, "# TYPE envoy_"},
		"clusters":                     {"GET", "/clusters", 200, "cds_egress_m_v1_http_8080::" + n.at(31, 8080).String() + "::health_flags::healthy"},
		"listeners":                    {"GET", "/listeners", 200, "lds_ingress_0.0.0.0_15000::"},
		"help":                         {"GET", "/help", 200, "admin commands are:"},
		"what does not exist":          {"GET", "/nothing", 404, "invalid path"},
		"changes by GET are refused":   {"GET", "/logging?level=debug", 405, "POST required"},
		"the log level can be changed": {"POST", "/logging?level=debug", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := s.ask(test.method, test.path); status != test.status || !strings.Contains(body, test.says) {
				t.Errorf("%s %s: %d, want %d and %q in\n%s", test.method, test.path, status, test.status, test.says, body)
			}
		})
	}
	for _, path := range []string{"/stats?format=json", "/clusters?format=json", "/listeners?format=json", "/config_dump", "/server_info"} {
		if status, body := s.ask("GET", path); status != 200 || !json.Valid([]byte(body)) {
			t.Errorf("GET %s: %d, not JSON:\n%s", path, status, body)
		}
	}
	for name, edit := range map[string]func(*http.Request){
		"another site's page":         func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"a name that was led astray":  func(r *http.Request) { r.Host = "evil.example" },
		"a frame within another site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		if status, _ := s.ask("POST", "/healthcheck/fail", edit); status != 403 {
			t.Errorf("%s may change something: %d, want 403", name, status)
		}
	}
}

func TestHealthCanBeFailedByHand(t *testing.T) {
	s := start(t, newNetwork(t), userMesh("v1", 100), endpoints{})
	s.ask("POST", "/healthcheck/fail")
	if status := s.status("GET", "/ready"); status != 503 {
		t.Errorf("/ready after /healthcheck/fail: %d", status)
	}
	s.ask("POST", "/healthcheck/ok")
	if status := s.status("GET", "/ready"); status != 200 {
		t.Errorf("/ready after /healthcheck/ok: %d", status)
	}
}

// What the sidecar says at its start must be enough to see what it does.
func TestTheStartIsTold(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 80, "v2", 20), ends)
	for _, word := range []string{"mesh/m/virtualNode/front", s.meshFile, s.ingress.String(), s.egress.String(), "cds_egress_m_v1_http_8080", "15s"} {
		s.await(fmt.Sprintf("the log speaks of %q", word), func() bool { return strings.Contains(s.log.String(), word) })
	}
}
