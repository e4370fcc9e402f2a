package proxy_test

import (
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

func TestResponsesWithoutABody(t *testing.T) {
	for _, tt := range []struct {
		what, method string
		step         testkit.Step
		status       int
		length       string
	}{
		{"HEAD keeps the length", "HEAD", testkit.Text("twelve bytes"), 200, "12"},
		{"HEAD of a chunked answer", "HEAD", testkit.Raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), 200, ""},
		{"204", "GET", testkit.Status(204), 204, ""},
		{"304 keeps the length", "GET", testkit.Raw("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\netag: x\r\n\r\n"), 304, "99"},
		{"an empty 200", "GET", testkit.Text(""), 200, "0"},
		{"HEAD of a 404 of ours", "HEAD", nil, 404, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			app := testkit.NewApp(t, func(c *testkit.Call) {
				if c.Number == 1 {
					tt.step(c)
					return
				}
				c.Reply(200, "second")
			})
			s := startApp(t, app)
			c := testkit.Dial(t, s.Egress)
			host := "svc"
			if tt.step == nil {
				host = "nobody"
			}
			got := c.Do(tt.method, host, "/", "")
			if got.Status != tt.status || got.Body != "" || got.Err != nil {
				t.Errorf("got %d %q, %v", got.Status, got.Body, got.Err)
			}
			if v := got.Header.Get("content-length"); tt.length != "" && v != tt.length {
				t.Errorf("content-length %q, want %q", v, tt.length)
			}
			if tt.step == nil {
				return
			}
			if again := c.Do("GET", "svc", "/", ""); again.Body != "second" {
				t.Errorf("the next answer is %q", again.Body)
			}
			if app.Conns() != 1 {
				t.Errorf("%d connections upstream", app.Conns())
			}
		})
	}
}

func TestAnHTTP10ClientIsServedAndClosed(t *testing.T) {
	app := testkit.NewApp(t, testkit.Trickle(closedGate(), ""))
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send("GET / HTTP/1.0\r\nhost: svc\r\n\r\n")
	rest, err := c.Rest()
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 200") || strings.Contains(strings.ToLower(head), "transfer-encoding") || body != "" {
		t.Errorf("read %q, %v", rest, err)
	}
	if got := app.Seen()[0]; got.Method != "GET" {
		t.Errorf("the app saw %+v", got)
	}
}

func TestAnHTTP10ClientMayKeepItsConnection(t *testing.T) {
	s := startApp(t, testkit.NewApp(t, testkit.Text("ok")))
	c := testkit.Dial(t, s.Egress)
	for range 3 {
		c.Send("GET / HTTP/1.0\r\nhost: svc\r\nconnection: keep-alive\r\n\r\n")
		if got := c.Receive("GET"); got.Status != 200 || got.Body != "ok" || got.Header.Get("connection") != "keep-alive" {
			t.Fatalf("got %d %q %v", got.Status, got.Body, got.Header)
		}
	}
}

func TestAnAnswerThatEndsWithItsConnectionIsPassedOnWhole(t *testing.T) {
	for what, raw := range map[string]string{
		"HTTP/1.1": "HTTP/1.1 200 OK\r\n\r\nall of it",
		"HTTP/1.0": "HTTP/1.0 200 OK\r\n\r\nall of it",
	} {
		t.Run(what, func(t *testing.T) {
			s := startApp(t, testkit.NewApp(t, testkit.RawClose(raw)))
			c := testkit.Dial(t, s.Egress)
			for range 2 {
				if got := c.Do("GET", "svc", "/", ""); got.Body != "all of it" || got.Err != nil || got.Proto != "HTTP/1.1" {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

func TestAConnectionIsClosedWhenTheClientAsks(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	c := testkit.Dial(t, s.Egress)
	if got := c.Do("GET", "svc", "/", "", "connection: close"); got.Status != 200 || !got.Close {
		t.Errorf("got %d, close %v", got.Status, got.Close)
	}
	if rest, err := c.Rest(); rest != "" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
}

func TestRequestsThatBreakTheProtocolAreRefusedAndTheConnectionClosed(t *testing.T) {
	many := strings.Repeat("x: y\r\n", 101)
	for _, tt := range []struct {
		what, raw string
		status    int
		flags     string
	}{
		{"no HTTP", "hello\r\n\r\n", 400, "DPE"},
		{"two framings", "POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, "DPE"},
		{"two lengths", "POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx", 400, "DPE"},
		{"an unknown coding", "POST / HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: gzip\r\n\r\n", 501, "DPE"},
		{"TE on HTTP/1.0", "POST / HTTP/1.0\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, "DPE"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, ""},
		{"two hosts", "GET / HTTP/1.1\r\nhost: svc\r\nhost: svc\r\n\r\n", 400, "DPE"},
		{"too many fields", "GET / HTTP/1.1\r\nhost: svc\r\n" + many + "\r\n", 431, "DPE"},
		{"too large a head", "GET / HTTP/1.1\r\nhost: svc\r\nx: " + strings.Repeat("y", 61<<10) + "\r\n\r\n", 431, "DPE"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			app := testkit.NewApp(t)
			s := startApp(t, app)
			c := testkit.Dial(t, s.Egress)
			c.Send(tt.raw)
			got := c.Receive("GET")
			if got.Status != tt.status || !got.Close || got.Header.Get("server") != "envoy" {
				t.Errorf("got %d, close %v, %v", got.Status, got.Close, got.Header)
			}
			if _, err := c.Rest(); err != nil {
				t.Errorf("the connection ended by %v", err)
			}
			if r := s.Records.Next(t); r.Code != tt.status || tt.flags != "" && r.Flags != tt.flags {
				t.Errorf("record %d %q %q", r.Code, r.Flags, r.Details)
			}
			if app.Calls() != 0 {
				t.Error("it reached the app")
			}
		})
	}
}

func closedGate() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
