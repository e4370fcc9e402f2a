//go:build linux

package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func run(t *testing.T, url string, request Request, config Config) Result {
	t.Helper()
	request.URL = url
	target, err := request.Prepare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	config.Target = target
	if config.Duration == 0 {
		config.Duration = time.Minute // the number of requests ends it
	}
	result, err := Run(context.Background(), config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestEveryRequestArrivesAndIsAnswered(t *testing.T) {
	var requests, bytes atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		bytes.Add(n)
		requests.Add(1)
		if r.Host != "backend.local" {
			w.WriteHeader(http.StatusBadRequest)
		}
		for range 3 { // chunked
			_, _ = w.Write(make([]byte, 1000))
			w.(http.Flusher).Flush()
		}
	}))
	defer server.Close()
	for name, config := range map[string]Config{
		"closed loop":   {Connections: 3, Requests: 200},
		"open loop":     {Connections: 3, Requests: 200, Rate: 10_000},
		"two workers":   {Connections: 3, Requests: 200, Workers: 2},
		"few requests":  {Connections: 8, Requests: 3, Workers: 8},
		"one at a time": {Requests: 5},
	} {
		t.Run(name, func(t *testing.T) {
			requests.Store(0)
			bytes.Store(0)
			config.Outstanding = 1000
			r := run(t, server.URL+"/x", Request{BodySize: 100_000, Headers: []string{"Host: backend.local"}}, config)
			if r.Started != config.Requests || r.Succeeded != config.Requests || r.Failures.Total() != 0 || r.Shortfall != 0 || r.Window != config.Requests {
				t.Errorf("%+v; failures: %v", r, r.Failures)
			}
			if requests.Load() != config.Requests || bytes.Load() != 100_000*config.Requests {
				t.Errorf("%d requests, %d bytes came", requests.Load(), bytes.Load())
			}
			if r.Latency.TotalCount() != config.Requests || r.Bytes < 3000*config.Requests {
				t.Errorf("%d latencies, %d bytes", r.Latency.TotalCount(), r.Bytes)
			}
		})
	}
}

// A stall is charged to every request it kept waiting, not only to the one it hit.
func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	const stall = 100 * time.Millisecond
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if asked.Add(1) == 1 {
			<-time.After(stall)
		}
	}))
	defer server.Close()
	r := run(t, server.URL, Request{}, Config{Connections: 1, Rate: 1000, Requests: 50, Outstanding: 100})
	// The last of the 50 was due 49 ms after the first and answered after the first's 100 ms: all waited 50 ms at least.
	if shortest := r.Quantile(0); shortest < stall/2 || r.Succeeded != 50 {
		t.Errorf("%d succeeded, the fastest in %v", r.Succeeded, shortest)
	}
}

func TestWhatIsTooMuchOutstandingIsNotSent(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	r := run(t, server.URL, Request{}, Config{Connections: 2, Rate: 400, Duration: 500 * time.Millisecond, Outstanding: 10, Timeout: 700 * time.Millisecond})
	if r.Started != 2 || r.Failures[TimedOut] != 2 || r.Shortfall != 198 {
		t.Errorf("%d started, %d not sent, failures: %v", r.Started, r.Shortfall, r.Failures)
	}
	if r.Latency.TotalCount() != 2 || r.Quantile(0) < 700*time.Millisecond {
		t.Errorf("a request that timed out has its age as latency: %v", r.Quantile(0))
	}
}

func TestFailuresAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   Kind
	}{
		"an answer that is not HTTP":         {say("SSH-2.0-x\r\n\r\n"), Malformed},
		"more than was asked for":            {say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"), Malformed},
		"the end before the answer":          {say(""), ClosedEarly},
		"the end within the answer":          {say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), ClosedEarly},
		"a status that blames the server":    {say("HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), Status5xx},
		"a status that blames the client":    {say("HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), Status4xx},
		"a reset before the answer is whole": {reset, WasReset},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, c.answer)
			r := run(t, url, Request{}, Config{Requests: 3})
			if r.Failures[c.want] != 3 || r.Failures.Total() != 3 || r.Succeeded != 0 || r.Latency.TotalCount() != 0 {
				t.Errorf("failures: %v; %+v", r.Failures, r)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		url := "http://" + l.Addr().String()
		_ = l.Close()
		if r := run(t, url, Request{}, Config{Requests: 3, Connections: 2}); r.Failures[ConnectFailed] != 3 {
			t.Errorf("failures: %v", r.Failures)
		}
	})
}

func TestAServerThatClosesAfterEachAnswerIsNoFailure(t *testing.T) {
	for name, text := range map[string]string{
		"announced":           "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"instead of a length": "HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.0":            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
	} {
		if r := run(t, serve(t, say(text)), Request{}, Config{Requests: 5, Connections: 2}); r.Succeeded != 5 {
			t.Errorf("%s: %d succeeded, failures: %v", name, r.Succeeded, r.Failures)
		}
	}
}

func TestHooksEncloseTheWindowAndTheContextEndsIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	target, err := Request{URL: server.URL}.Prepare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var watch Watch
	var atStart, atEnd int64 = -1, -1
	result, err := Run(ctx, Config{Target: target, Connections: 2, Warmup: 20 * time.Millisecond, Duration: time.Hour,
		AtStart: func() { atStart = watch.Answered(); cancel() },
		AtEnd:   func() { atEnd = watch.Answered() }}, &watch)
	if err != nil || atStart < 0 || atEnd < atStart || result.Elapsed > time.Minute {
		t.Errorf("%d answers before the window, %d at its end, %v long: %v", atStart, atEnd, result.Elapsed, err)
	}
}

func TestAConnectionIsWornOutAfterItsShareOfRequests(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	r := run(t, server.URL, Request{}, Config{Connections: 1, Requests: 30, PerConnection: 3})
	if r.Succeeded != 30 || r.Answered != 30 || connections.Load() != 10 {
		t.Errorf("%d succeeded on %d connections; failures: %v", r.Succeeded, connections.Load(), r.Failures)
	}
}

// serve answers the one request of each connection, and closes it.
func serve(t *testing.T, answer func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// A connection opened and not used holds up nobody: it is read with a limit.
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, _ := conn.Read(make([]byte, 4096)); n > 0 {
				answer(conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func say(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = c.Write([]byte(text)) }
}

func reset(c net.Conn) {
	_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"))
	_ = c.(*net.TCPConn).SetLinger(0)
}
