package upstream_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// failAfterBody reads the whole body, and answers 503.
var failAfterBody = testkit.Status(503)

// failAfter reads so much of the body and then resets the connection.
func failAfter(n int64) testkit.Step {
	return func(c *testkit.Call) {
		io.CopyN(io.Discard, c.Incoming(), n)
		c.Reset()
	}
}

func TestABodyIsSentAgain(t *testing.T) {
	for _, size := range []int{1, 4 << 10, 16 << 10, 19 << 10, 40 << 10, 64 << 10} {
		for how, frame := range map[string]func(*testkit.Client, string){"length": sendLength, "chunked": sendChunked} {
			t.Run(fmt.Sprintf("%d bytes, %s", size, how), func(t *testing.T) {
				app := testkit.NewApp(t, failAfterBody, testkit.CloseAfterBody, testkit.Status(200))
				s := startApp(t, app, func(r *mesh.Route) { r.Retry = policy(2, mesh.RetryReset, 503) })
				body := strings.Repeat("0123456789abcdef", size/16+1)[:size]
				c := testkit.Dial(t, s.Egress)
				frame(c, body)
				if got := c.Receive("POST"); got.Status != 200 {
					t.Errorf("got %d %q", got.Status, got.Body)
				}
				for i, r := range app.Seen() {
					if r.Body != body {
						t.Errorf("attempt %d had %d bytes of body", i+1, len(r.Body))
					}
				}
				if r := s.Records.Next(t); r.Attempts != 3 || r.Received != uint64(size) {
					t.Errorf("record %+v, want 3 attempts, %d bytes received", r, size)
				}
				// The connection is as good as after any other exchange.
				if again := c.Do("GET", "svc", "/", ""); again.Status != 200 {
					t.Errorf("the next request got %d", again.Status)
				}
			})
		}
	}
}

func sendLength(c *testkit.Client, body string) {
	c.Send(fmt.Sprintf("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n", len(body)))
	c.Send(body)
}

func sendChunked(c *testkit.Client, body string) {
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := min(len(body), 7001)
		c.Send(fmt.Sprintf("%x\r\n%s\r\n", n, body[:n]))
		body = body[n:]
	}
	c.Send("0\r\n\r\n")
}

func TestABodyLargerThanWhatIsKeptIsNotSentAgain(t *testing.T) {
	for what, step := range map[string]testkit.Step{
		"after a 503":                testkit.Status(503),
		"after a close":              testkit.CloseAfterBody,
		"after a reset in its midst": failAfter(100 << 10),
	} {
		t.Run(what, func(t *testing.T) {
			app := testkit.NewApp(t, step, testkit.Status(200))
			s := startApp(t, app, func(r *mesh.Route) { r.Retry = policy(2, mesh.RetryReset, 503) })
			c := testkit.Dial(t, s.Egress)
			const size = 1 << 20
			go io.WriteString(c.TCPConn, fmt.Sprintf("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
			if got := c.Receive("POST"); got.Status != 503 || app.Calls() != 1 {
				t.Errorf("got %d after %d calls, want the 503 after 1", got.Status, app.Calls())
			}
			s.Counts(map[string]uint64{"cluster.c.retry_or_shadow_abandoned": 1, "cluster.c.upstream_rq_retry": 0})
		})
	}
}

func TestASmallPartOfALargeBodyIsSentAgain(t *testing.T) {
	// The first attempt fails when little of the body has come: what has is
	// kept, and the second attempt gets all of it.
	began, gone := make(chan struct{}, 1), make(chan struct{})
	app := testkit.NewApp(t, func(c *testkit.Call) {
		began <- struct{}{}
		c.Reset()
		close(gone)
	}, testkit.Status(200))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = policy(2, mesh.RetryReset) })
	c := testkit.Dial(t, s.Egress)
	first, rest := strings.Repeat("a", 1000), strings.Repeat("b", 100<<10)
	c.Send(fmt.Sprintf("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n%s", len(first)+len(rest), first))
	testkit.Wait(t, "the first attempt", began)
	<-gone
	testkit.Eventually(t, "a second attempt", func() bool { return app.Calls() == 2 })
	c.Send(rest)
	if got := c.Receive("POST"); got.Status != 200 {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if seen := app.Seen(); len(seen) != 2 || seen[1].Body != first+rest {
		t.Errorf("%d attempts, the last with %d bytes", len(seen), len(seen[len(seen)-1].Body))
	}
}

func TestAnExhaustedBudgetOfTheProcessKeepsNothing(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	route.Retry = policy(2, 0, 503)
	settings := sidecar.Settings()
	settings.ReplayBudget = 1 << 10
	s := sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), settings, &sidecar.Names{})
	c := testkit.Dial(t, s.Egress)
	sendChunked(c, strings.Repeat("x", 2<<10))
	if got := c.Receive("POST"); got.Status != 503 || app.Calls() != 1 {
		t.Errorf("got %d after %d calls", got.Status, app.Calls())
	}
	s.Counts(map[string]uint64{"cluster.c.retry_or_shadow_abandoned": 1})
	// What fits is kept, once the first exchange is over and the budget back.
	app = testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
	route.Targets[0].Cluster = sidecar.Cluster("d", app.Addr)
	s.Apply(sidecar.Mesh(sidecar.Backend("svc", 8080, route)))
	for range 5 {
		c = testkit.Dial(t, s.Egress)
		sendChunked(c, strings.Repeat("x", 1000))
		if got := c.Receive("POST"); got.Status != 200 {
			t.Fatalf("got %d", got.Status)
		}
	}
}

