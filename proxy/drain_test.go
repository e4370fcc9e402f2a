package proxy_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

func TestADrainEndsConnectionsByTheirAnswersAndAcceptsNewOnes(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	old := testkit.Dial(t, s.Egress)
	if got := old.Do("GET", "svc", "/", ""); got.Close {
		t.Error("the connection was closed before the drain")
	}
	s.Server.Drain()
	for _, c := range []*testkit.Client{old, testkit.Dial(t, s.Egress)} {
		got := c.Do("GET", "svc", "/", "")
		if got.Status != 200 || !got.Close || !strings.EqualFold(got.Header.Get("connection"), "close") && got.Header.Get("connection") != "" {
			t.Errorf("got %d, close %v, %v", got.Status, got.Close, got.Header)
		}
		if rest, err := c.Rest(); rest != "" || err != nil {
			t.Errorf("then %q, %v", rest, err)
		}
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_drain_close": 2})
	if got := s.Get("nobody", "/"); got.Status != 404 || !got.Close {
		t.Errorf("a failure while draining: %d, close %v", got.Status, got.Close)
	}
}

func TestAFailedHealthCheckIsADrainThatCanBeTakenBack(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	s.Server.Fail(true)
	if got := s.Get("svc", "/"); got.Status != 200 || !got.Close {
		t.Errorf("got %d, close %v", got.Status, got.Close)
	}
	s.Server.Fail(false)
	if got := s.Get("svc", "/"); got.Close {
		t.Error("still closing")
	}
}

// stop stops the server and tells when it is done.
func stop(t *testing.T, s *sidecar.Sidecar) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Server.Stop(t.Context())
	}()
	return done
}

func TestStopLetsExchangesFinish(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/last", "")
	testkit.Wait(t, "the request", arrived)
	idle := testkit.Dial(t, s.Egress)
	idle.Request("GET", "nobody", "/", "")
	idle.Receive("GET")
	done := stop(t, s)
	if rest, err := idle.Rest(); rest != "" || err != nil {
		t.Errorf("an idle connection ended with %q, %v", rest, err)
	}
	gate <- struct{}{}
	if got := c.Receive("GET"); got.Status != 200 || got.Body != "/last" || !got.Close {
		t.Errorf("got %d %q, close %v", got.Status, got.Body, got.Close)
	}
	c.Close()
	testkit.Wait(t, "the stop", done)
	s.Server.Stop(t.Context()) // again: nothing more happens
	if _, err := net.Dial("tcp", s.Egress.String()); err == nil {
		t.Error("the port is still open")
	}
}

func TestStopServesWhatTheQueuesHold(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	var clients []*testkit.Client
	for i := range 60 {
		c := testkit.Dial(t, s.Egress)
		if i%3 > 0 {
			c.Request("GET", "svc", fmt.Sprintf("/%d", i), "")
		}
		clients = append(clients, c)
	}
	done := stop(t, s)
	for i, c := range clients {
		if i%3 == 0 { // connected before, asked after
			c.Request("GET", "svc", fmt.Sprintf("/%d", i), "")
		}
		if got := c.Receive("GET"); got.Status != 200 {
			t.Errorf("client %d got %d", i, got.Status)
		}
		c.Close()
	}
	testkit.Wait(t, "the stop", done)
}

// A request whose head has come in part when the server stops is under way.
func TestStopWaitsForAHeadThatHasBegun(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	c := testkit.Dial(t, s.Egress)
	for range 2 { // the connection's first request, and a later one
		c.Do("GET", "svc", "/", "")
	}
	c.Send("GET /last HTTP/1.1\r\nho")
	testkit.Eventually(t, "the request begun", func() bool { n, _ := s.Server.Quiet(); return n == 1 })
	done := stop(t, s)
	testkit.Eventually(t, "the port closed", func() bool {
		nc, err := net.Dial("tcp", s.Egress.String())
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
	c.Send("st: svc\r\n\r\n")
	if got := c.Receive("GET"); got.Status != 200 || !got.Close {
		t.Errorf("got %d, close %v", got.Status, got.Close)
	}
	c.Close()
	testkit.Wait(t, "the stop", done)
}

// A request that had arrived on a kept connection when the server stopped is
// answered.
func TestStopAnswersRequestsThatHaveArrived(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/1", "")
	testkit.Wait(t, "the first request", arrived)
	c.Request("GET", "svc", "/2", "") // pipelined: it waits in the socket
	gate <- struct{}{}
	if got := c.Receive("GET"); got.Body != "/1" || got.Close {
		t.Fatalf("got %q, close %v", got.Body, got.Close)
	}
	testkit.Wait(t, "the second request", arrived)
	done := stop(t, s)
	gate <- struct{}{}
	if got := c.Receive("GET"); got.Body != "/2" {
		t.Errorf("got %q", got.Body)
	}
	c.Close()
	testkit.Wait(t, "the stop", done)
}

func TestStopOutOfPatienceCancelsWhatIsLeft(t *testing.T) {
	arrived, gone := make(chan struct{}, 1), make(chan error, 1)
	app := testkit.NewApp(t, testkit.Announce(arrived, testkit.HangUntilGone(gone)))
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	testkit.Wait(t, "the request", arrived)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Server.Stop(ctx)
	testkit.Wait(t, "the upstream request cancelled", gone)
	if _, err := c.Rest(); err == nil && testing.Verbose() {
		t.Log("the client saw a FIN")
	}
	if n := s.Server.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestStopBeforeServe(t *testing.T) {
	s := sidecar.Start(t, sidecar.Mesh())
	s.Stop()
	s.Stop()
}

// gated is an app that announces each request and answers when the gate has a
// token for it.
func gated(t *testing.T) (app *testkit.App, arrived chan string, gate chan struct{}) {
	arrived, gate = make(chan string, 100), make(chan struct{}, 100)
	app = testkit.NewApp(t, func(c *testkit.Call) {
		arrived <- c.Target
		<-gate
		c.Reply(200, c.Target)
	})
	t.Cleanup(func() { close(gate) })
	return app, arrived, gate
}
