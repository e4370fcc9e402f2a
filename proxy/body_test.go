package proxy_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

// The app answers before it has read the body, which is far from its end.
func TestAnEarlyAnswerIsPassedOnAndEndsTheConnection(t *testing.T) {
	for what, step := range map[string]testkit.Step{
		"and closes": func(c *testkit.Call) {
			c.Write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
			c.Hang()
		},
		"and asks to close": func(c *testkit.Call) {
			c.Write("HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig")
			c.Hang()
		},
		"and reads on for a while": func(c *testkit.Call) {
			io.CopyN(io.Discard, c.Incoming(), 200<<10)
			c.Write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
			c.Hang()
		},
	} {
		t.Run(what, func(t *testing.T) {
			app := testkit.NewApp(t, step)
			s := startApp(t, app)
			c := testkit.Dial(t, s.Egress)
			const size = 1 << 30
			c.Send(fmt.Sprintf("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n", size))
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				piece := make([]byte, 64<<10)
				for sent := 0; sent < size; sent += len(piece) {
					if _, err := c.TCPConn.Write(piece); err != nil {
						return
					}
				}
			}()
			if got := c.Receive("POST"); got.Status != 413 || got.Body != "big" {
				t.Errorf("got %d %q", got.Status, got.Body)
			}
			testkit.Wait(t, "the upload stopped", stopped)
			if r := s.Records.Next(t); r.Code != 413 || r.Details != "via_upstream" {
				t.Errorf("record %+v", r)
			}
			testkit.Eventually(t, "nothing upstream", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
			s.Counts(map[string]uint64{"http.egress.downstream_rq_response_before_rq_complete": 1})
		})
	}
}

func TestRequestAndResponseStreamAtTheSameTime(t *testing.T) {
	app := testkit.NewApp(t, func(c *testkit.Call) {
		c.Write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
		p := make([]byte, 4)
		for {
			n, err := io.ReadFull(c.Incoming(), p)
			if n > 0 {
				c.Write(fmt.Sprintf("%x\r\n%s\r\n", n, p[:n]))
			}
			if err != nil {
				break
			}
		}
		c.Write("0\r\nx-sum: done\r\n\r\n")
	})
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n")
	resp := c.ReceiveHead("POST")
	p := make([]byte, 4)
	for i := range 50 {
		ping := fmt.Sprintf("%04d", i)
		c.Send("4\r\n" + ping + "\r\n")
		if n, err := io.ReadFull(resp.Body, p); string(p[:n]) != ping {
			t.Fatalf("read %q, %v; want %q", p[:n], err, ping)
		}
	}
	c.Send("0\r\n\r\n")
	if rest, err := io.ReadAll(resp.Body); len(rest) != 0 || err != nil || resp.Trailer.Get("x-sum") != "done" {
		t.Errorf("rest %q, %v, trailer %v", rest, err, resp.Trailer)
	}
	if !resp.Close {
		t.Error("a response that begins before its request has ended does not announce that the connection ends")
	}
}

// A client that stops reading holds the app back, and little is kept meanwhile.
func TestASlowReaderHoldsTheAppBackInBoundedMemory(t *testing.T) {
	const size = 64 << 20
	app := testkit.NewApp(t, func(c *testkit.Call) {
		c.Write(fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n", size))
		piece := make([]byte, 256<<10)
		for range size / len(piece) {
			if _, err := c.Conn.Write(piece); err != nil {
				return
			}
		}
	})
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	resp := c.ReceiveHead("GET")
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := make([]byte, 1<<20)
	for range size / len(p) {
		if _, err := io.ReadFull(resp.Body, p); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&now)
		if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Fatalf("the heap grew by %d KiB", grown>>10)
		}
	}
	if r := s.Records.Next(t); r.Sent != size {
		t.Errorf("%d bytes sent, want %d", r.Sent, size)
	}
}

func TestALargeUploadToASlowAppStaysSmall(t *testing.T) {
	const size = 24 << 20
	gate := make(chan struct{})
	app := testkit.NewApp(t, func(c *testkit.Call) {
		<-gate
		io.Copy(io.Discard, c.Incoming())
		c.Reply(200, "")
	})
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(c.TCPConn, fmt.Sprintf("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n", size))
		piece := make([]byte, 1<<20)
		for range size / len(piece) {
			c.TCPConn.Write(piece)
		}
	}()
	testkit.Eventually(t, "the request upstream", func() bool { return app.Calls() == 1 })
	runtime.ReadMemStats(&now)
	if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 6<<20 {
		t.Errorf("the heap grew by %d KiB while the app did not read", grown>>10)
	}
	close(gate)
	if got := c.Receive("POST"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	<-sent
	if r := s.Records.Next(t); r.Received != size {
		t.Errorf("%d bytes received, want %d", r.Received, size)
	}
}

