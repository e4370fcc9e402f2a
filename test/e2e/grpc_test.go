//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

func TestTheFourKindsOfGRPCCall(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		c := testgrpc.NewTestServiceClient(conn)
		reply, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{Payload: payload(1000)})
		if err != nil || reply.GetServerId() != "v1" || len(reply.GetPayload().GetBody()) != 1000 {
			t.Errorf("unary: %q %d bytes, %v", reply.GetServerId(), len(reply.GetPayload().GetBody()), err)
		}
		var got []int
		down, err := c.StreamingOutputCall(calling(t), sizes(1, 0, 70_000, 3))
		for err == nil {
			var message *testgrpc.StreamingOutputCallResponse
			if message, err = down.Recv(); err == nil {
				got = append(got, len(message.GetPayload().GetBody()))
			}
		}
		if err != io.EOF || !slices.Equal(got, []int{1, 0, 70_000, 3}) {
			t.Errorf("server streaming: %v %v", got, err)
		}
		up, err := c.StreamingInputCall(calling(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{5, 0, 70_000} {
			if err := up.Send(&testgrpc.StreamingInputCallRequest{Payload: payload(size)}); err != nil {
				t.Fatal(err)
			}
		}
		if sum, err := up.CloseAndRecv(); err != nil || sum.GetAggregatedPayloadSize() != 70_005 {
			t.Errorf("client streaming: %v %v", sum, err)
		}
		if err := pingPong(calling(t), c, 20); err != nil {
			t.Error(err)
		}
	})
}

// pingPong sends messages on one stream, each after the answer to the one before.
func pingPong(ctx context.Context, c testgrpc.TestServiceClient, times int) error {
	both, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for i := range times {
		sent := payload(i * 100)
		if err := both.Send(&testgrpc.StreamingOutputCallRequest{Payload: sent}); err != nil {
			return fmt.Errorf("ping %d: %w", i, err)
		}
		if back, err := both.Recv(); err != nil || !bytes.Equal(back.GetPayload().GetBody(), sent.GetBody()) {
			return fmt.Errorf("pong %d: %d bytes, %w", i, len(back.GetPayload().GetBody()), err)
		}
	}
	if err := both.CloseSend(); err != nil {
		return err
	}
	if _, err := both.Recv(); err != io.EOF {
		return fmt.Errorf("after the last ping: %w", err)
	}
	return nil
}

func TestMetadataPassesUnchanged(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		var seen metadata.MD
		app.unary = func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			seen, _ = metadata.FromIncomingContext(ctx)
			_ = grpc.SetHeader(ctx, metadata.Pairs("x-head", "h", "x-head-bin", string(all)))  // it has not been sent
			_ = grpc.SetTrailer(ctx, metadata.Pairs("x-tail", "t", "x-tail-bin", string(all))) // it has not been sent
			return &testgrpc.SimpleResponse{}, nil
		}
		var header, trailer metadata.MD
		_, err := testgrpc.NewTestServiceClient(conn).UnaryCall(calling(t, "x-text", "one", "x-text", "two", "x-bytes-bin", string(all), "x-bytes-bin", ""),
			&testgrpc.SimpleRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		for what, test := range map[string]struct{ got, want []string }{
			"text":               {seen.Get("x-text"), []string{"one", "two"}},
			"bytes":              {seen.Get("x-bytes-bin"), []string{string(all), ""}},
			"the authority":      {seen.Get(":authority"), []string{grpcAuthority}},
			"a header":           {header.Get("x-head"), []string{"h"}},
			"bytes in a header":  {header.Get("x-head-bin"), []string{string(all)}},
			"a trailer":          {trailer.Get("x-tail"), []string{"t"}},
			"bytes in a trailer": {trailer.Get("x-tail-bin"), []string{string(all)}},
		} {
			if !slices.Equal(test.got, test.want) {
				t.Errorf("%s: %q, want %q", what, test.got, test.want)
			}
		}
	})
}

func TestMessagesOf4MB(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		sent := payload(4 << 20)
		reply, err := testgrpc.NewTestServiceClient(conn).UnaryCall(calling(t), &testgrpc.SimpleRequest{Payload: sent})
		if err != nil || !bytes.Equal(reply.GetPayload().GetBody(), sent.GetBody()) {
			t.Errorf("%d bytes came back, %v", len(reply.GetPayload().GetBody()), err)
		}
	})
}

