package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

// callTown is a front node whose backend svc.local has one gRPC method.
const callTown = `[
  {"meshName": "m", "spec": {}},
  {"meshName": "m", "virtualNodeName": "front", "spec": {
    "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
    "backends": [{"virtualService": {"virtualServiceName": "svc.local"}}],
    "serviceDiscovery": {"dns": {"hostname": "front.test"}}}},
  {"meshName": "m", "virtualServiceName": "svc.local", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}},
  {"meshName": "m", "virtualRouterName": "r", "spec": {"listeners": [{"portMapping": {"port": 8080, "protocol": "grpc"}}]}},
  {"meshName": "m", "virtualRouterName": "r", "routeName": "get", "spec": {"grpcRoute": {
    "match": {"serviceName": "color.Service", "methodName": "Get"}, "action": {"weightedTargets": [{"virtualNode": "svc-v1", "weight": 1}]}}}},
  {"meshName": "m", "virtualNodeName": "svc-v1", "spec": {
    "listeners": [{"portMapping": {"port": 9090, "protocol": "grpc"}}],
    "serviceDiscovery": {"dns": {"hostname": "calls.test", "responseType": "ENDPOINTS"}}}}
]`

func cleartextHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// callee answers every call with its protocol and path, and grpc-status 0.
func callee(t *testing.T) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		fmt.Fprintf(w, "%s %s", r.Proto, r.URL.Path)
		w.Header().Set("Grpc-Status", "0")
	}))
	s.Config.Protocols = cleartextHTTP2()
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// TestACallThroughASidecar: documents with grpc ports, from the start to the
// admin page, with settings of the command line in force.
func TestACallThroughASidecar(t *testing.T) {
	ends := write(t, t.TempDir(), "endpoints.yaml", fmt.Sprintf("calls.test: [%[1]q]\nsvc-v1.test: [%[1]q]\n", callee(t).Listener.Addr()))
	l := begin(t, "--endpoints", ends, "--drain-time", "0s", "--http2-max-concurrent-streams", "7")
	write(t, l.dir, "mesh.json", callTown)
	testkit.Eventually(t, "the change in force", func() bool { return strings.Contains(l.ask("GET", "/clusters"), "svc-v1_grpc_9090::127.0.0.1") })

	client := &http.Transport{Protocols: cleartextHTTP2(), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.egress.String())
	}}
	defer client.CloseIdleConnections()
	call := func(path, contentType string) (int, string, string) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://svc.local"+path, strings.NewReader("\x00\x00\x00\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body), resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
	}
	if code, body, status := call("/color.Service/Get", "application/grpc"); code != 200 || body != "HTTP/2.0 /color.Service/Get" || status != "0" {
		t.Errorf("a call: %d %q, grpc-status %q", code, body, status)
	}
	if code, _, status := call("/color.Service/Set", "application/grpc"); code != 200 || status != "12" {
		t.Errorf("a method without a route: %d, grpc-status %q", code, status)
	}
	if code, _, _ := call("/color.Service/Get", "text/plain"); code != 404 {
		t.Errorf("no call: %d", code)
	}

	stats := l.ask("GET", "/stats?usedonly")
	for _, want := range []string{
		"cluster.cds_egress_m_svc-v1_grpc_9090.upstream_cx_http2_total: 1",
		"cluster.cds_egress_m_svc-v1_grpc_9090.grpc.color.Service.Get.success: 1",
		"http.egress.downstream_rq_http2_total: 3",
	} {
		if !strings.Contains(stats, want+"\n") {
			t.Errorf("no %q in\n%s", want, stats)
		}
	}
	if series := l.ask("GET", "/stats/prometheus"); !strings.Contains(series, `envoy_cluster_grpc_success{envoy_grpc_bridge_method="Get",envoy_grpc_bridge_service="color.Service",envoy_cluster_name="cds_egress_m_svc-v1_grpc_9090"} 1`) {
		t.Error("the method's series is not among the Prometheus text")
	}
	if dump := l.ask("GET", "/config_dump"); !strings.Contains(dump, `"max_concurrent_streams": 7`) {
		t.Error("the setting is not in the dump")
	}
	l.end()
	if code := l.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
}
