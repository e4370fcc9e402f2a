package upstream_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

const resetText = "upstream connect error or disconnect/reset before headers. reset reason: "

// Envoy's catalogue of local replies (2.3, 3.9), without retries.
func TestFailuresAreToldAsEnvoyTellsThem(t *testing.T) {
	app := func(steps ...testkit.Step) func(testing.TB) *mesh.Cluster {
		return func(t testing.TB) *mesh.Cluster { return sidecar.Cluster("c", testkit.NewApp(t, steps...).Addr) }
	}
	at := func(addr func(testing.TB) netip.AddrPort) func(testing.TB) *mesh.Cluster {
		return func(t testing.TB) *mesh.Cluster {
			c := sidecar.Cluster("c", addr(t))
			c.ConnectTimeout = 50 * time.Millisecond
			return c
		}
	}
	for _, tt := range []struct {
		what           string
		cluster        func(testing.TB) *mesh.Cluster
		status         int
		body           string
		flags, details string
	}{
		{"connection refused", at(testkit.Refused), 503,
			resetText + "remote connection failure, transport failure reason: delayed connect error: Connection refused",
			"UF", "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"},
		{"connect timeout", at(testkit.Full), 503, resetText + "connection timeout",
			"UF", "upstream_reset_before_response_started{connection_timeout}"},
		{"a close before the head", app(testkit.CloseAtOnce), 503, resetText + "connection termination",
			"UC", "upstream_reset_before_response_started{connection_termination}"},
		{"a reset before the head", app(testkit.ResetAfterBody), 503, resetText + "connection termination",
			"UC", "upstream_reset_before_response_started{connection_termination}"},
		{"a close within the head", app(testkit.RawClose("HTTP/1.1 200 OK\r\nx: ")), 503, resetText + "connection termination",
			"UC", "upstream_reset_before_response_started{connection_termination}"},
		{"no HTTP", app(testkit.Raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")), 502, resetText + "protocol error",
			"UPE", "upstream_reset_before_response_started{protocol_error}"},
		{"both framings", app(testkit.Raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")), 502,
			resetText + "protocol error", "UPE", "upstream_reset_before_response_started{protocol_error}"},
		{"101 that nobody asked for", app(testkit.Upgrade("")), 502, resetText + "protocol error",
			"UPE", "upstream_reset_before_response_started{protocol_error}"},
		{"no endpoints", func(testing.TB) *mesh.Cluster { return sidecar.Cluster("c") }, 503, "no healthy upstream",
			"UH", "no_healthy_upstream"},
		{"a cluster that is refused", func(testing.TB) *mesh.Cluster {
			c := sidecar.Cluster("c", netip.MustParseAddrPort("127.0.0.1:1"))
			c.Refuse = "an enforced TLS client policy"
			return c
		}, 503, "cluster c is not served: an enforced TLS client policy", "UF", "cluster_refused"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			route := sidecar.Route(tt.cluster(t))
			route.Retry = nil
			s := start(t, route)
			c := testkit.Dial(t, s.Egress)
			got := c.Do("GET", "svc", "/", "")
			if got.Status != tt.status || got.Body != tt.body {
				t.Errorf("got %d %q\nwant %d %q", got.Status, got.Body, tt.status, tt.body)
			}
			for name, want := range map[string]string{"server": "envoy", "content-type": "text/plain", "x-envoy-overloaded": "", "x-envoy-upstream-service-time": ""} {
				if v := got.Header.Get(name); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
			if got.Header.Get("date") == "" {
				t.Error("no date")
			}
			r := s.Records.Next(t)
			if r.Code != tt.status || r.Flags != tt.flags || r.Details != tt.details {
				t.Errorf("record %d %q %q\nwant   %d %q %q", r.Code, r.Flags, r.Details, tt.status, tt.flags, tt.details)
			}
			// A failure upstream costs the client nothing but the answer.
			if again := c.Do("GET", "svc", "/", ""); again.Status != tt.status {
				t.Errorf("the next request on the connection got %d", again.Status)
			}
			s.Counts(map[string]uint64{"http.egress.downstream_rq_5xx": 2})
		})
	}
}

func TestTheLogNamesTheTransportFailure(t *testing.T) {
	route := sidecar.Route(sidecar.Cluster("c", testkit.Refused(t)))
	route.Retry = nil
	s := start(t, route)
	s.Get("svc", "/")
	if r := s.Records.Next(t); r.TransportFailure != "delayed connect error: Connection refused" {
		t.Errorf("transport failure %q", r.TransportFailure)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_cx_connect_fail": 1, "cluster.c.upstream_rq_pending_failure_eject": 1})
}

func TestOurOwnAddressIsNeverDialed(t *testing.T) {
	s := start(t, sidecar.Route(sidecar.Cluster("c", testkit.Refused(t))))
	for _, own := range []netip.AddrPort{s.Egress, s.Ingress} {
		route := sidecar.Route(sidecar.Cluster("self", own))
		route.Retry = nil
		s.Apply(sidecar.Mesh(sidecar.Backend("svc", 8080, route)))
		if got := s.Get("svc", "/"); got.Status != 503 {
			t.Errorf("got %d", got.Status)
		}
		if n := s.Count("cluster.self.upstream_cx_total"); n != 0 {
			t.Errorf("%d connections to ourselves", n)
		}
		if r := s.Records.Next(t); r.Flags != "UF" {
			t.Errorf("flags %q", r.Flags)
		}
	}
}

func TestAResponseKeepsItsHeadersAndGetsEnvoys(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(200, "Server: nginx", "X-Mine: 1", "Set-Cookie: a=1", "Set-Cookie: b=2", "Connection: x-hop", "X-Hop: gone"))
	s := startApp(t, app, nil)
	got := s.Get("svc", "/")
	h := got.Header
	if h.Get("server") != "envoy" || h.Get("date") == "" || h.Get("x-mine") != "1" || len(h["Set-Cookie"]) != 2 || h.Get("x-hop") != "" {
		t.Errorf("header %v", h)
	}
	if v := h.Get("x-envoy-upstream-service-time"); v == "" {
		t.Error("no x-envoy-upstream-service-time")
	}
}
