package upstream_test

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// events are App Mesh's retry events in the terms of the engine (App Mesh 2.8;
// internal/appmesh tests the translation of documents into these).
var events = map[string]*mesh.RetryPolicy{
	"server-error":       policy(1, mesh.RetryReset, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511),
	"gateway-error":      policy(1, mesh.RetryReset, 502, 503, 504),
	"client-error":       policy(1, 0, 409),
	"stream-error":       policy(1, mesh.RetryRefusedStream),
	"connection-error":   policy(1, mesh.RetryConnectFailure),
	"cancelled":          {MaxRetries: 1, GRPCStatus: 1 << 1, Explicit: true, BackoffBase: 1},
	"deadline-exceeded":  {MaxRetries: 1, GRPCStatus: 1 << 4, Explicit: true, BackoffBase: 1},
	"resource-exhausted": {MaxRetries: 1, GRPCStatus: 1 << 8, Explicit: true, BackoffBase: 1},
	"internal":           {MaxRetries: 1, GRPCStatus: 1 << 13, Explicit: true, BackoffBase: 1},
	"unavailable":        {MaxRetries: 1, GRPCStatus: 1 << 14, Explicit: true, BackoffBase: 1},
}

func TestEachEventRetriesItsOutcomesAndNoOthers(t *testing.T) {
	outcomes := []struct {
		what    string
		step    testkit.Step
		retried []string // by these events
	}{
		{"500", testkit.Status(500), []string{"server-error"}},
		{"501", testkit.Status(501), []string{"server-error"}},
		{"502", testkit.Status(502), []string{"server-error", "gateway-error"}},
		{"503", testkit.Status(503), []string{"server-error", "gateway-error"}},
		{"504", testkit.Status(504), []string{"server-error", "gateway-error"}},
		{"505", testkit.Status(505), []string{"server-error"}},
		{"506", testkit.Status(506), []string{"server-error"}},
		{"507", testkit.Status(507), []string{"server-error"}},
		{"508", testkit.Status(508), []string{"server-error"}},
		{"509", testkit.Status(509), nil},
		{"510", testkit.Status(510), []string{"server-error"}},
		{"511", testkit.Status(511), []string{"server-error"}},
		{"409", testkit.Status(409), []string{"client-error"}},
		{"400", testkit.Status(400), nil},
		{"404", testkit.Status(404), nil},
		{"429", testkit.Status(429), nil},
		{"200", testkit.Status(200), nil},
		{"a close before the head", testkit.CloseAfterBody, []string{"server-error", "gateway-error"}},
		{"a reset before the head", testkit.ResetAfterBody, []string{"server-error", "gateway-error"}},
		{"half a head", testkit.RawClose("HTTP/1.1 200 OK\r\ncontent-"), []string{"server-error", "gateway-error"}},
		{"no HTTP", testkit.Raw("220 mail.example ESMTP\r\n\r\n"), []string{"server-error", "gateway-error"}},
		{"503 with x-envoy-ratelimited", testkit.Status(503, "x-envoy-ratelimited: true"), nil},
		{"grpc-status 1", testkit.Status(200, "grpc-status: 1"), []string{"cancelled"}},
		{"grpc-status 4", testkit.Status(200, "grpc-status: 4"), []string{"deadline-exceeded"}},
		{"grpc-status 8", testkit.Status(200, "grpc-status: 8"), []string{"resource-exhausted"}},
		{"grpc-status 13", testkit.Status(200, "grpc-status: 13"), []string{"internal"}},
		{"grpc-status 14", testkit.Status(200, "grpc-status: 14"), []string{"unavailable"}},
		{"grpc-status 0", testkit.Status(200, "grpc-status: 0"), nil},
		{"grpc-status 114", testkit.Status(200, "grpc-status: 114"), nil},
	}
	for _, o := range outcomes {
		t.Run(o.what, func(t *testing.T) {
			apps := make(map[string]*testkit.App)
			var routes []mesh.Route
			for event, p := range events {
				apps[event] = testkit.NewApp(t, o.step, testkit.Text("second"))
				r := sidecar.Route(sidecar.Cluster(event, apps[event].Addr))
				r.Match, r.Retry = mesh.Match{Exact: "/" + event}, p
				routes = append(routes, r)
			}
			s := start(t, routes...)
			for event, app := range apps {
				got, want := s.Get("svc", "/"+event), 1
				if slices.Contains(o.retried, event) {
					want = 2
				}
				if app.Calls() != want || (got.Body == "second") != (want == 2) {
					t.Errorf("%s: %d attempts, then %d %q; want %d attempts", event, app.Calls(), got.Status, got.Body, want)
				}
			}
		})
	}
}

