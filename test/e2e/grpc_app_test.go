//go:build linux

package e2e

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

// grpcService is the authority of the service, and the gRPC service behind it.
const (
	grpcAuthority = "svc.local:8080"
	testService   = "grpc.testing.TestService"
)

// grpcApp is a gRPC server. It answers unary calls with its name and what it was sent; a test puts its own handlers in.
type grpcApp struct {
	testgrpc.UnimplementedTestServiceServer
	name   string
	addr   netip.AddrPort
	served atomic.Int64
	stop   func()
	leave  func() // stops as a rolling update does: GOAWAY, and waits for what is under way
	health *health.Server

	unary  func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error)
	input  func(grpc.ClientStreamingServer[testgrpc.StreamingInputCallRequest, testgrpc.StreamingInputCallResponse]) error
	output func(*testgrpc.StreamingOutputCallRequest, grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]) error
	duplex func(grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error
}

// newGRPCApp starts a server, with a health service; it ends with the test.
func newGRPCApp(t *testing.T, name string, addr netip.AddrPort, options ...grpc.ServerOption) *grpcApp {
	t.Helper()
	a := &grpcApp{name: name, addr: addr, health: health.NewServer()}
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.MaxRecvMsgSize(16 << 20), grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow)}, options...)...)
	testgrpc.RegisterTestServiceServer(server, a)
	healthgrpc.RegisterHealthServer(server, a.health)
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // it ends by Stop
		close(ended)
	}()
	a.stop = sync.OnceFunc(func() {
		server.Stop()
		<-ended
	})
	a.leave = server.GracefulStop
	t.Cleanup(a.stop)
	return a
}

// The windows of clients and servers do not grow by themselves here: how far a writer gets is the sidecar's doing.
const streamWindow, connWindow = 64 << 10, 1 << 20

func (a *grpcApp) UnaryCall(ctx context.Context, in *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	a.served.Add(1)
	if a.unary != nil {
		return a.unary(ctx, in)
	}
	return &testgrpc.SimpleResponse{ServerId: a.name, Payload: in.GetPayload()}, nil
}

func (a *grpcApp) EmptyCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	a.served.Add(1)
	return &testgrpc.Empty{}, nil
}

func (a *grpcApp) StreamingInputCall(s grpc.ClientStreamingServer[testgrpc.StreamingInputCallRequest, testgrpc.StreamingInputCallResponse]) error {
	a.served.Add(1)
	if a.input != nil {
		return a.input(s)
	}
	return sumUp(s)
}

// sumUp reads a stream of messages and answers how many bytes they had.
func sumUp(s grpc.ClientStreamingServer[testgrpc.StreamingInputCallRequest, testgrpc.StreamingInputCallResponse]) error {
	var sum int32
	for {
		in, err := s.Recv()
		if err == io.EOF {
			return s.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: sum})
		}
		if err != nil {
			return err
		}
		sum += int32(len(in.GetPayload().GetBody()))
	}
}

func (a *grpcApp) StreamingOutputCall(in *testgrpc.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]) error {
	a.served.Add(1)
	if a.output != nil {
		return a.output(in, s)
	}
	for _, p := range in.GetResponseParameters() {
		if err := s.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload(int(p.GetSize()))}); err != nil {
			return err
		}
	}
	return nil
}

func (a *grpcApp) FullDuplexCall(s grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error {
	a.served.Add(1)
	if a.duplex != nil {
		return a.duplex(s)
	}
	return sendBack(s)
}

// sendBack answers each message with its own payload.
func sendBack(s grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error {
	for {
		in, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.Send(&testgrpc.StreamingOutputCallResponse{Payload: in.GetPayload()})
		}
		if err != nil {
			return err
		}
	}
}

// payload is size bytes that are not all the same.
func payload(size int) *testgrpc.Payload {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i * 7)
	}
	return &testgrpc.Payload{Body: body}
}

