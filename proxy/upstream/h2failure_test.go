package upstream_test

import (
	"fmt"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// h2 steps answer one request on a raw connection.
func refuse(c *h2conn, r *h2request)    { c.WriteRSTStream(r.id, http2.ErrCodeRefusedStream) }
func resetIt(c *h2conn, r *h2request)   { c.WriteRSTStream(r.id, http2.ErrCodeInternal) }
func closeIt(c *h2conn, r *h2request)   { c.conn.Close() }
func dataFirst(c *h2conn, r *h2request) { c.WriteData(r.id, true, []byte("x")) }
func noStatus(c *h2conn, r *h2request)  { c.head(r.id, true, "a: b") }
func twoStatus(c *h2conn, r *h2request) { c.head(r.id, true, ":status: 200", ":status: 200") }
func badFrame(c *h2conn, r *h2request)  { c.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte{1}) }
func goAway(c *h2conn, r *h2request) {
	c.WriteGoAway(0, http2.ErrCodeNo, nil)
	c.drain()
}

// scripted is a peer that answers requests by the steps, the last one for ever,
// and counts them over all connections.
func scripted(t *testing.T, steps ...func(*h2conn, *h2request)) (*h2peer, chan *h2request) {
	seen := make(chan *h2request, 100)
	p := newH2Peer(t, func(c *h2conn) {
		for r := c.next(); r != nil; r = c.next() {
			seen <- r
			steps[min(len(seen), len(steps))-1](c, r)
		}
	})
	return p, seen
}

func ok(c *h2conn, r *h2request) { c.reply(r.id, 200, "second") }

func TestWhatAnHTTP2UpstreamDoesWrongIsTold(t *testing.T) {
	for _, tt := range []struct {
		what   string
		step   func(*h2conn, *h2request)
		status int
		reason string
		flags  string
	}{
		{"the stream is reset", resetIt, 503, "remote reset", "UR"},
		{"the connection is closed", closeIt, 503, "connection termination", "UC"},
		{"data before the head", dataFirst, 502, "protocol error", "UPE"},
		{"a head without status", noStatus, 502, "protocol error", "UPE"},
		{"a head with two", twoStatus, 502, "protocol error", "UPE"},
		{"a breach of the connection", badFrame, 502, "protocol error", "UPE"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			peer, seen := scripted(t, tt.step)
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
			got := s.Get("svc", "/")
			if got.Status != tt.status || got.Body != resetText+tt.reason {
				t.Errorf("got %d %q", got.Status, got.Body)
			}
			if r := s.Records.Next(t); r.Flags != tt.flags || r.Attempts != 1 {
				t.Errorf("flags %q after %d attempts", r.Flags, r.Attempts)
			}
			if len(seen) != 1 {
				t.Errorf("%d requests", len(seen))
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_rx_reset": 1})
		})
	}
}

func TestHTTP2ResetsAreRetriedByTheirEvents(t *testing.T) {
	for _, tt := range []struct {
		what    string
		step    func(*h2conn, *h2request)
		event   string
		retried bool
	}{
		{"reset under stream-error", resetIt, "stream-error", false},
		{"reset under gateway-error", resetIt, "gateway-error", true},
		{"closed under gateway-error", closeIt, "gateway-error", true},
		{"protocol breach under server-error", noStatus, "server-error", true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			peer, seen := scripted(t, tt.step, ok)
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = events[tt.event] })
			got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "body")
			if (got.Body == "second") != tt.retried || (len(seen) == 2) != tt.retried {
				t.Errorf("got %d %q after %d requests", got.Status, got.Body, len(seen))
			}
		})
	}
}