func TestCompressionIsUntouched(t *testing.T) {
	at, client := &weights{}, &weights{}
	n := newNetwork(t)
	app := newGRPCApp(t, "v1", n.at(31, 8080), grpc.StatsHandler(at))
	s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {app.addr.String()}})
	conn := dialGRPC(t, s.egress, grpc.WithStatsHandler(client))
	const size = 300_000
	_, err := testgrpc.NewTestServiceClient(conn).UnaryCall(calling(t), &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: make([]byte, size)}},
		grpc.UseCompressor(gzip.Name))
	if err != nil {
		t.Fatal(err)
	}
	for who, w := range map[string]*weights{"the request at the app": at, "the answer at the client": client} {
		if w.whole.Load() < size || w.wire.Load() == 0 || w.wire.Load() > size/10 || w.encoding.Load() != gzip.Name {
			t.Errorf("%s: %d bytes came as %d, encoding %v", who, w.whole.Load(), w.wire.Load(), w.encoding.Load())
		}
	}
}

// weights is what one message weighed, unpacked and on the wire.
type weights struct {
	whole, wire atomic.Int64
	encoding    atomic.Value
}

func (*weights) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*weights) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*weights) HandleConn(context.Context, stats.ConnStats)                       {}

func (w *weights) HandleRPC(_ context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.InHeader:
		w.encoding.Store(s.Compression)
	case *stats.InPayload:
		w.whole.Store(int64(s.Length))
		w.wire.Store(int64(s.CompressedLength))
	}
}

func TestTheAppSeesThatACallIsCancelled(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		arrived, ended := make(chan struct{}, 2), make(chan error, 2)
		wait := func(ctx context.Context) error {
			arrived <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}
		app.unary = func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return nil, wait(ctx)
		}
		app.duplex = func(s grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error {
			return wait(s.Context())
		}
		c := testgrpc.NewTestServiceClient(conn)
		for kind, call := range map[string]func(context.Context) error{
			"unary": func(ctx context.Context) error { _, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{}); return err },
			"bidi": func(ctx context.Context) error {
				s, err := c.FullDuplexCall(ctx)
				if err == nil {
					_, err = s.Recv()
				}
				return err
			},
		} {
			ctx, cancel := context.WithCancel(calling(t))
			go func() {
				<-arrived
				cancel()
			}()
			if err := call(ctx); status.Code(err) != codes.Canceled {
				t.Errorf("%s: the caller got %v", kind, err)
			}
			if err := receive(t, "the app hears of the end", ended); err != context.Canceled {
				t.Errorf("%s: the app saw %v", kind, err)
			}
		}
	})
}

func TestTheCallerSeesThatTheAppGivesUp(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		app.duplex = func(s grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error {
			if _, err := s.Recv(); err != nil {
				return err
			}
			return status.Error(codes.Aborted, "enough")
		}
		both, err := testgrpc.NewTestServiceClient(conn).FullDuplexCall(calling(t))
		for err == nil { // the caller goes on talking until it is told
			err = both.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(1000)})
		}
		if _, err := both.Recv(); status.Code(err) != codes.Aborted || status.Convert(err).Message() != "enough" {
			t.Errorf("the caller got %v", err)
		}
	})
}

// receive takes a value that must come.
func receive[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(20 * time.Second):
		t.Fatalf("it never came about: %s", what)
	}
	return v
}

func TestDeadlinesReachTheApp(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		left, ended := make(chan time.Duration, 2), make(chan error, 2)
		app.unary = func(ctx context.Context, in *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			by, _ := ctx.Deadline()
			left <- time.Until(by)
			if in.GetResponseSize() == 0 {
				return &testgrpc.SimpleResponse{}, nil
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}
		c := testgrpc.NewTestServiceClient(conn)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		if _, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, "the app's deadline", left); got < 50*time.Second || got > 100*time.Second {
			t.Errorf("of 100 s the app is given %s", got)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		// The app's own clock may be the first to say so. It resets the stream then, which is UNAVAILABLE to a sidecar (Envoy).
		if _, err := c.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseSize: 1}); status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Unavailable {
			t.Errorf("the caller got %v", err)
		}
		receive(t, "the app's deadline", left)
		if err := receive(t, "the end at the app", ended); err == nil {
			t.Error("the app saw no end")
		}
	})
}