func TestConnectFailuresAreRetried(t *testing.T) {
	for _, tt := range []struct {
		what  string
		addr  func(testing.TB) netip.AddrPort
		event string
		want  int
	}{
		{"refused under connection-error", testkit.Refused, "connection-error", 200},
		{"refused under server-error, which includes reset", testkit.Refused, "server-error", 200},
		{"refused under client-error", testkit.Refused, "client-error", 503},
		{"timed out under connection-error", testkit.Full, "connection-error", 200},
		{"timed out under gateway-error", testkit.Full, "gateway-error", 200},
		{"timed out under unavailable", testkit.Full, "unavailable", 503},
	} {
		t.Run(tt.what, func(t *testing.T) {
			bad, app := tt.addr(t), testkit.NewApp(t)
			cluster := sidecar.Cluster("c", bad, app.Addr)
			cluster.ConnectTimeout = 50 * time.Millisecond
			route := sidecar.Route(cluster)
			route.Retry = events[tt.event]
			s := start(t, route)
			// Round robin over two endpoints: one of two requests meets the bad one.
			a, b := s.Get("svc", "/"), s.Get("svc", "/")
			if worst := max(a.Status, b.Status); worst != tt.want {
				t.Errorf("the worse of two answers is %d, want %d", worst, tt.want)
			}
		})
	}
}

func TestARetryAvoidsTheEndpointTriedBefore(t *testing.T) {
	bad := testkit.NewApp(t, testkit.Status(503))
	good := testkit.NewApp(t)
	route := sidecar.Route(sidecar.Cluster("c", bad.Addr, good.Addr))
	route.Retry = policy(1, 0, 503)
	s := start(t, route)
	for range 40 {
		if got := s.Get("svc", "/"); got.Status != 200 {
			t.Fatalf("got %d although one endpoint is fine", got.Status)
		}
	}
	if bad.Calls() == 0 || good.Calls() != 40 {
		t.Errorf("%d and %d calls, want some and 40", bad.Calls(), good.Calls())
	}
}

func TestTheDefaultPolicyReplaysByMethod(t *testing.T) {
	for _, tt := range []struct {
		what   string
		method string
		step   testkit.Step
		unsafe bool
		calls  int
		status int
	}{
		{"GET after 503", "GET", testkit.Status(503), false, 2, 200},
		{"GET after 500", "GET", testkit.Status(500), false, 1, 500},
		{"GET after a close", "GET", testkit.CloseAfterBody, false, 2, 200},
		{"PUT after a close", "PUT", testkit.CloseAfterBody, false, 2, 200},
		{"DELETE after 503", "DELETE", testkit.Status(503), false, 2, 200},
		{"POST after 503", "POST", testkit.Status(503), false, 1, 503},
		{"POST after a close", "POST", testkit.CloseAfterBody, false, 1, 503},
		{"PATCH after a reset", "PATCH", testkit.ResetAfterBody, false, 1, 503},
		{"POST after 503, unsafe retries allowed", "POST", testkit.Status(503), true, 2, 200},
		{"POST after a close, unsafe retries allowed", "POST", testkit.CloseAfterBody, true, 2, 200},
	} {
		t.Run(tt.what, func(t *testing.T) {
			app := testkit.NewApp(t, tt.step, testkit.Status(200))
			route := sidecar.Route(sidecar.Cluster("c", app.Addr))
			fast(&route)
			settings := sidecar.Settings()
			settings.RetryUnsafe = tt.unsafe
			s := sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), settings, &sidecar.Names{})
			got := testkit.Dial(t, s.Egress).Do(tt.method, "svc", "/", "body")
			if got.Status != tt.status || app.Calls() != tt.calls {
				t.Errorf("got %d after %d calls, want %d after %d", got.Status, app.Calls(), tt.status, tt.calls)
			}
		})
	}
}

func TestAnExplicitPolicyIsObeyedForEveryMethod(t *testing.T) {
	app := testkit.NewApp(t, testkit.CloseAfterBody, testkit.Status(200))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = events["server-error"] })
	if got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "body"); got.Status != 200 || app.Calls() != 2 {
		t.Errorf("got %d after %d calls", got.Status, app.Calls())
	}
	for i, r := range app.Seen() {
		if r.Body != "body" {
			t.Errorf("attempt %d had the body %q", i+1, r.Body)
		}
	}
}

func TestAPostThatWasNotWrittenIsReplayedByTheDefaultPolicy(t *testing.T) {
	refused, app := testkit.Refused(t), testkit.NewApp(t)
	route := sidecar.Route(sidecar.Cluster("c", refused, app.Addr))
	fast(&route)
	s := start(t, route)
	for range 4 {
		if got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "body"); got.Status != 200 {
			t.Errorf("got %d: %s", got.Status, got.Body)
		}
	}
}

func TestTheRetryLimitIsKeptAndFlagged(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = policy(3, 0, 503) })
	got := s.Get("svc", "/")
	if got.Status != 503 || got.Body != "503" || app.Calls() != 4 {
		t.Errorf("got %d %q after %d calls, want the app's 503 after 4", got.Status, got.Body, app.Calls())
	}
	if r := s.Records.Next(t); r.Flags != "URX" || r.Attempts != 4 || r.Details != "via_upstream" {
		t.Errorf("record %+v, want URX, 4 attempts", r)
	}
	s.Counts(map[string]uint64{
		"cluster.c.upstream_rq_retry": 3, "cluster.c.upstream_rq_retry_limit_exceeded": 1,
		"cluster.c.upstream_rq_retry_backoff_exponential": 3, "cluster.c.upstream_rq_total": 4,
		"cluster.c.upstream_rq_retry_success": 0, "cluster.c.upstream_rq_completed": 1,
	})
}

