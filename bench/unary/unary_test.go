//go:build linux

package unary

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/outrider-mesh/outrider/bench/load"
)

func TestCallsAreAnsweredAndCounted(t *testing.T) {
	addr := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	marks := 0
	r, err := Run(ctx, Config{Addr: addr, Authority: "x", Connections: 2, Calls: 3, Warmup: time.Millisecond, Duration: 50 * time.Millisecond,
		AtStart: func() { marks++ }, AtEnd: func() { marks++ }})
	if err != nil || marks != 2 || r.Failures.Total() != 0 || r.Succeeded == 0 || r.Succeeded != r.Window || r.Latency.TotalCount() != r.Succeeded || r.Bytes != r.Succeeded*answerSize {
		t.Errorf("%+v, %v, %d marks; failures: %v", r, err, marks, r.Failures)
	}
	n, err := Stats(t.Context(), addr)
	if err != nil || n.Accepted < 2 || n.Requests < r.Succeeded {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestCallsThatFailAreCounted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer() // knows no method
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	defer func() { server.Stop(); <-done }()
	r, err := Run(t.Context(), Config{Addr: netip.MustParseAddrPort(l.Addr().String()), Connections: 1, Calls: 1, Duration: 20 * time.Millisecond})
	if err != nil || r.Succeeded != 0 || r.Failures[load.Status5xx] == 0 {
		t.Errorf("%+v, %v", r.Failures, err)
	}
}

func TestNobodyToCallIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	_ = l.Close()
	if _, err := Run(t.Context(), Config{Addr: addr, Connections: 1, Calls: 1, Duration: time.Second, Timeout: 50 * time.Millisecond}); err == nil {
		t.Error("no error")
	}
	if _, err := Run(t.Context(), Config{Addr: addr}); err == nil {
		t.Error("no connections, and no error")
	}
}

func start(t *testing.T) netip.AddrPort {
	t.Helper()
	server, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
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
	return server.Addr()
}