// dialGRPC is a channel to an address that names the service; it ends with the test.
func dialGRPC(t *testing.T, to netip.AddrPort, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	return dialGRPCTarget(t, "passthrough:///"+to.String(), options...)
}

func dialGRPCTarget(t *testing.T, target string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(grpcAuthority),
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16 << 20))}, options...)
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// calling is a context that ends with the test, or when it takes far too long.
func calling(t *testing.T, pairs ...string) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	if len(pairs) > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	}
	return ctx
}

// bothWays runs a test against the app itself, which shows what gRPC alone does, and through a sidecar.
func bothWays(t *testing.T, test func(*testing.T, *grpcApp, *grpc.ClientConn)) {
	t.Run("straight", func(t *testing.T) {
		app := newGRPCApp(t, "v1", newNetwork(t).at(31, 8080))
		test(t, app, dialGRPC(t, app.addr))
	})
	t.Run("through a sidecar", func(t *testing.T) {
		n := newNetwork(t)
		app := newGRPCApp(t, "v1", n.at(31, 8080))
		s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {app.addr.String()}})
		test(t, app, dialGRPC(t, s.egress))
	})
}

// speaking changes the listeners of a node or a router to another protocol.
func speaking(protocol string, d object) object {
	return with(d, []object{{"portMapping": object{"port": 8080, "protocol": protocol}}}, "spec", "listeners")
}

// grpcMesh is front, which may call svc.local by gRPC, and the nodes behind it; everything goes to the first.
func grpcMesh(nodes ...string) documents {
	return append(grpcMeshWithoutRoutes(nodes...), grpcRoute("all", object{}, nodes[0]))
}

func grpcMeshWithoutRoutes(nodes ...string) documents {
	docs := documents{theMesh("ALLOW_ALL"), speaking("grpc", node("front", "svc.local")), service("svc.local", "router"), speaking("grpc", router("router"))}
	for _, name := range nodes {
		docs = append(docs, speaking("grpc", node(name)))
	}
	return docs
}

// grpcRoute sends what matches to one node.
func grpcRoute(name string, match object, target string) object {
	d := document("routeName", name, object{"grpcRoute": object{
		"match": match, "action": object{"weightedTargets": []object{{"virtualNode": target, "weight": 1}}}}})
	d["virtualRouterName"] = "router"
	return d
}

// sizes asks for responses of these sizes.
func sizes(sizes ...int32) *testgrpc.StreamingOutputCallRequest {
	in := &testgrpc.StreamingOutputCallRequest{}
	for _, size := range sizes {
		in.ResponseParameters = append(in.ResponseParameters, &testgrpc.ResponseParameters{Size: size})
	}
	return in
}

// grpcLoad is unary calls one after the other, by a few callers.
type grpcLoad struct {
	calls   atomic.Int64
	stop    chan struct{}
	callers sync.WaitGroup
	failed  atomic.Pointer[error]
}

func busyGRPC(t *testing.T, c testgrpc.TestServiceClient) *grpcLoad {
	l := &grpcLoad{stop: make(chan struct{})}
	for range 4 {
		l.callers.Go(func() {
			for l.going() {
				if _, err := c.UnaryCall(t.Context(), &testgrpc.SimpleRequest{Payload: payload(100)}); err != nil {
					l.failed.CompareAndSwap(nil, &err)
					return
				}
				l.calls.Add(1)
			}
		})
	}
	return l
}

func (l *grpcLoad) going() bool {
	select {
	case <-l.stop:
		return false
	default:
		return true
	}
}

// finish ends the load; every call must have succeeded.
func (l *grpcLoad) finish(t *testing.T) (calls int64) {
	t.Helper()
	close(l.stop)
	l.callers.Wait()
	if err := l.failed.Load(); err != nil {
		t.Errorf("after %d calls: %v", l.calls.Load(), *err)
	}
	return l.calls.Load()
}
