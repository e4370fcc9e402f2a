package proxy_test

import (
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

// A client that leaves cancels its upstream request: the app sees the close.
func TestAClientThatLeavesCancelsItsRequest(t *testing.T) {
	const get = "GET /slow HTTP/1.1\r\nhost: svc\r\n\r\n"
	for what, leave := range map[string]func(*testkit.Client){
		"by closing":      func(c *testkit.Client) { c.Close() },
		"by a reset":      func(c *testkit.Client) { c.SetLinger(0); c.Close() },
		"by half a close": func(c *testkit.Client) { c.CloseWrite() },
		"with pipelined bytes waiting": func(c *testkit.Client) {
			c.Send(get + strings.Repeat(get, 10))
			c.Close()
		},
		"with half a request waiting": func(c *testkit.Client) {
			c.Send("POST / HTTP/1.1\r\nhost: s")
			c.Close()
		},
	} {
		t.Run(what, func(t *testing.T) {
			arrived, gone := make(chan struct{}, 1), make(chan error, 1)
			app := testkit.NewApp(t, testkit.Announce(arrived, testkit.HangUntilGone(gone)))
			s := startApp(t, app)
			c := testkit.Dial(t, s.Egress)
			c.Send(get)
			testkit.Wait(t, "the request upstream", arrived)
			leave(c)
			testkit.Wait(t, "the upstream request cancelled", gone)
			if r := s.Records.Next(t); r.Flags != "DC" || r.Code != 0 || r.Path != "/slow" {
				t.Errorf("record %+v", r)
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_cancelled": 1, "http.egress.downstream_rq_rx_reset": 1,
				"http.egress.downstream_cx_destroy_remote_active_rq": 1})
			if app.Calls() != 1 {
				t.Errorf("%d requests reached the app", app.Calls())
			}
		})
	}
}

func TestAClientThatLeavesWithinTheBodyCancelsIt(t *testing.T) {
	gone := make(chan error, 1)
	app := testkit.NewApp(t, func(c *testkit.Call) {
		c.Write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
		gone <- c.Hang()
	})
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	c.ReceiveHead("GET")
	c.Close()
	testkit.Wait(t, "the upstream request cancelled", gone)
	if r := s.Records.Next(t); r.Flags != "DC" || r.Details != "downstream_remote_disconnect" || r.Code != 200 {
		t.Errorf("record %+v", r)
	}
}

func TestAClientThatLeavesWithinItsBodyCancelsIt(t *testing.T) {
	for what, begin := range map[string]string{
		"with a length": "POST /up HTTP/1.1\r\nhost: svc\r\ncontent-length: 100\r\n\r\nhalf",
		"chunked":       "POST /up HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			arrived, ended := make(chan struct{}, 1), make(chan error, 1)
			app := testkit.NewApp(t, testkit.Announce(arrived, func(c *testkit.Call) {
				_, err := c.ReadBody()
				ended <- err
				c.Close()
			}))
			s := startApp(t, app)
			c := testkit.Dial(t, s.Egress)
			c.Send(begin)
			testkit.Wait(t, "the request upstream", arrived)
			c.Close()
			if err := testkit.Wait(t, "the end of the body upstream", ended); err == nil {
				t.Error("half a body looked whole upstream")
			}
			if r := s.Records.Next(t); r.Flags != "DC" || r.Code != 0 {
				t.Errorf("record %+v", r)
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_cancelled": 1})
		})
	}
}

// An app that reads nothing fills all buffers on the way; a client that goes
// with a reset is seen all the same. (A FIN would wait behind its bytes.)
func TestAClientThatLeavesBehindFullBuffersCancelsItsRequest(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	app := testkit.NewApp(t, func(c *testkit.Call) {
		<-release
		c.Close()
	})
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 99999999999\r\n\r\n")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for piece := make([]byte, 1<<20); ; {
			if _, err := c.TCPConn.Write(piece); err != nil {
				return
			}
		}
	}()
	testkit.Eventually(t, "the request upstream", func() bool { return app.Calls() == 1 })
	c.SetLinger(0)
	c.Close()
	testkit.Wait(t, "the client stopped", stopped)
	testkit.Eventually(t, "nothing upstream", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
	if r := s.Records.Next(t); r.Flags != "DC" || r.Code != 0 {
		t.Errorf("record %+v", r)
	}
}

// Two clients on one app: that one leaves does not touch the other.
func TestOnlyTheRequestOfWhoLeftIsCancelled(t *testing.T) {
	arrived, gone, gate := make(chan struct{}, 2), make(chan error, 1), make(chan struct{})
	app := testkit.NewApp(t, func(c *testkit.Call) {
		arrived <- struct{}{}
		if c.Target == "/leaves" {
			gone <- c.Hang()
			return
		}
		<-gate
		c.Reply(200, "stayed")
	})
	s := startApp(t, app)
	leaver, stayer := testkit.Dial(t, s.Egress), testkit.Dial(t, s.Egress)
	leaver.Request("GET", "svc", "/leaves", "")
	stayer.Request("GET", "svc", "/stays", "")
	testkit.Wait(t, "one", arrived)
	testkit.Wait(t, "the other", arrived)
	leaver.Close()
	testkit.Wait(t, "the upstream request cancelled", gone)
	close(gate)
	if got := stayer.Receive("GET"); got.Body != "stayed" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

func TestNothingIsLeftOpenByClientsThatLeave(t *testing.T) {
	app := testkit.NewApp(t, testkit.Hang)
	s := startApp(t, app)
	s.Get("nobody", "/")
	before := testkit.Descriptors(t)
	for i := range 50 {
		c := testkit.Dial(t, s.Egress)
		switch i % 3 {
		case 0:
			c.Request("GET", "svc", "/", "")
		case 1:
			c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 9\r\n\r\nx")
		case 2:
			c.Send("GET / HT")
		}
		c.Close()
	}
	testkit.NoMoreDescriptors(t, before)
	testkit.Eventually(t, "all gauges at 0", func() bool {
		return s.Gauge("http.egress.downstream_rq_active") == 0 && s.Gauge("http.egress.downstream_cx_active") == 0 &&
			s.Gauge("cluster.c.upstream_rq_active") == 0 && s.Gauge("cluster.c.upstream_cx_active") == 0
	})
	testkit.Eventually(t, "no connection known", func() bool { return s.Server.Connections() == 0 })
}