func TestAStatusComesAsTheAppSentIt(t *testing.T) {
	want, err := status.New(codes.DataLoss, "gone: 50 % ünïcödé\n").WithDetails(&testgrpc.SimpleResponse{ServerId: "detail"})
	if err != nil {
		t.Fatal(err)
	}
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		app.unary = func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return nil, want.Err()
		}
		app.output = func(_ *testgrpc.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]) error {
			if err := s.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload(10)}); err != nil {
				return err
			}
			return want.Err()
		}
		c := testgrpc.NewTestServiceClient(conn)
		_, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{})
		sameStatus(t, "headers alone (trailers-only)", err, want)
		s, err := c.StreamingOutputCall(calling(t), sizes())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Errorf("the message before it: %v", err)
		}
		_, err = s.Recv()
		sameStatus(t, "trailers", err, want)
	})
}

func sameStatus(t *testing.T, where string, err error, want *status.Status) {
	t.Helper()
	got := status.Convert(err)
	if got.Code() != want.Code() || got.Message() != want.Message() || len(got.Details()) != 1 {
		t.Errorf("in %s: %v %q %v, want %v %q and a detail", where, got.Code(), got.Message(), got.Details(), want.Code(), want.Message())
	}
}

func TestHealthIsAskedThroughTheSidecar(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		c := healthgrpc.NewHealthClient(conn)
		watch, err := c.Watch(calling(t), &healthgrpc.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []healthgrpc.HealthCheckResponse_ServingStatus{healthgrpc.HealthCheckResponse_SERVING, healthgrpc.HealthCheckResponse_NOT_SERVING} {
			app.health.SetServingStatus("", want)
			if got, err := watch.Recv(); err != nil || got.GetStatus() != want {
				t.Errorf("watched: %v %v, want %v", got, err, want)
			}
			if got, err := c.Check(calling(t), &healthgrpc.HealthCheckRequest{}); err != nil || got.GetStatus() != want {
				t.Errorf("asked: %v %v, want %v", got, err, want)
			}
		}
		if _, err := c.Check(calling(t), &healthgrpc.HealthCheckRequest{Service: "unknown"}); status.Code(err) != codes.NotFound {
			t.Errorf("a service that is not there: %v", err)
		}
	})
}

// What the sidecar answers itself is a gRPC status too.
func TestLocalRepliesAreStatuses(t *testing.T) {
	n := newNetwork(t)
	refusing := n.at(33, 8080)
	docs := append(grpcMeshWithoutRoutes("v1", "v2"),
		grpcRoute("nobody", object{"serviceName": testService}, "v1"),
		grpcRoute("refusing", object{"serviceName": "refused.Service"}, "v2"))
	s := start(t, n, docs, endpoints{"v1.test": {}, "v2.test": {refusing.String()}})
	conn := dialGRPC(t, s.egress)
	for what, test := range map[string]struct {
		method  string
		code    codes.Code
		message string
	}{
		"no healthy upstream": {"/" + testService + "/EmptyCall", codes.Unavailable, "no healthy upstream"},
		"no route":            {"/other.Service/Call", codes.Unimplemented, ""},
	} {
		t.Run(what, func(t *testing.T) {
			err := conn.Invoke(calling(t), test.method, &testgrpc.Empty{}, &testgrpc.Empty{})
			if got := status.Convert(err); got.Code() != test.code || got.Message() != test.message {
				t.Errorf("%v %q, want %v %q", got.Code(), got.Message(), test.code, test.message)
			}
		})
	}
	t.Run("a refused connection", func(t *testing.T) {
		err := conn.Invoke(calling(t), "/refused.Service/Call", &testgrpc.Empty{}, &testgrpc.Empty{})
		if got := status.Convert(err); got.Code() != codes.Unavailable || !bytes.Contains([]byte(got.Message()), []byte("upstream connect error")) {
			t.Errorf("%v %q, want UNAVAILABLE and why", got.Code(), got.Message())
		}
	})
}

// The app's own sidecar answers for an app that is gone.
func TestIngressAnswersForAnAppThatIsGone(t *testing.T) {
	n := newNetwork(t)
	app := newGRPCApp(t, "front", n.at(appHost, 8080))
	s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {netip.AddrPortFrom(app.addr.Addr(), 1).String()}})
	c := testgrpc.NewTestServiceClient(dialGRPC(t, s.ingress))
	if reply, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{}); err != nil || reply.GetServerId() != "front" {
		t.Fatal(reply, err)
	}
	app.stop()
	if _, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("the app is gone: %v", err)
	}
}
