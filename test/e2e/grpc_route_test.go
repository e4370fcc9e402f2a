//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

func TestGRPCRoutes(t *testing.T) {
	n := newNetwork(t)
	ends := endpoints{}
	apps := map[string]*grpcApp{}
	for i, name := range []string{"v1", "v2", "v3", "v4"} {
		apps[name] = newGRPCApp(t, name, n.at(byte(31+i), 8080))
		ends[name+".test"] = []string{apps[name].addr.String()}
	}
	apps["v4"].health.SetServingStatus("", healthgrpc.HealthCheckResponse_NOT_SERVING)
	metadata := func(name string, match object) []object { return []object{{"name": name, "match": match}} }
	prior := grpcRoute("metadata", object{"serviceName": testService, "metadata": metadata("x-team", object{"prefix": "blue-"})}, "v3")
	with(prior, 1, "spec", "priority")
	s := start(t, n, append(grpcMeshWithoutRoutes("v1", "v2", "v3", "v4"), prior,
		grpcRoute("service", object{"serviceName": testService}, "v1"),
		grpcRoute("method", object{"serviceName": testService, "methodName": "FullDuplexCall"}, "v2"),
		grpcRoute("health", object{"serviceName": "grpc.health.v1.Health"}, "v4")), ends)
	conn := dialGRPC(t, s.egress)
	c := testgrpc.NewTestServiceClient(conn)

	for what, test := range map[string]struct {
		metadata []string
		want     string
	}{
		"by service":                      {nil, "v1"},
		"by metadata":                     {[]string{"x-team", "blue-42"}, "v3"},
		"by metadata that does not match": {[]string{"x-team", "green"}, "v1"},
	} {
		if reply, err := c.UnaryCall(calling(t, test.metadata...), &testgrpc.SimpleRequest{}); err != nil || reply.GetServerId() != test.want {
			t.Errorf("%s: %q %v, want %s", what, reply.GetServerId(), err, test.want)
		}
	}
	if err := pingPong(calling(t), c, 2); err != nil {
		t.Error(err)
	}
	if apps["v2"].served.Load() != 1 {
		t.Error("the method's own route was not taken")
	}
	if got, err := healthgrpc.NewHealthClient(conn).Check(calling(t), &healthgrpc.HealthCheckRequest{}); err != nil || got.GetStatus() != healthgrpc.HealthCheckResponse_NOT_SERVING {
		t.Errorf("another service: %v %v", got, err)
	}
	if err := conn.Invoke(calling(t), "/other.Service/Call", &testgrpc.Empty{}, &testgrpc.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a service without a route: %v", err)
	}
	// A gRPC route takes gRPC alone.
	want(t, plain(t, s.egress), svc+"/"+testService+"/UnaryCall", 404, "")
}

// The document of the App Mesh examples: every method of color.ColorService, retried when it says INTERNAL.
func TestTheExamplesGRPCRoute(t *testing.T) {
	text, err := os.ReadFile("../corpus/walkthroughs/howto-grpc/mesh/route-retries.json")
	if err != nil {
		t.Fatal(err)
	}
	var route object
	if err := json.Unmarshal(text, &route); err != nil {
		t.Fatal(err)
	}
	route["meshName"], route["virtualRouterName"] = "m", "router"
	n := newNetwork(t)
	var calls atomic.Int64
	color := newGRPCApp(t, "color", n.at(31, 8080), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		if err := s.RecvMsg(&testgrpc.Empty{}); err != nil {
			return err
		}
		if calls.Add(1) < 3 {
			return status.Error(codes.Internal, "not now")
		}
		return s.SendMsg(&testgrpc.Empty{})
	}))
	s := start(t, n, append(grpcMeshWithoutRoutes("color_server"), route), endpoints{"color_server.test": {color.addr.String()}})
	if err := dialGRPC(t, s.egress).Invoke(calling(t), "/color.ColorService/GetColor", &testgrpc.Empty{}, &testgrpc.Empty{}); err != nil {
		t.Error(err)
	}
	if got := calls.Load(); got != 3 {
		t.Errorf("%d attempts, want 3", got)
	}
}

func TestGRPCRetryEvents(t *testing.T) {
	for event, code := range map[string]codes.Code{"unavailable": codes.Unavailable, "cancelled": codes.Canceled, "deadline-exceeded": codes.DeadlineExceeded,
		"internal": codes.Internal, "resource-exhausted": codes.ResourceExhausted} {
		t.Run(event, func(t *testing.T) {
			n := newNetwork(t)
			app := newGRPCApp(t, "v1", n.at(31, 8080))
			var failures atomic.Int64
			failing := code
			app.unary = func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
				if failures.Add(-1) >= 0 {
					return nil, status.Error(failing, "once")
				}
				return &testgrpc.SimpleResponse{ServerId: "v1"}, nil
			}
			route := with(grpcRoute("all", object{}, "v1"), object{"maxRetries": 2, "perRetryTimeout": object{"value": 5, "unit": "s"},
				"grpcRetryEvents": []string{event}}, "spec", "grpcRoute", "retryPolicy")
			s := start(t, n, append(grpcMeshWithoutRoutes("v1"), route), endpoints{"v1.test": {app.addr.String()}})
			c := testgrpc.NewTestServiceClient(dialGRPC(t, s.egress))
			failures.Store(1)
			if reply, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{}); err != nil || reply.GetServerId() != "v1" {
				t.Errorf("%v %v", reply, err)
			}
			if calls, retries, helped := app.served.Load(), s.stat("v1_grpc_8080.upstream_rq_retry"), s.stat("v1_grpc_8080.upstream_rq_retry_success"); calls != 2 || retries != 1 || helped != 1 {
				t.Errorf("%d attempts, counted %d retries, %d successful", calls, retries, helped)
			}
			// Another status is nobody's business but the caller's.
			failing = codes.NotFound
			failures.Store(1)
			if _, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{}); status.Code(err) != codes.NotFound || app.served.Load() != 3 {
				t.Errorf("NOT_FOUND: %v after %d attempts in all", err, app.served.Load())
			}
		})
	}
}

func TestCallsAreCountedByServiceAndMethod(t *testing.T) {
	n := newNetwork(t)
	app := newGRPCApp(t, "v1", n.at(31, 8080))
	app.unary = func(_ context.Context, in *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		if in.GetResponseSize() == 1 {
			return nil, status.Error(codes.FailedPrecondition, "no")
		}
		return &testgrpc.SimpleResponse{}, nil
	}
	s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {app.addr.String()}})
	c := testgrpc.NewTestServiceClient(dialGRPC(t, s.egress))
	for i := range 5 {
		_, _ = c.UnaryCall(calling(t), &testgrpc.SimpleRequest{ResponseSize: int32(i % 2)}) // the counters tell: 3 succeed, 2 fail
	}
	if err := pingPong(calling(t), c, 2); err != nil {
		t.Error(err)
	}
	const cluster = "cluster.cds_egress_m_v1_grpc_8080.grpc." + testService
	for name, want := range map[string]int{
		cluster + ".UnaryCall.success":      3,
		cluster + ".UnaryCall.failure":      2,
		cluster + ".UnaryCall.total":        5,
		cluster + ".FullDuplexCall.success": 1,
		cluster + ".FullDuplexCall.failure": 0,
		cluster + ".FullDuplexCall.total":   1,
	} {
		s.await(name, func() bool { return s.stat(name) >= want })
		if got := s.stat(name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
}
