package upstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// call makes a gRPC request, or what is one to a proxy.
func call(t *testing.T, s *sidecar.Sidecar, path string, fields ...string) testkit.Response {
	t.Helper()
	return testkit.Dial(t, s.Egress).Do("POST", "svc", path, "body", append(fields, "content-type: application/grpc", "te: trailers")...)
}

// grpc answers with a status in the trailers.
func grpcAnswer(status string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/grpc")
		w.Header().Set("trailer", "grpc-status")
		fmt.Fprint(w, "message")
		w.Header().Set("grpc-status", status)
	}
}

func TestGRPCRequestsAreCountedByMethod(t *testing.T) {
	addr, _ := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/shop.v1.Cart/Add":
			grpcAnswer("0")(w, r)
		case "/shop.v1.Cart/Drop":
			grpcAnswer("5")(w, r)
		case "/shop.v1.Cart/Only": // trailers-only
			w.Header().Set("content-type", "application/grpc")
			w.Header().Set("grpc-status", "12")
		case "/shop.v1.Cart/None":
			fmt.Fprint(w, "no gRPC")
		default:
			grpcAnswer("0")(w, r)
		}
	})
	s := startH2(t, addr, func(r *mesh.Route) { r.Retry = nil })
	for _, path := range []string{"/shop.v1.Cart/Add", "/shop.v1.Cart/Add", "/shop.v1.Cart/Drop", "/shop.v1.Cart/Only", "/shop.v1.Cart/None", "/not/a/method"} {
		if got := call(t, s, path); got.Status != 200 {
			t.Errorf("%s: %d %q", path, got.Status, got.Body)
		}
	}
	s.Get("svc", "/shop.v1.Cart/Add") // no gRPC
	s.Counts(map[string]uint64{
		"cluster.c.grpc.shop.v1.Cart.Add.success": 2, "cluster.c.grpc.shop.v1.Cart.Add.failure": 0, "cluster.c.grpc.shop.v1.Cart.Add.total": 2,
		"cluster.c.grpc.shop.v1.Cart.Drop.failure": 1, "cluster.c.grpc.shop.v1.Cart.Drop.success": 0,
		"cluster.c.grpc.shop.v1.Cart.Only.failure": 1, "cluster.c.grpc.shop.v1.Cart.None.failure": 1,
		"cluster.c.grpc.other.success": 1,
	})
}

func TestGRPCRequestsThatFailHereAreFailures(t *testing.T) {
	cluster := sidecar.Cluster("c", testkit.Refused(t))
	cluster.Protocol = mesh.GRPC
	route := sidecar.Route(cluster)
	route.Retry = nil
	s := start(t, route)
	call(t, s, "/a.B/C")
	s.Counts(map[string]uint64{"cluster.c.grpc.a.B.C.failure": 1, "cluster.c.grpc.a.B.C.total": 1})
}

func TestAGRPCStatusInAResponseOfTrailersOnlyIsRetried(t *testing.T) {
	for _, tt := range []struct {
		what  string
		step  func(*h2conn, *h2request)
		calls int
	}{
		{"trailers-only, unavailable", func(c *h2conn, r *h2request) {
			c.head(r.id, true, ":status: 200", "content-type: application/grpc", "grpc-status: 14")
		}, 2},
		{"trailers-only, internal", func(c *h2conn, r *h2request) {
			c.head(r.id, true, ":status: 200", "content-type: application/grpc", "grpc-status: 13")
		}, 1},
		{"unavailable in trailers", func(c *h2conn, r *h2request) {
			c.head(r.id, false, ":status: 200", "content-type: application/grpc")
			c.head(r.id, true, "grpc-status: 14")
		}, 1},
	} {
		t.Run(tt.what, func(t *testing.T) {
			peer, seen := scripted(t, tt.step, ok)
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = events["unavailable"] })
			if got := call(t, s, "/a.B/C"); got.Status != 200 || len(seen) != tt.calls {
				t.Errorf("got %d %q after %d requests, want %d", got.Status, got.Body, len(seen), tt.calls)
			}
			if peer.conns.Load() != 1 {
				t.Errorf("%d connections", peer.conns.Load())
			}
		})
	}
}