// The default policy replays a POST that the peer says it did not process, and
// none that it may have.
func TestARefusedStreamIsSafeToRetryForEveryMethod(t *testing.T) {
	for _, tt := range []struct {
		step func(*h2conn, *h2request)
		want int
	}{{refuse, 200}, {resetIt, 503}} {
		peer, _ := scripted(t, tt.step, ok)
		s := startH2(t, peer.Addr, fast)
		if got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "body"); got.Status != tt.want {
			t.Errorf("got %d, want %d", got.Status, tt.want)
		}
	}
}

// GOAWAY below a stream: it was not processed, and is tried once more on a new
// connection without asking the policy.
func TestAStreamThatAGoAwayLeavesOutIsTriedOnAnotherConnection(t *testing.T) {
	peer, seen := scripted(t, goAway, ok)
	s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
	if got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "body"); got.Status != 200 || len(seen) != 2 {
		t.Errorf("got %d after %d requests", got.Status, len(seen))
	}
	if n := peer.conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_stale_replay": 1, "cluster.c.upstream_rq_retry": 0})
}

func TestAConnectionThatIsGoingAwayTakesNoMoreRequests(t *testing.T) {
	said := make(chan struct{}, 10)
	peer := newH2Peer(t, func(c *h2conn) {
		for r := c.next(); r != nil; r = c.next() {
			c.WriteGoAway(r.id, http2.ErrCodeNo, nil)
			said <- struct{}{}
			c.reply(r.id, 200, fmt.Sprint(c.number))
		}
	})
	s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
	c := testkit.Dial(t, s.Egress)
	for i := range 3 {
		if got := c.Do("POST", "svc", "/", "x"); got.Body != fmt.Sprint(i+1) {
			t.Errorf("request %d: %d %q", i+1, got.Status, got.Body)
		}
	}
	testkit.Eventually(t, "all are closed", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
	s.Counts(map[string]uint64{"cluster.c.upstream_cx_destroy_remote": 3, "cluster.c.upstream_cx_close_notify": 3})
}

func TestAResponseThatBreaksOffIsReset(t *testing.T) {
	for _, tt := range []struct {
		what  string
		end   func(*h2conn, *h2request)
		flags string
	}{
		{"reset", resetIt, "UR"},
		{"closed", closeIt, "UC"},
		{"against the protocol", badFrame, "UPE"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			gate := make(chan struct{})
			peer, _ := scripted(t, func(c *h2conn, r *h2request) {
				c.head(r.id, false, ":status: 200")
				c.WriteData(r.id, false, []byte("half"))
				<-gate
				tt.end(c, r)
			})
			s := startH2(t, peer.Addr, nil)
			c := testkit.Dial(t, s.Egress)
			c.Request("GET", "svc", "/", "")
			resp := c.ReceiveHead("GET")
			close(gate)
			p := make([]byte, 100)
			var err error
			for err == nil {
				_, err = resp.Body.Read(p)
			}
			if resp.StatusCode != 200 || err.Error() == "EOF" {
				t.Errorf("%d, then %v", resp.StatusCode, err)
			}
			if r := s.Records.Next(t); r.Flags == "" || r.Flags[:2] != tt.flags[:2] {
				t.Errorf("flags %q, want %q", r.Flags, tt.flags)
			}
		})
	}
}

func TestAnUpgradeToAnHTTP2ClusterIsSentWithout(t *testing.T) {
	addr, _ := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("upgrade"), r.Header.Get("connection"), r.Header.Get("a"))
	})
	s := startH2(t, addr, nil)
	if got := s.Get("svc", "/", "connection: upgrade", "upgrade: websocket", "a: b"); got.Status != 200 || got.Body != "b" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

