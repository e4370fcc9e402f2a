//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// A connection that is being drained is told by GOAWAY with its next answer (Envoy); what is under way on it ends in peace, and then it is
// closed.
func TestGOAWAYAtDrain(t *testing.T) {
	n := newNetwork(t)
	arrived, over := make(chan struct{}), make(chan struct{})
	v1 := newH2Backend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/long" {
			return false
		}
		close(arrived)
		<-over
		fmt.Fprint(w, "in peace")
		return true
	})
	s := start(t, n, inProtocol("http2", userMesh("v1", 100)), endpoints{"v1.test": {v1.addr.String()}}, "--drain-wait-app=false")
	c := dialFrames(t, s.egress)
	c.request(1, "GET", "/long")
	receive(t, "the request is at the app", arrived)
	s.signal(syscall.SIGTERM)
	s.await("it drains", func() bool { return s.status("GET", "/ready") == 503 })
	c.request(3, "GET", "/short")

	bodies := map[uint32]string{}
	var last *http2.GoAwayFrame
	told := 0
	for released := false; ; {
		f, err := c.ReadFrame()
		if err != nil {
			break // closed: all frames have come
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.try(c.WriteSettingsAck())
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.try(c.WritePing(true, f.Data))
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo || f.LastStreamID < 3 || last != nil && f.LastStreamID > last.LastStreamID {
				t.Errorf("%v after %v", f, last)
			}
			kept := *f
			last = &kept
			if told++; told == 1 && f.LastStreamID != 1<<31-1 { // RFC 9113 6.8: what is on its way is still taken
				t.Errorf("the first is %v", f)
			}
		case *http2.DataFrame:
			bodies[f.StreamID] += string(f.Data())
		case *http2.RSTStreamFrame:
			t.Errorf("%v", f)
		}
		if last != nil && bodies[3] != "" && !released { // told, while the first is still under way
			released = true
			close(over)
		}
	}
	if told < 2 || last.LastStreamID != 3 || bodies[1] != "in peace" || bodies[3] != "v1\n" {
		t.Errorf("the answers were %v, the last GOAWAY %v", bodies, last)
	}
	if code := s.exit(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// frames is an HTTP/2 client that sees every frame.
type frames struct {
	*http2.Framer
	t    *testing.T
	conn net.Conn
}

func dialFrames(t *testing.T, to netip.AddrPort) *frames {
	t.Helper()
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &frames{http2.NewFramer(conn, conn), t, conn}
	c.try(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	_, err = conn.Write([]byte(http2.ClientPreface))
	c.try(err)
	c.try(c.WriteSettings())
	return c
}

func (c *frames) try(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *frames) request(stream uint32, method, path string) {
	c.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", method}, {":scheme", "http"}, {":authority", "svc.local:8080"}, {":path", path}} {
		c.try(encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	c.try(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
}

// A rolling update: streams that are under way end where they began, new calls go to the other sidecar, and none is lost or made twice.
func TestGRPCSurvivesADrain(t *testing.T) {
	n, other := newNetwork(t), newNetwork(t)
	app := newGRPCApp(t, "v1", n.at(31, 8080))
	ends := endpoints{"v1.test": {app.addr.String()}}
	leaving := start(t, n, grpcMesh("v1"), ends, "--drain-wait-app=false", "--drain-time", "3s")
	staying := start(t, other, grpcMesh("v1"), ends)
	both := manual.NewBuilderWithScheme("both")
	first, second := resolver.Address{Addr: leaving.egress.String()}, resolver.Address{Addr: staying.egress.String()}
	both.InitialState(resolver.State{Addresses: []resolver.Address{first}})
	conn := dialGRPCTarget(t, "both:///", grpc.WithResolvers(both))
	c := testgrpc.NewTestServiceClient(conn)

	const streams = 20
	var open []grpc.BidiStreamingClient[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]
	ping := func(when string) {
		for i, s := range open {
			if err := s.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(100)}); err != nil {
				t.Fatalf("%s: stream %d: %v", when, i, err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatalf("%s: stream %d: %v", when, i, err)
			}
		}
	}
	for range streams {
		s, err := c.FullDuplexCall(calling(t))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
	}
	ping("before")
	if active := leaving.stat("http.egress.downstream_rq_active"); active != streams {
		t.Errorf("downstream_rq_active is %d, want %d", active, streams)
	}
	both.UpdateState(resolver.State{Addresses: []resolver.Address{first, second}})
	before := app.served.Load()
	load := busyGRPC(t, c)
	leaving.await("there is load", func() bool { return load.calls.Load() > 100 })

	leaving.signal(syscall.SIGTERM)
	leaving.await("it drains", func() bool { return leaving.status("GET", "/ready") == 503 })
	ping("while it drains")
	staying.await("calls go to the other one", func() bool { return staying.stat("http.egress.downstream_rq_total") > 0 })
	ping("after the calls have gone")
	for i, s := range open {
		if err := s.CloseSend(); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		if _, err := s.Recv(); err != io.EOF {
			t.Errorf("stream %d ended with %v", i, err)
		}
	}
	if code := leaving.exit(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	reached := load.calls.Load()
	staying.await("calls go on", func() bool { return load.calls.Load() > reached+100 })
	made := load.finish(t)
	if served := app.served.Load() - before; served != made {
		t.Errorf("%d calls were answered, the app has served %d", made, served)
	}
}

// An app that is replaced: it says GOAWAY, ends what it has begun and then refuses. Nobody who calls through a sidecar notices. Without
// a budget: half of all attempts come to the app that is gone.
func TestAnAppThatLeavesIsNotMissed(t *testing.T) {
	n := newNetwork(t)
	leaving, staying := newGRPCApp(t, "leaving", n.at(31, 8080)), newGRPCApp(t, "staying", n.at(32, 8080))
	s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {leaving.addr.String(), staying.addr.String()}}, "--retry-budget", "off")
	c := testgrpc.NewTestServiceClient(dialGRPC(t, s.egress))
	var open []grpc.BidiStreamingClient[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]
	for range 10 {
		stream, err := c.FullDuplexCall(calling(t))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, stream)
	}
	ping := func(when string) {
		for i, stream := range open {
			err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(100)})
			if err == nil {
				_, err = stream.Recv()
			}
			if err != nil {
				t.Fatalf("%s: stream %d: %v", when, i, err)
			}
		}
	}
	ping("before")
	load := busyGRPC(t, c)
	s.await("both have work", func() bool { return leaving.served.Load() > 100 && staying.served.Load() > 100 })
	left := make(chan struct{})
	go func() {
		leaving.leave()
		close(left)
	}()
	s.await("it refuses", func() bool { return !listens(leaving.addr) })
	ping("while it leaves")
	for i, stream := range open {
		if err := stream.CloseSend(); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		if _, err := stream.Recv(); err != io.EOF {
			t.Errorf("stream %d ended with %v", i, err)
		}
	}
	receive(t, "it has left", left)
	reached := load.calls.Load()
	s.await("calls go on", func() bool { return load.calls.Load() > reached+500 })
	load.finish(t)
}

// An app that lets its connections grow old says GOAWAY all the time. Each is retired, what it carries ends on it, and no call is lost or
// made twice.
func TestConnectionsThatGrowOldAreReplaced(t *testing.T) {
	n := newNetwork(t)
	app := newGRPCApp(t, "v1", n.at(31, 8080), grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 50 * time.Millisecond}))
	s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {app.addr.String()}})
	c := testgrpc.NewTestServiceClient(dialGRPC(t, s.egress))
	long, err := c.FullDuplexCall(calling(t))
	if err != nil {
		t.Fatal(err)
	}
	load := busyGRPC(t, c)
	const connections = 10
	s.await("connections have been replaced", func() bool { return s.stat("v1_grpc_8080.upstream_cx_total") >= connections })
	if err := long.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(10)}); err != nil {
		t.Error(err)
	}
	if _, err := long.Recv(); err != nil {
		t.Errorf("the stream on the oldest connection: %v", err)
	}
	if err := long.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := long.Recv(); err != io.EOF {
		t.Errorf("the stream on the oldest connection ended with %v", err)
	}
	if made := load.finish(t); app.served.Load() != made+1 {
		t.Errorf("%d calls were answered, the app has served %d", made+1, app.served.Load())
	}
}
