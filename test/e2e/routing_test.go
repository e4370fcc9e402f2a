//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

const svc = "http://svc.local:8080"

// twoVersions starts v1 and v2 and says where they are.
func twoVersions(t *testing.T, n network) (v1, v2 *backend, ends endpoints) {
	v1, v2 = newBackend(t, "v1", n.at(31, 8080), nil), newBackend(t, "v2", n.at(32, 8080), nil)
	return v1, v2, endpoints{"v1.test": {v1.addr.String()}, "v2.test": {v2.addr.String()}}
}

func TestARequestIsRouted(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 100, "v2", 0), ends)

	viaProxy := client(t, s.egress)
	want(t, viaProxy, svc+"/x?y=1", 200, "v1")
	straight := plain(t, s.egress)
	want(t, straight, svc+"/", 200, "v1")
	want(t, straight, "http://svc.local/", 200, "v1") // a bare name means the service's only port
	want(t, straight, "http://SVC.local:8080/", 200, "v1")

	_, _, header, err := get(straight, svc+"/")
	if err != nil || header.Get("Server") != "envoy" || header.Get("X-Envoy-Upstream-Service-Time") == "" {
		t.Errorf("a dashboard looks for server: envoy and x-envoy-upstream-service-time: %v %v", header, err)
	}
	if s.stat("cluster.cds_egress_m_v1_http_8080.upstream_rq_2xx") < 5 {
		t.Errorf("upstream_rq_2xx of v1 is %d", s.stat("cluster.cds_egress_m_v1_http_8080.upstream_rq_2xx"))
	}
}

func TestIngressReachesTheApp(t *testing.T) {
	n := newNetwork(t)
	app := newBackend(t, "app", n.at(appHost, 8080), nil)
	s := start(t, n, userMesh("v1", 100), endpoints{})
	want(t, plain(t, s.ingress), "http://anything.example/", 200, "app")
	app.server.Close()
	status, _, header, err := get(plain(t, s.ingress), "http://anything.example/")
	if err != nil || status != 503 {
		t.Errorf("the app is gone: %d %v %v, want 503", status, header, err)
	}
}

func TestAWeightedSplit(t *testing.T) {
	n := newNetwork(t)
	v1, v2, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 80, "v2", 20), ends)
	c := plain(t, s.egress)
	for range 1000 {
		if status, _, _, err := get(c, svc+"/"); err != nil || status != 200 {
			t.Fatal(status, err)
		}
	}
	// Five standard deviations.
	if got := v1.served.Load(); got < 735 || got > 865 || got+v2.served.Load() != 1000 {
		t.Errorf("80/20 of 1,000: %d and %d", got, v2.served.Load())
	}
}

func TestAHeaderRouteComesFirst(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	beta := route("router", "beta", "/", "v2", 100)
	with(beta, []object{{"name": "x-beta-user", "match": object{"exact": "true"}}}, "spec", "httpRoute", "match", "headers")
	with(beta, 10, "spec", "priority")
	s := start(t, n, append(userMesh("v1", 100, "v2", 0), beta), ends)
	c := plain(t, s.egress)
	user := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Beta-User", value) }
	}
	want(t, c, svc+"/", 200, "v1")
	want(t, c, svc+"/", 200, "v1", user("false"))
	want(t, c, svc+"/", 200, "v2", user("true"))
}

func TestARetryHidesAFailure(t *testing.T) {
	n := newNetwork(t)
	var failures atomic.Int64
	failures.Store(1)
	v1 := newBackend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, _ *http.Request) bool {
		if failures.Add(-1) < 0 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	api := with(route("router", "api", "/api", "v1", 100), object{"maxRetries": 3, "perRetryTimeout": object{"value": 5, "unit": "s"},
		"httpRetryEvents": []string{"server-error", "gateway-error"}}, "spec", "httpRoute", "retryPolicy")
	s := start(t, n, append(userMesh("v1", 100), api), endpoints{"v1.test": {v1.addr.String()}})
	c := plain(t, s.egress)

	want(t, c, svc+"/api/x", 200, "v1")
	if got := v1.served.Load(); got != 2 {
		t.Errorf("%d attempts, want 2", got)
	}
	if retries, helped := s.stat("v1_http_8080.upstream_rq_retry"), s.stat("v1_http_8080.upstream_rq_retry_success"); retries != 1 || helped != 1 {
		t.Errorf("counted %d retries, %d successful", retries, helped)
	}
	failures.Store(100)
	want(t, c, svc+"/api/x", 503, "")
	if got := v1.served.Load(); got != 2+4 {
		t.Errorf("%d attempts in all, want 2 and then 4", got)
	}
}

func TestAnUnlistedNameIs404(t *testing.T) {
	n := newNetwork(t)
	v1, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 100), ends)
	for name, c := range map[string]*http.Client{"straight": plain(t, s.egress), "by proxy": client(t, s.egress)} {
		status, body, _, err := get(c, "http://unlisted.local:8080/")
		if err != nil || status != 404 || body != "" {
			t.Errorf("%s: %d %q %v, want an empty 404", name, status, body, err)
		}
	}
	if v1.served.Load() != 0 {
		t.Error("it reached an app")
	}
}

func TestTheEgressFilter(t *testing.T) {
	for filter, open := range map[string]bool{"ALLOW_ALL": true, "DROP_ALL": false} {
		t.Run(filter, func(t *testing.T) {
			n := newNetwork(t)
			outside := newBackend(t, "outside", n.at(40, 9090), nil)
			v1, _, ends := twoVersions(t, n)
			docs := userMesh("v1", 100)
			docs[0] = theMesh(filter)
			s := start(t, n, docs, ends)
			status, body, _, err := get(client(t, s.egress), fmt.Sprintf("http://%s/", outside.addr))
			if open != (err == nil && status == 200 && body == "outside") || open != (outside.served.Load() == 1) {
				t.Errorf("outside the mesh: %d %q %v", status, body, err)
			}
			// What is listed works either way.
			want(t, client(t, s.egress), svc+"/", 200, "v1")
			if v1.served.Load() != 1 {
				t.Error("v1 was not asked")
			}
		})
	}
}

func TestWhatCannotBeReachedIs503(t *testing.T) {
	n := newNetwork(t)
	s := start(t, n, userMesh("v1", 100), endpoints{"v1.test": {}})
	status, body, _, err := get(plain(t, s.egress), svc+"/")
	if err != nil || status != 503 || !strings.Contains(body, "no healthy upstream") {
		t.Errorf("no endpoints: %d %q %v, want 503 no healthy upstream", status, body, err)
	}
}
