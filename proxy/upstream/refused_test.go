package upstream_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// What the peer says it did not process is sent again, whatever its method, with
// or without a policy, and though the policy's count and the budget allow nothing.
func TestARequestThatWasNotProcessedIsSentAgain(t *testing.T) {
	for _, tt := range []struct {
		what   string
		steps  []func(*h2conn, *h2request)
		status int
		calls  int
	}{
		{"one GOAWAY", []func(*h2conn, *h2request){goAway, ok}, 200, 2},
		{"two GOAWAYs in a row", []func(*h2conn, *h2request){goAway, goAway, ok}, 200, 3},
		{"three of either kind", []func(*h2conn, *h2request){goAway, refuse, goAway, ok}, 200, 4},
		{"refused three times", []func(*h2conn, *h2request){refuse, refuse, refuse, ok}, 200, 4},
		{"refused for ever", []func(*h2conn, *h2request){refuse}, 503, 4},
	} {
		for name, policy := range map[string]*mesh.RetryPolicy{"no policy": nil, "a policy for other things": policy(2, mesh.RetryConnectFailure)} {
			t.Run(tt.what+", "+name, func(t *testing.T) {
				peer, seen := scripted(t, tt.steps...)
				s := startH2With(t, peer.Addr, func(s *h2setup) {
					s.route.Retry = policy
					s.settings.RetryPercent, s.settings.RetryLeast = 1, 0
				})
				got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "body")
				if got.Status != tt.status || len(seen) != tt.calls {
					t.Errorf("got %d %q after %d requests", got.Status, got.Body, len(seen))
				}
				if r := s.Records.Next(t); r.Attempts != tt.calls || (tt.status == 503) != (r.Flags == "UR") {
					t.Errorf("flags %q after %d attempts", r.Flags, r.Attempts)
				}
				s.Counts(map[string]uint64{
					"cluster.c.upstream_rq_stale_replay": uint64(tt.calls - 1), "cluster.c.upstream_rq_retry": 0,
					"cluster.c.upstream_rq_retry_overflow": 0,
				})
			})
		}
	}
}

// After that it is the policy's matter.
func TestAPolicyMayRetryRefusedStreamsFurther(t *testing.T) {
	peer, seen := scripted(t, refuse, refuse, refuse, refuse, ok)
	s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = policy(1, mesh.RetryRefusedStream) })
	if got := s.Get("svc", "/"); got.Body != "second" || len(seen) != 5 {
		t.Errorf("got %d %q after %d requests", got.Status, got.Body, len(seen))
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_stale_replay": 3, "cluster.c.upstream_rq_retry": 1})
}

// A body that is still coming is kept for that, also where no policy asks for it.
func TestABodyIsKeptForAPeerThatRefusesWithoutAPolicy(t *testing.T) {
	for _, tt := range []struct {
		what   string
		first  string
		status int
	}{
		{"a short one", "first", 200},
		{"one that is too long to keep", strings.Repeat("x", 100<<10), 503},
	} {
		t.Run(tt.what, func(t *testing.T) {
			arrived := make(chan struct{})
			peer := newH2Peer(t, func(c *h2conn) {
				c.WriteWindowUpdate(0, 1<<20)
				if c.number > 1 {
					n := 0
					var r *h2request
					c.data = func(f *http2.DataFrame) {
						if n += len(f.Data()); f.StreamEnded() {
							c.reply(r.id, 200, fmt.Sprint(n))
						}
					}
					r = c.must()
					c.drain()
					return
				}
				n := 0
				c.data = func(f *http2.DataFrame) {
					if n += len(f.Data()); n == len(tt.first) {
						c.WriteGoAway(0, http2.ErrCodeNo, nil)
						close(arrived)
					}
				}
				c.drain()
			}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
			c := testkit.Dial(t, s.Egress)
			c.Send(fmt.Sprintf("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n%s", len(tt.first)+5, tt.first))
			if tt.status == 200 {
				testkit.Wait(t, "the first half", arrived)
				c.Send(" last")
			}
			got := c.Receive("POST")
			if got.Status != tt.status || tt.status == 200 && got.Body != fmt.Sprint(len(tt.first)+5) {
				t.Errorf("got %d %q", got.Status, got.Body)
			}
		})
	}
}

func TestABrokenConnectionIsCountedOnce(t *testing.T) {
	for _, tt := range []struct {
		what  string
		step  func(*h2conn, *h2request)
		count uint64
	}{
		{"five streams of a connection that breaks the protocol", badFrame, 1},
		{"five streams that do", nil, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			peer := newH2Peer(t, func(c *h2conn) {
				var last *h2request
				for range 5 {
					last = c.must()
					if tt.step == nil {
						noStatus(c, last)
					}
				}
				if tt.step != nil {
					tt.step(c, last)
				}
				c.drain()
			})
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
			var clients []*testkit.Client
			for range 5 {
				c := testkit.Dial(t, s.Egress)
				c.Request("GET", "svc", "/", "")
				clients = append(clients, c)
			}
			for _, c := range clients {
				if got := c.Receive("GET"); got.Status != 502 {
					t.Errorf("got %d %q", got.Status, got.Body)
				}
			}
			testkit.Eventually(t, "the connection was counted", func() bool {
				return s.Count("cluster.c.upstream_cx_protocol_error") == tt.count
			})
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_rx_reset": 5, "cluster.c.upstream_cx_total": 1})
		})
	}
}

// Envoy 2.7: the protocol decides what a response's head over the limits is.
func TestAResponseHeadOverTheLimitsIsResetInHTTP2AndABreachInHTTP1(t *testing.T) {
	var fields []string
	for i := range 101 {
		fields = append(fields, fmt.Sprintf("f%d: v", i))
	}
	var many strings.Builder
	many.WriteString("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n")
	for _, tt := range []struct {
		what string
		head []string
	}{
		{"101 fields", fields},
		{"70 KiB", []string{"long: " + strings.Repeat("x", 70<<10)}},
	} {
		t.Run(tt.what+" in HTTP/2", func(t *testing.T) {
			peer, _ := scripted(t, func(c *h2conn, r *h2request) { c.bigHead(r.id, append([]string{":status: 200"}, tt.head...)...) }, ok)
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
			if got := s.Get("svc", "/"); got.Status != 503 || got.Body != resetText+"local reset" {
				t.Errorf("got %d %q", got.Status, got.Body)
			}
			if r := s.Records.Next(t); r.Flags != "LR" || r.Details != "upstream_reset_before_response_started{local_reset}" {
				t.Errorf("record %q %q", r.Flags, r.Details)
			}
			if got := s.Get("svc", "/"); got.Status != 200 || peer.conns.Load() != 1 {
				t.Errorf("its connection went with it: %d, %d connections", got.Status, peer.conns.Load())
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_tx_reset": 1, "cluster.c.upstream_cx_protocol_error": 0})
		})
	}
	t.Run("101 fields in HTTP/1", func(t *testing.T) {
		app := testkit.NewApp(t, testkit.Raw(many.String()))
		s := startApp(t, app, func(r *mesh.Route) { r.Retry = nil })
		if got := s.Get("svc", "/"); got.Status != 502 || got.Body != resetText+"protocol error" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
		if r := s.Records.Next(t); r.Flags != "UPE" {
			t.Errorf("flags %q", r.Flags)
		}
		s.Counts(map[string]uint64{"cluster.c.upstream_cx_protocol_error": 1})
	})
}
