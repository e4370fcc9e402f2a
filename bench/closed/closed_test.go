//go:build linux

package closed

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/bench/backend"
	"github.com/outrider-mesh/outrider/bench/load"
)

func TestEveryRequestIsAnsweredByTheBackend(t *testing.T) {
	addr := startBackend(t)
	for name, config := range map[string]Config{
		"one stream":         {Speak: get("/1k", 1, 1024), Requests: 500},
		"streams":            {Speak: get("/1k", 100, 1024), Connections: 3, Requests: 5000},
		"beyond the window":  {Speak: get("/16k", 20, 16384), Connections: 2, Requests: 2000},
		"a message":          {Speak: WebSocket{Host: "x", Path: "/ws", Size: 1}, Requests: 300},
		"messages of 128":    {Speak: WebSocket{Host: "x", Path: "/ws", Size: 128}, Connections: 5, Requests: 1000},
		"messages of 64 KiB": {Speak: WebSocket{Host: "x", Path: "/ws", Size: 64 << 10}, Connections: 2, Requests: 100},
	} {
		t.Run(name, func(t *testing.T) {
			r := run1(t, addr, config)
			if r.Started != config.Requests || r.Succeeded != config.Requests || r.Window != config.Requests || r.Answered != config.Requests || r.Failures.Total() != 0 ||
				r.Latency.TotalCount() != config.Requests || r.Received < r.Bytes {
				t.Errorf("%+v; failures: %v", r, r.Failures)
			}
		})
	}
}

func TestItUnderstandsOtherServersThanItsOwn(t *testing.T) {
	var requests atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer conn.CloseNow()
			for {
				kind, text, err := conn.Read(r.Context())
				if err != nil || conn.Write(r.Context(), kind, text) != nil {
					return
				}
			}
		}
		requests.Add(1)
		w.Header().Set("Trailer", "X-End")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = w.Write(make([]byte, 100_000))
		w.Header().Set("X-End", "yes")
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.Protocols.SetHTTP1(true)
	server.Start()
	defer server.Close()
	addr := netip.MustParseAddrPort(server.Listener.Addr().String())
	if r := run1(t, addr, Config{Speak: get("/x", 10, 100_000), Connections: 2, Requests: 300}); r.Succeeded != 300 || requests.Load() != 300 {
		t.Errorf("%+v; failures: %v; %d came", r, r.Failures, requests.Load())
	}
	if r := run1(t, addr, Config{Speak: WebSocket{Host: "x", Path: "/", Size: 200}, Connections: 4, Requests: 300}); r.Succeeded != 300 {
		t.Errorf("%+v; failures: %v", r, r.Failures)
	}
}

func TestFailuresAreToldApart(t *testing.T) {
	addr := startBackend(t)
	if r := run1(t, addr, Config{Speak: get("/1k", 2, 1000), Requests: 10}); r.Failures[load.Malformed] != 10 || r.Succeeded != 0 {
		t.Errorf("answers of another length: %v", r.Failures)
	}
	if r := run1(t, addr, Config{Speak: get("/nothing", 2, 12), Requests: 10}); r.Failures[load.Status4xx] != 10 {
		t.Errorf("status 404: %v", r.Failures)
	}
	for name, c := range map[string]struct {
		say  string
		want load.Kind
	}{
		"the end":            {"", load.ClosedEarly},
		"HTTP/1":             {"HTTP/1.1 400 Bad Request\r\n\r\n", load.Malformed},
		"a stream nobody":    {"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x09x", load.Malformed},
		"reset of each":      {"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x02", load.ClosedEarly},
		"GOAWAY with a code": {"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02", load.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := run1(t, serve(t, c.say), Config{Speak: get("/1k", 1, 1024), Requests: 1})
			if r.Failures[c.want] != 1 || r.Succeeded != 0 {
				t.Errorf("%v", r.Failures)
			}
		})
	}
	t.Run("a refused handshake", func(t *testing.T) {
		r := run1(t, serve(t, "HTTP/1.1 403 Forbidden\r\n\r\n"), Config{Speak: WebSocket{Host: "x", Path: "/", Size: 1}, Requests: 2})
		if r.Failures.Total() != 2 {
			t.Errorf("%v", r.Failures)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := netip.MustParseAddrPort(l.Addr().String())
		_ = l.Close()
		if r := run1(t, addr, Config{Speak: get("/", 1, 1), Requests: 2}); r.Failures[load.ConnectFailed] != 2 {
			t.Errorf("%v", r.Failures)
		}
	})
}

func TestASilentPeerIsTimedOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := run1(t, netip.MustParseAddrPort(l.Addr().String()), Config{Speak: get("/", 1, 1), Requests: 1, Timeout: 50 * time.Millisecond})
	if r.Failures[load.TimedOut] != 1 {
		t.Errorf("%v", r.Failures)
	}
}

func TestHooksEncloseTheWindowAndTheContextEndsIt(t *testing.T) {
	addr := startBackend(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var marks []string
	r, err := Run(ctx, Config{Addr: addr, Speak: get("/1k", 2, 1024), Warmup: 10 * time.Millisecond, Duration: time.Hour,
		AtStart: func() { marks = append(marks, "start"); cancel() }, AtEnd: func() { marks = append(marks, "end") }})
	if err != nil || len(marks) != 2 || r.Elapsed > time.Minute {
		t.Error(marks, r.Elapsed, err)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	good := Config{Addr: netip.MustParseAddrPort("127.0.0.1:1"), Speak: get("/", 1, 1), Duration: time.Second}
	if _, err := good.Filled(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no target":   func(c *Config) { c.Addr = netip.AddrPort{} },
		"no speech":   func(c *Config) { c.Speak = nil },
		"no request":  func(c *Config) { c.Speak = HTTP2{Streams: 1} },
		"streams":     func(c *Config) { c.Speak = get("/", MaxStreams+1, 1) },
		"no streams":  func(c *Config) { c.Speak = get("/", 0, 1) },
		"message":     func(c *Config) { c.Speak = WebSocket{} },
		"connections": func(c *Config) { c.Connections = load.MaxConnections + 1 },
		"duration":    func(c *Config) { c.Duration = 0 },
		"warm-up":     func(c *Config) { c.Warmup = -1 },
		"requests":    func(c *Config) { c.Requests = -1 },
		"timeout":     func(c *Config) { c.Timeout = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := c.Filled(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func get(path string, streams, size int) HTTP2 {
	return HTTP2{Streams: streams, Size: size, Fields: []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: "backend.local:8080"}, {Name: ":path", Value: path}, {Name: "user-agent", Value: "bench/1"}}}
}

func run1(t *testing.T, addr netip.AddrPort, config Config) load.Result {
	t.Helper()
	config.Addr = addr
	if config.Duration == 0 {
		config.Duration = time.Minute // the number of requests ends it
	}
	r, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// startBackend runs a backend until the test ends.
func startBackend(t *testing.T) netip.AddrPort {
	t.Helper()
	server, err := backend.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server.Addrs()[0]
}

// serve waits for the client to speak on each connection, says its piece, and closes.
func serve(t *testing.T, say string) netip.AddrPort {
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
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, say)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return netip.MustParseAddrPort(l.Addr().String())
}