func TestTrailersAndInformationalResponsesCrossToHTTP1(t *testing.T) {
	addr, _ := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 100)
		n, _ := r.Body.Read(buf)
		for more := 0; ; n += more {
			var err error
			if more, err = r.Body.Read(buf[n:]); err != nil {
				break
			}
		}
		w.Header().Set("link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("trailer", "sum")
		fmt.Fprintf(w, "%s %s", buf[:n], r.Trailer.Get("word"))
		w.(http.Flusher).Flush()
		w.Header().Set("sum", "42")
	})
	s := startH2(t, addr, nil)
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\nexpect: 100-continue\r\ntrailer: word\r\ntransfer-encoding: chunked\r\n\r\n")
	if got := c.Receive("POST"); got.Status != 100 {
		t.Fatalf("got %d, want 100", got.Status)
	}
	c.Send("5\r\nhello\r\n0\r\nword: last\r\n\r\n")
	if got := c.Receive("POST"); got.Status != 103 || got.Header.Get("link") != "</style.css>" {
		t.Errorf("got %d %v", got.Status, got.Header)
	}
	if got := c.Receive("POST"); got.Body != "hello last" || got.Trailer.Get("sum") != "42" {
		t.Errorf("got %d %q %v", got.Status, got.Body, got.Trailer)
	}
}

// A connection that was idle is closed at the moment a request is written on
// it, without GOAWAY.
func TestAStaleHTTP2ConnectionIsReplacedOnceWhereThatIsSafe(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
		calls  int
	}{{"GET", 200, 3}, {"POST", 503, 2}} {
		t.Run(tt.method, func(t *testing.T) {
			peer, seen := scripted(t, ok, closeIt, ok)
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
			c := testkit.Dial(t, s.Egress)
			c.Do("GET", "svc", "/", "")
			if got := c.Do(tt.method, "svc", "/", ""); got.Status != tt.status || len(seen) != tt.calls {
				t.Errorf("got %d after %d calls, want %d after %d", got.Status, len(seen), tt.status, tt.calls)
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_cx_destroy_with_active_rq": 1, "cluster.c.upstream_cx_close_notify": 0})
		})
	}
}

// What has been read of a body that is still coming is sent again.
func TestABodyThatIsComingIsReplayedToAnotherStream(t *testing.T) {
	bodies := make(chan string, 1)
	peer := newH2Peer(t, func(c *h2conn) {
		first := c.must()
		c.WriteRSTStream(first.id, http2.ErrCodeRefusedStream)
		var body []byte
		var second *h2request
		c.data = func(f *http2.DataFrame) {
			if second == nil || f.StreamID != second.id {
				return
			}
			if body = append(body, f.Data()...); f.StreamEnded() {
				bodies <- string(body)
				c.reply(second.id, 200, "second")
			}
		}
		second = c.must()
		c.drain()
	})
	s := startH2(t, peer.Addr, fast)
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 10\r\n\r\nfirst")
	testkit.Eventually(t, "the first attempt is over", func() bool { return s.Count("cluster.c.upstream_rq_stale_replay") == 1 })
	c.Send(" last")
	if got := c.Receive("POST"); got.Body != "second" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if got := testkit.Wait(t, "the body", bodies); got != "first last" {
		t.Errorf("the upstream got %q", got)
	}
}

// A stream that is given up is reset, its connection goes on.
func TestAnAttemptThatTakesTooLongIsResetAndItsConnectionKept(t *testing.T) {
	resets := make(chan http2.ErrCode, 1)
	peer, seen := scripted(t, func(c *h2conn, r *h2request) {
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			if reset, ok := f.(*http2.RSTStreamFrame); ok {
				resets <- reset.ErrCode
				return
			}
		}
	}, ok)
	s := startH2(t, peer.Addr, func(r *mesh.Route) {
		r.Retry = policy(1, mesh.RetryReset)
		r.Retry.PerTryTimeout = short
	})
	if got := s.Get("svc", "/"); got.Body != "second" || len(seen) != 2 {
		t.Errorf("got %d %q after %d requests", got.Status, got.Body, len(seen))
	}
	if code := testkit.Wait(t, "a reset", resets); code != http2.ErrCodeCancel {
		t.Errorf("reset with %v", code)
	}
	if n := peer.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_per_try_timeout": 1, "cluster.c.http2.tx_reset": 1})
}