func TestALaterSuccessIsCounted(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(503), testkit.Status(200))
	s := startApp(t, app, fast)
	if got := s.Get("svc", "/"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	if r := s.Records.Next(t); r.Flags != "" || r.Attempts != 3 {
		t.Errorf("record %+v, want no flag, 3 attempts", r)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_retry": 2, "cluster.c.upstream_rq_retry_success": 1})
}

func TestTheTextSaysThatItWasRetried(t *testing.T) {
	app := testkit.NewApp(t, testkit.CloseAfterBody)
	s := startApp(t, app, fast)
	got := s.Get("svc", "/")
	const want = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination"
	if got.Status != 503 || got.Body != want || app.Calls() != 3 {
		t.Errorf("got %d %q after %d calls", got.Status, got.Body, app.Calls())
	}
	if r := s.Records.Next(t); r.Flags != "URX,UC" {
		t.Errorf("flags %q", r.Flags)
	}
}

// The budget: a fifth of the requests under way, and three in any case. Eight
// requests fail at once; three of them may be tried again.
func TestTheRetryBudgetHoldsRetriesBack(t *testing.T) {
	const all = 8
	arrived, gate := make(chan struct{}, 2*all), make(chan struct{})
	first := testkit.Announce(arrived, testkit.After(gate, testkit.Status(503)))
	release := make(chan struct{})
	second := testkit.Announce(arrived, testkit.After(release, testkit.Status(200)))
	app := testkit.NewApp(t, first, first, first, first, first, first, first, first, second)
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = policy(1, 0, 503) })
	got := make(chan testkit.Response, all)
	for range all {
		go func() { got <- s.Get("svc", "/") }()
	}
	for range all {
		testkit.Wait(t, "a first attempt", arrived)
	}
	close(gate)
	for range all - 3 {
		if r := testkit.Wait(t, "an answer that was not tried again", got); r.Status != 503 {
			t.Errorf("got %d", r.Status)
		}
	}
	for range 3 {
		testkit.Wait(t, "a retry", arrived)
	}
	close(release)
	for range 3 {
		if r := testkit.Wait(t, "a retry's answer", got); r.Status != 200 {
			t.Errorf("got %d", r.Status)
		}
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_retry": 3, "cluster.c.upstream_rq_retry_overflow": all - 3})
	flagged := 0
	for range all {
		if r := s.Records.Next(t); r.Flags == "UO" && r.Code == 503 {
			flagged++
		}
	}
	if flagged != all-3 {
		t.Errorf("%d records are flagged UO, want %d", flagged, all-3)
	}
}

func TestTheBudgetCanBeTurnedOff(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	fast(&route)
	settings := sidecar.Settings()
	settings.RetryPercent, settings.RetryLeast = 0, 0
	s := sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), settings, &sidecar.Names{})
	if got := s.Get("svc", "/"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
}

func TestAPolicyOfNoRetriesRetriesNothing(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = policy(0, mesh.RetryReset, 503) })
	if got := s.Get("svc", "/"); got.Status != 503 || app.Calls() != 1 {
		t.Errorf("got %d after %d calls", got.Status, app.Calls())
	}
}

func TestNothingIsRetriedOnceA1xxWasPassedOn(t *testing.T) {
	app := testkit.NewApp(t, testkit.RawClose("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"), testkit.Status(200))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = events["server-error"] })
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	if hint := c.Receive("GET"); hint.Status != 103 || hint.Header.Get("link") != "</a.css>" {
		t.Errorf("first came %+v", hint)
	}
	if got := c.Receive("GET"); got.Status != 503 || app.Calls() != 1 {
		t.Errorf("then %d after %d calls", got.Status, app.Calls())
	}
}

func TestTheExpectedTimeoutOfEachAttemptIsToldUpstream(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
	s := startApp(t, app, func(r *mesh.Route) {
		fast(r)
		r.Retry.PerTryTimeout = 5 * time.Second
	})
	s.Get("svc", "/", "x-envoy-expected-rq-timeout-ms: 1", "x-envoy-max-retries: 0", "x-envoy-upstream-rq-timeout-ms: 1")
	for i, r := range app.Seen() {
		if got := r.Header[http.CanonicalHeaderKey("x-envoy-expected-rq-timeout-ms")]; len(got) != 1 || got[0] != "5000" {
			t.Errorf("attempt %d was told %q, want 5000 once", i+1, got)
		}
	}
	if app.Calls() != 2 {
		t.Errorf("%d calls: the app must not change the policy by headers", app.Calls())
	}
}
