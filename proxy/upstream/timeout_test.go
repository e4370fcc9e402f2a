package upstream_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// short is long enough for a machine that is busy to get as far as it has to.
const short = 150 * time.Millisecond

func TestTheRouteTimeoutEndsAWaitForTheHead(t *testing.T) {
	gone := make(chan error, 1)
	app := testkit.NewApp(t, testkit.HangUntilGone(gone))
	s := startApp(t, app, func(r *mesh.Route) { r.Timeout.Value = short })
	begun := time.Now()
	got := s.Get("svc", "/")
	if got.Status != 504 || got.Body != "upstream request timeout" || time.Since(begun) < short {
		t.Errorf("got %d %q after %v", got.Status, got.Body, time.Since(begun))
	}
	testkit.Wait(t, "the upstream request cancelled", gone)
	if r := s.Records.Next(t); r.Flags != "UT" || r.Details != "response_timeout" || r.Attempts != 1 {
		t.Errorf("record %+v", r)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_timeout": 1})
}

func TestTheRouteTimeoutCoversRetriesAndBackOffs(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503))
	s := startApp(t, app, func(r *mesh.Route) {
		r.Timeout.Value = short
		r.Retry = policy(1_000_000, 0, 503)
		r.Retry.BackoffMax = 20 * time.Millisecond
	})
	begun := time.Now()
	got := s.Get("svc", "/")
	if took := time.Since(begun); took < short/2 {
		t.Errorf("it took %v", took)
	}
	// Between two attempts there is a response to pass on, during one there is none.
	if got.Status != 504 && got.Status != 503 {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if app.Calls() < 2 {
		t.Errorf("%d attempts", app.Calls())
	}
}

func TestTheRouteTimeoutBeginsAtTheEndOfTheRequest(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(200))
	s := startApp(t, app, func(r *mesh.Route) { r.Timeout.Value = short })
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 30\r\n\r\n")
	tick := time.NewTicker(short / 10)
	defer tick.Stop()
	for range 30 { // three times the timeout
		<-tick.C
		c.Send("x")
	}
	if got := c.Receive("POST"); got.Status != 200 {
		t.Errorf("got %d %q: the request alone took longer than the timeout", got.Status, got.Body)
	}
}

func TestTheRouteTimeoutHoldsAfterASlowRequest(t *testing.T) {
	app := testkit.NewApp(t, testkit.Hang)
	s := startApp(t, app, func(r *mesh.Route) { r.Timeout.Value = short })
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 2\r\n\r\nx")
	testkit.Eventually(t, "the request upstream", func() bool { return app.Calls() == 1 })
	begun := time.Now()
	c.Send("y")
	if got := c.Receive("POST"); got.Status != 504 || time.Since(begun) < short {
		t.Errorf("got %d after %v", got.Status, time.Since(begun))
	}
}