func TestExpect100IsAnsweredByUsAndNotPassedOn(t *testing.T) {
	app := testkit.NewApp(t)
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
	c.Expect("HTTP/1.1 100 Continue\r\n\r\n")
	c.Send("body")
	if got := c.Receive("POST"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	if r := app.Seen()[0]; r.Body != "body" || r.Header.Get("expect") != "" {
		t.Errorf("the app saw %+v", r)
	}
	// The body came without being asked for: no 100.
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody")
	for first := true; ; first = false {
		got := c.Receive("POST")
		if got.Status == 100 && first {
			continue // allowed, not needed
		}
		if got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
		break
	}
}

func TestA404NeedsNoBody(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: nobody\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
	if got := c.Receive("POST"); got.Status != 404 || !got.Close {
		t.Errorf("got %d, close %v; want a 404 at once that ends the connection", got.Status, got.Close)
	}
	if rest, err := c.Rest(); rest != "" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
}

// What breaks the framing of a body is answered with 400, also when the head
// has been sent on already.
func TestABodyThatBreaksTheFramingIsAnsweredWith400(t *testing.T) {
	for what, body := range map[string]string{
		"no size":             "zz\r\nhello\r\n0\r\n\r\n",
		"a negative size":     "-5\r\nhello\r\n0\r\n\r\n",
		"a size that lies":    "3\r\nhello\r\n0\r\n\r\n",
		"a bare LF":           "5\nhello\r\n0\r\n\r\n",
		"a huge size":         "fffffffffffffffff\r\n",
		"a folded trailer":    "5\r\nhello\r\n0\r\n x: y\r\n\r\n",
		"blanks before size":  " 5\r\nhello\r\n0\r\n\r\n",
		"no CRLF after chunk": "5\r\nhello0\r\n\r\n",
	} {
		for _, when := range []string{"at once", "later"} {
			t.Run(what+"/"+when, func(t *testing.T) {
				app := testkit.NewApp(t, testkit.CloseAfterBody)
				s := startApp(t, app)
				c := testkit.Dial(t, s.Egress)
				head := "POST / HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n"
				if when == "later" {
					c.Send(head + "1\r\nx\r\n")
					testkit.Eventually(t, "the request upstream", func() bool { return app.Calls() == 1 })
					head = ""
				}
				c.Send(head + body)
				if got := c.Receive("POST"); got.Status != 400 || !got.Close {
					t.Errorf("got %d, close %v", got.Status, got.Close)
				}
				c.Rest()
				for _, r := range app.Seen() {
					if strings.Contains(r.Body, "hello0") {
						t.Errorf("the app read %q", r.Body)
					}
				}
				if r := s.Records.Next(t); r.Flags != "DPE" || r.Code != 400 {
					t.Errorf("record %d %q", r.Code, r.Flags)
				}
				s.Counts(map[string]uint64{"http.egress.downstream_cx_protocol_error": 1})
				testkit.Eventually(t, "nothing upstream", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
			})
		}
	}
}

// The response is under way already when the request turns out to be broken: it
// is the client's fault, not the upstream's.
func TestABodyThatBreaksTheFramingBehindItsResponseIsTheClientsFault(t *testing.T) {
	app := testkit.NewApp(t, func(c *testkit.Call) {
		c.Write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		c.Hang()
	})
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send("POST / HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
	c.ReceiveHead("POST")
	c.Send("zz\r\n")
	c.Rest()
	if r := s.Records.Next(t); r.Flags != "DPE" || r.Code != 200 {
		t.Errorf("record %d %q", r.Code, r.Flags)
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_protocol_error": 1, "cluster.c.upstream_rq_rx_reset": 0})
}

// Who speaks another protocol, and never sends an empty line, is not waited for.
func TestAnotherProtocolOnAnHTTPPortIsTurnedAwayAtOnce(t *testing.T) {
	s := startApp(t, testkit.NewApp(t, testkit.Status(200)))
	for _, said := range []string{"\x00\x01garbage", "\x80", "SSH-2.0-OpenSSH_9\r\n", "EHLO x\r\n", "{\"json\": 1}", "GET / HTTP/1.1 x\r\n"} {
		c := testkit.Dial(t, s.Egress)
		c.Send(said)
		c.Rest()
		if r := s.Records.Next(t); r.Flags != "DPE" {
			t.Errorf("%q: record %d %q", said, r.Code, r.Flags)
		}
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_protocol_error": 6})
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	app := testkit.NewApp(t, func(c *testkit.Call) { c.Reply(200, c.Target) })
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	var b strings.Builder
	for i := range 50 {
		body := strings.Repeat("x", i*37)
		fmt.Fprintf(&b, "POST /%d HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n%s", i, len(body), body)
	}
	c.Send(b.String())
	for i := range 50 {
		if got := c.Receive("POST"); got.Body != fmt.Sprintf("/%d", i) {
			t.Fatalf("answer %d is %q", i, got.Body)
		}
	}
}

func TestAResponseThatBreaksOffIsReset(t *testing.T) {
	for what, raw := range map[string]string{
		"with a length": "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
		"chunked":       "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"a bad chunk":   "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			s := startApp(t, testkit.NewApp(t, testkit.RawClose(raw)))
			got := s.Get("svc", "/")
			if got.Status != 200 || got.Err == nil {
				t.Errorf("got %d %q, %v; want an error", got.Status, got.Body, got.Err)
			}
			if r := s.Records.Next(t); r.Code != 200 || r.Flags == "" {
				t.Errorf("record %d %q", r.Code, r.Flags)
			}
		})
	}
}