// A request whose body ends and whose answer comes at the same moment: the
// goroutine that passes the body on must find its exchange in order.
func TestAnswersThatComeWithTheLastByteOfTheBody(t *testing.T) {
	app := testkit.NewApp(t, func(c *testkit.Call) {
		io.CopyN(io.Discard, c.Incoming(), 30<<10)
		c.Write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
		c.ReadBody()
	})
	s := startApp(t, app, nil)
	body := strings.Repeat("x", 30<<10)
	done := make(chan struct{}, 8)
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			c := testkit.Dial(t, s.Egress)
			for range 200 {
				sendLength(c, body)
				if got := c.Receive("POST"); got.Status != 200 {
					t.Errorf("got %d %q", got.Status, got.Body)
					return
				} else if got.Close {
					c = testkit.Dial(t, s.Egress)
				}
			}
		}()
	}
	for range 8 {
		testkit.Wait(t, "200 requests", done)
	}
}

// A body that is passed on while it comes costs no connection.
func TestAStreamedBodyLeavesItsConnectionInUse(t *testing.T) {
	app := testkit.NewApp(t)
	s := startApp(t, app, nil)
	c := testkit.Dial(t, s.Egress)
	for range 100 {
		sendChunked(c, strings.Repeat("x", 40<<10))
		if got := c.Receive("POST"); got.Status != 200 || got.Header.Get("x-envoy-upstream-service-time") == "" {
			t.Fatalf("got %d %v", got.Status, got.Header)
		}
	}
	if app.Conns() != 1 {
		t.Errorf("%d connections for 100 requests, one after the other", app.Conns())
	}
}

// The end of the stream leaves with the last bytes of a body, not behind them,
// where the body says in time that they are.
func TestTheEndOfTheStreamLeavesWithTheLastBytes(t *testing.T) {
	const size = 40 << 10
	sizes := make(chan int, 100)
	peer := newH2Peer(t, func(c *h2conn) {
		c.data = func(f *http2.DataFrame) {
			sizes <- len(f.Data())
			if n := uint32(len(f.Data())); n > 0 {
				c.WriteWindowUpdate(0, n)
				c.WriteWindowUpdate(f.StreamID, n)
			}
			if f.StreamEnded() {
				sizes <- -1
				c.reply(f.StreamID, 200, "")
			}
		}
		c.drain()
	})
	s := startH2(t, peer.Addr, nil)
	c := testkit.Dial(t, s.Egress)
	sendLength(c, strings.Repeat("x", size))
	if got := c.Receive("POST"); got.Status != 200 {
		t.Fatalf("got %d", got.Status)
	}
	came, last := 0, -1
	for n := <-sizes; n >= 0; n = <-sizes {
		came, last = came+n, n
	}
	if came != size || last == 0 {
		t.Errorf("%d bytes came, the last frame had %d", came, last)
	}
}