func TestATimeoutOfZeroIsNone(t *testing.T) {
	gate := make(chan struct{})
	app := testkit.NewApp(t, testkit.After(gate, testkit.Status(200)))
	s := startApp(t, app, func(r *mesh.Route) { r.Timeout.Value, r.Idle.Value = 0, 0 })
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	testkit.Eventually(t, "the request upstream", func() bool { return app.Calls() == 1 })
	close(gate)
	if got := c.Receive("GET"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	if seen := app.Seen(); len(seen) > 0 && seen[0].Header.Get("x-envoy-expected-rq-timeout-ms") != "" {
		t.Errorf("told upstream of a timeout: %v", seen[0].Header)
	}
}

func TestTheRouteTimeoutAbortsAResponseUnderWay(t *testing.T) {
	gone := make(chan error, 1)
	app := testkit.NewApp(t, func(c *testkit.Call) {
		c.Write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbeginning")
		gone <- c.Hang()
	})
	s := startApp(t, app, func(r *mesh.Route) { r.Timeout.Value = short })
	c := testkit.Dial(t, s.Egress)
	got := c.Do("GET", "svc", "/", "")
	if got.Status != 200 || got.Body != "beginning" || got.Err == nil {
		t.Errorf("got %d %q, %v; want a beginning and an error", got.Status, got.Body, got.Err)
	}
	testkit.Wait(t, "the upstream request cancelled", gone)
	if r := s.Records.Next(t); r.Code != 200 || r.Flags != "UT" || r.Details != "response_timeout" {
		t.Errorf("record %d %q %q", r.Code, r.Flags, r.Details)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_timeout": 1})
}

func TestAChunkedResponseThatIsAbortedNeverLooksWhole(t *testing.T) {
	app := testkit.NewApp(t, testkit.HangAfter("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"))
	s := startApp(t, app, func(r *mesh.Route) { r.Timeout.Value = short })
	if got := s.Get("svc", "/"); got.Body != "hello" || got.Err == nil {
		t.Errorf("got %q, %v", got.Body, got.Err)
	}
}

func TestThePerTryTimeoutEndsEachAttempt(t *testing.T) {
	for _, tt := range []struct {
		what  string
		on    mesh.RetryOn
		calls int
	}{
		{"tried again under reset", mesh.RetryReset, 3},
		{"not under connect-failure alone", mesh.RetryConnectFailure, 1},
	} {
		t.Run(tt.what, func(t *testing.T) {
			app := testkit.NewApp(t, testkit.Hang)
			s := startApp(t, app, func(r *mesh.Route) {
				r.Retry = policy(2, tt.on)
				r.Retry.PerTryTimeout = 30 * time.Millisecond
			})
			got := s.Get("svc", "/")
			if got.Status != 504 || got.Body != "upstream request timeout" || app.Calls() != tt.calls {
				t.Errorf("got %d %q after %d calls, want 504 after %d", got.Status, got.Body, app.Calls(), tt.calls)
			}
			r := s.Records.Next(t)
			if !strings.Contains(r.Flags, "UT") || r.Details != "upstream_per_try_timeout" {
				t.Errorf("record %q %q", r.Flags, r.Details)
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_per_try_timeout": uint64(tt.calls), "cluster.c.upstream_rq_timeout": 0})
		})
	}
}

func TestThePerTryTimeoutEndsWithTheHead(t *testing.T) {
	gate := make(chan struct{})
	app := testkit.NewApp(t, testkit.Trickle(gate, "x"))
	s := startApp(t, app, func(r *mesh.Route) {
		r.Retry = policy(2, mesh.RetryReset)
		r.Retry.PerTryTimeout = short
	})
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	resp := c.ReceiveHead("GET")
	tick := time.NewTicker(short)
	defer tick.Stop()
	for range 3 {
		<-tick.C
		gate <- struct{}{}
	}
	close(gate)
	if body, err := io.ReadAll(resp.Body); string(body) != "xxx" || err != nil {
		t.Errorf("read %q, %v", body, err)
	}
}

func TestSilenceEndsAnExchange(t *testing.T) {
	t.Run("before the head", func(t *testing.T) {
		app := testkit.NewApp(t, testkit.Hang)
		s := startApp(t, app, func(r *mesh.Route) { r.Idle.Value = short })
		if got := s.Get("svc", "/"); got.Status != 504 || got.Body != "stream timeout" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
		if r := s.Records.Next(t); r.Flags != "SI" || r.Details != "stream_idle_timeout" {
			t.Errorf("record %q %q", r.Flags, r.Details)
		}
	})
	t.Run("within the body", func(t *testing.T) {
		app := testkit.NewApp(t, testkit.HangAfter("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"))
		s := startApp(t, app, func(r *mesh.Route) { r.Idle.Value = short })
		if got := s.Get("svc", "/"); got.Body != "x" || got.Err == nil {
			t.Errorf("got %q, %v", got.Body, got.Err)
		}
		if r := s.Records.Next(t); r.Flags != "SI" || r.Details != "stream_idle_timeout" {
			t.Errorf("flags %q", r.Flags)
		}
	})
	t.Run("within the request's body", func(t *testing.T) {
		ended := make(chan error, 1)
		app := testkit.NewApp(t, func(c *testkit.Call) {
			_, err := c.ReadBody()
			ended <- err
			c.Close()
		})
		s := startApp(t, app, func(r *mesh.Route) { r.Idle.Value = short })
		c := testkit.Dial(t, s.Egress)
		c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 9\r\n\r\nx")
		if got := c.Receive("POST"); got.Status != 408 || got.Body != "stream timeout" || !got.Close {
			t.Errorf("got %d %q, close %v", got.Status, got.Body, got.Close)
		}
		if r := s.Records.Next(t); r.Flags != "SI" || r.Details != "stream_idle_timeout" {
			t.Errorf("record %q %q", r.Flags, r.Details)
		}
		if err := testkit.Wait(t, "the end of the body upstream", ended); err == nil {
			t.Error("half a body looked whole upstream")
		}
	})
	t.Run("not while the body trickles", func(t *testing.T) {
		gate := make(chan struct{})
		app := testkit.NewApp(t, testkit.Trickle(gate, "x"))
		s := startApp(t, app, func(r *mesh.Route) { r.Idle.Value = 2 * short })
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", "/", "")
		resp := c.ReceiveHead("GET")
		tick := time.NewTicker(short / 2)
		defer tick.Stop()
		for range 8 {
			<-tick.C
			gate <- struct{}{}
		}
		close(gate)
		if body, err := io.ReadAll(resp.Body); len(body) != 8 || err != nil {
			t.Errorf("read %q, %v", body, err)
		}
	})
}

func TestBackOffsAreWaitedFor(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503))
	s := startWithDraw(t, app, ^uint64(0), func(r *mesh.Route) {
		r.Retry = policy(3, 0, 503)
		r.Retry.BackoffBase, r.Retry.BackoffMax = 40*time.Millisecond, 100*time.Millisecond
	})
	begun := time.Now()
	s.Get("svc", "/")
	// The largest draws: 40, 80, 100 ms, each less a nanosecond.
	if took := time.Since(begun); took < 220*time.Millisecond-3 {
		t.Errorf("three back-offs took %v, want 220ms", took)
	}
	s = startWithDraw(t, app, 0, func(r *mesh.Route) {
		r.Retry = policy(3, 0, 503)
		r.Retry.BackoffBase, r.Retry.BackoffMax = time.Hour, 10*time.Hour
	})
	if got := s.Get("svc", "/"); got.Status != 503 {
		t.Errorf("got %d", got.Status)
	}
}

func TestAnAttemptIsToldWhatIsLeft(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
	s := startWithDraw(t, app, ^uint64(0), func(r *mesh.Route) {
		r.Retry = policy(1, 0, 503)
		r.Retry.BackoffBase, r.Retry.BackoffMax = 50*time.Millisecond, 50*time.Millisecond
		r.Timeout.Value = 10 * time.Second
	})
	s.Get("svc", "/")
	var told [2]int
	for i, r := range app.Seen() {
		fmt.Sscan(r.Header.Get("x-envoy-expected-rq-timeout-ms"), &told[i])
	}
	if told[0] > 10000 || told[0] < 9000 || told[1] > told[0]-49 {
		t.Errorf("told %d and %d ms", told[0], told[1])
	}
}
