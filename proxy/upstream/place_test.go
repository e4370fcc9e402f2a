package upstream

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// multiplexed is an endpoint of a cluster that is spoken to in HTTP/2, with a
// connection to addr.
func multiplexed(t *testing.T, addr netip.AddrPort, settings Settings) (*Endpoint, *muxConn) {
	t.Helper()
	settings.Log = slog.New(slog.DiscardHandler)
	m := NewManager(settings, new(stat.Set))
	t.Cleanup(m.Close)
	clusters, _ := m.Sync([]*mesh.Cluster{{
		Name:           "c",
		Protocol:       mesh.HTTP2,
		Discovery:      mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{addr}},
		ConnectTimeout: time.Second,
	}})
	e := clusters[0].Members().Endpoints[0]
	p, ok := e.mux.wait(&l7.Exchange{}, 0, func() { t.Error("overflow") })
	if !ok || p.stream == nil {
		t.Fatalf("no place: %+v", p)
	}
	giveBack(p)
	return e, p.conn
}

func giveBack(p place) {
	p.stream.Finish()
	p.conn.ended()
}

// silent is a server that reads and says nothing.
func silent(t *testing.T) netip.AddrPort {
	return testkit.NewTCP(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
}

// settled is a server that says what it takes, and no more.
func settled(t *testing.T) netip.AddrPort {
	return testkit.NewTCP(t, func(c *net.TCPConn) {
		http2.NewFramer(c, nil).WriteSettings()
		io.Copy(io.Discard, c)
	})
}

// Nobody waits for ever for a peer that takes connections and says nothing.
func TestAConnectionWhosePeerSaysNothingIsReplaced(t *testing.T) {
	e, c := multiplexed(t, silent(t), Settings{})
	first, _ := e.mux.take()
	second := make(chan place)
	go func() {
		p, _ := e.mux.wait(&l7.Exchange{}, 0, func() { t.Error("a limit was met") })
		second <- p
	}()
	testkit.Eventually(t, "one waits", func() bool {
		e.mux.mu.Lock()
		defer e.mux.mu.Unlock()
		return len(e.mux.waiting) == 1
	})
	e.mux.sweep(sock.Now() + freshMost - time.Second)
	if e.open.Load() != 1 || c.leaving.Load() {
		t.Error("it was given up early")
	}
	e.mux.sweep(sock.Now() + freshMost)
	p := testkit.Wait(t, "a place on another connection", second)
	if p.conn == c || !c.leaving.Load() {
		t.Error("it gives more places")
	}
	giveBack(first)
	<-c.client.Done()
	giveBack(p)
}

func TestAPlaceThatComesAsItsWaiterLeavesIsGivenBack(t *testing.T) {
	e, c := multiplexed(t, silent(t), Settings{})
	p, _ := e.mux.take()
	turn := make(chan place, 1)
	turn <- p // not among those that wait any more
	if _, ok := e.mux.leave(turn); ok {
		t.Error("who left got a place")
	}
	if open, _ := c.client.Streams(); open != 0 || c.active.Load() != 0 {
		t.Errorf("%d streams open, %d counted", open, c.active.Load())
	}
}

func TestAConnectionWithoutStreamsIsClosedAfterAnHour(t *testing.T) {
	e, c := multiplexed(t, settled(t), Settings{})
	stats := e.cluster.stats
	testkit.Eventually(t, "its peer's SETTINGS are here", c.client.Settled)
	p, _ := e.mux.take()
	if !e.mux.sweep(sock.Now() + 2*muxIdle) {
		t.Error("a connection in use is not come back for")
	}
	giveBack(p)
	if !e.mux.sweep(sock.Now() + muxIdle - time.Minute) {
		t.Error("it was closed early")
	}
	if e.mux.sweep(sock.Now() + muxIdle) {
		t.Error("it is still there")
	}
	<-c.client.Done()
	testkit.Eventually(t, "its place is free", func() bool { return e.open.Load() == 0 })
	if n := stats.Counter(cxIdleTimeout).Value(); n != 1 {
		t.Errorf("upstream_cx_idle_timeout = %d", n)
	}
	if _, ok := e.mux.take(); ok {
		t.Error("it gives places")
	}
}

func TestAConnectionOpenedForAnEndpointThatHasGoneServesWhoWaitsAndEnds(t *testing.T) {
	e, c := multiplexed(t, silent(t), Settings{})
	e.retire()
	<-c.client.Done()
	p, ok := e.mux.wait(&l7.Exchange{}, 0, func() {})
	if !ok || p.stream == nil {
		t.Fatal("no place")
	}
	giveBack(p)
	<-p.conn.client.Done()
}

func TestNewConnectionsThatTakeNoStreamAreNotOpenedForEver(t *testing.T) {
	dials := make(chan struct{}, 100)
	addr := testkit.NewTCP(t, func(c *net.TCPConn) { dials <- struct{}{} }) // and closes
	settings := Settings{Log: slog.New(slog.DiscardHandler)}
	m := NewManager(settings, new(stat.Set))
	t.Cleanup(m.Close)
	clusters, _ := m.Sync([]*mesh.Cluster{{Name: "c", Protocol: mesh.HTTP2, ConnectTimeout: time.Second,
		Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{addr}}}})
	ex := &l7.Exchange{}
	ex.Request = l7.Request{Method: []byte("GET"), Target: []byte("/"), Authority: []byte("a"), Body: l7.Empty}
	if err := clusters[0].Forward(ex, &mesh.Route{}); err == nil {
		t.Error("answered")
	}
	if n := len(dials); n > mostStale {
		t.Errorf("%d connections for one request", n)
	}
}