func TestGRPCTimeoutLimitsTheRouteIfTheSettingSaysSo(t *testing.T) {
	for _, tt := range []struct {
		what    string
		setting upstream.GRPCTimeout
		route   time.Duration
		field   string
		status  string
	}{
		{"passed on", upstream.PassGRPCTimeout, time.Minute, "50m", ""},
		{"shorter than the route's", upstream.LimitByGRPCTimeout, time.Minute, "50m", "4"},
		{"the route has none", upstream.LimitByGRPCTimeout, 0, "50m", "4"},
		{"longer than the route's", upstream.LimitByGRPCTimeout, 50 * time.Millisecond, "1H", "14"},
		{"malformed", upstream.LimitByGRPCTimeout, time.Minute, "50", ""},
		{"zero", upstream.LimitByGRPCTimeout, time.Minute, "0m", ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			seen := make(chan string, 1)
			addr, _ := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
				seen <- r.Header.Get("grpc-timeout")
				if tt.status != "" {
					<-r.Context().Done()
				}
			})
			s := startH2With(t, addr, func(s *h2setup) {
				s.settings.GRPCTimeout = tt.setting
				s.route.Timeout.Value = tt.route
				s.route.Retry = nil
			})
			if got := call(t, s, "/a.B/C", "grpc-timeout: "+tt.field); got.Status != 200 || got.Header.Get("grpc-status") != tt.status {
				t.Errorf("got %d %v", got.Status, got.Header)
			}
			if got := testkit.Wait(t, "the request", seen); got != tt.field {
				t.Errorf("passed on %q", got)
			}
			if r := s.Records.Next(t); strings.Contains(r.Flags, "UT") != (tt.status != "") {
				t.Errorf("flags %q", r.Flags)
			}
		})
	}
}

// cancelIt is what a gRPC server does when its copy of the deadline passes.
func cancelIt(c *h2conn, r *h2request) { c.WriteRSTStream(r.id, http2.ErrCodeCancel) }

// What an app ends once the caller's deadline has passed it has ended because
// of that.
func TestAGRPCCallThatEndsAfterItsDeadlineIsToldSo(t *testing.T) {
	for how, step := range map[string]func(*h2conn, *h2request){"reset": cancelIt, "refused": refuse, "closed": closeIt} {
		for _, tt := range []struct {
			timeout, status string
			calls           int
		}{
			{"1n", "4", 1},
			{"1H", "14", 3},
			{"nonsense", "14", 3},
		} {
			t.Run(how+" after "+tt.timeout, func(t *testing.T) {
				if how == "refused" && tt.calls > 1 {
					tt.calls += 3 // beside the policy
				}
				peer, seen := scripted(t, step)
				s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = policy(2, mesh.RetryReset) })
				got := call(t, s, "/a.B/C", "grpc-timeout: "+tt.timeout)
				if got.Status != 200 || got.Header.Get("grpc-status") != tt.status || len(seen) != tt.calls {
					t.Errorf("got %d %v after %d requests", got.Status, got.Header, len(seen))
				}
				if r := s.Records.Next(t); !strings.HasPrefix(r.Details, "upstream_reset_before_response_started{") {
					t.Errorf("details %q", r.Details)
				}
			})
		}
	}
}

func TestADeadlineOfNoGRPCRequestMeansNothing(t *testing.T) {
	peer, seen := scripted(t, cancelIt, ok)
	s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = policy(1, mesh.RetryReset) })
	if got := s.Get("svc", "/", "grpc-timeout: 1n"); got.Status != 200 || len(seen) != 2 {
		t.Errorf("got %d after %d requests", got.Status, len(seen))
	}
}
