//go:build linux

package footprint

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/outrider-mesh/outrider/bench/backend"
)

func TestAMetricIsFoundByItsWholeName(t *testing.T) {
	page := []byte("# HELP go_x_total text\n# TYPE go_x_total counter\ngo_x_total_created 5\ngo_x_total{a=\"b\"} 6\ngo_x_total 1.234567e+06\n")
	if v, err := find(page, "go_x_total"); v != 1234567 || err != nil {
		t.Error(v, err)
	}
	if _, err := find(page, "go_y"); err == nil || !strings.Contains(err.Error(), "go_y") {
		t.Error(err)
	}
}

func TestHeldConnectionsServeAgain(t *testing.T) {
	var connections, requests atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if n := len(strings.Join(r.Header["X-Padding-3"], "")); n < 150 || r.Host != "backend.local:8080" {
			t.Errorf("host %q, padding %d", r.Host, n)
		}
		_, _ = w.Write(make([]byte, 1024))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	addr := netip.MustParseAddrPort(server.Listener.Addr().String())
	held, err := hold(t.Context(), addr, 20)
	defer held.close()
	if err == nil {
		err = held.again(t.Context())
	}
	if err != nil || connections.Load() != 20 || requests.Load() != 40 || len(held.request) < 2048 {
		t.Errorf("%d connections, %d requests of %d bytes: %v", connections.Load(), requests.Load(), len(held.request), err)
	}
}

func TestAProxyThatFailsOrClosesIsNotHeld(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"status 503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"closes":     func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
	} {
		server := httptest.NewServer(handler)
		held, err := hold(t.Context(), netip.MustParseAddrPort(server.Listener.Addr().String()), 2)
		held.close()
		server.Close()
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeldHTTP2ConnectionsAndStreamsStand(t *testing.T) {
	server, err := backend.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for name, open := range map[string]func() (holder, error){
		"connections": func() (holder, error) { return holdHTTP2(t.Context(), server.Addrs()[0], 20) },
		"streams":     func() (holder, error) { return holdStreams(t.Context(), server.Addrs()[0], 250, 100) },
	} {
		held, err := open()
		if err == nil {
			err = held.again(t.Context())
		}
		if want := map[string]int{"connections": 20, "streams": 3}[name]; err != nil || len(held.(*heldHTTP2).conns) != want {
			t.Errorf("%s: %v", name, err)
		}
		held.close()
	}
}

func TestAStreamThatEndsIsNotHeld(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 32))
		w.(http.Flusher).Flush()
		if r.URL.Path == "/hold" {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	addr := netip.MustParseAddrPort(server.Listener.Addr().String())
	held, err := holdStreams(t.Context(), addr, 1, 1)
	if err == nil {
		err = held.again(t.Context())
	}
	held.close()
	if err == nil || !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	held, err = holdHTTP2(t.Context(), addr, 1)
	held.close()
	if err == nil || !strings.Contains(err.Error(), "32 bytes came") {
		t.Error(err)
	}
}
