package proxy_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// emptyCalls counts calls and answers them at once.
type emptyCalls struct {
	testgrpc.UnimplementedTestServiceServer
	calls atomic.Int64
}

func (e *emptyCalls) EmptyCall(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	e.calls.Add(1)
	return &testgrpc.Empty{}, nil
}

// Calls that begin together, to a server that takes few at once and knows no
// connection of ours yet: none is refused.
func TestABurstOfGRPCCallsLosesNone(t *testing.T) {
	for _, most := range []uint32{1, 10, 20, 1000} {
		app, calls := grpc.NewServer(grpc.MaxConcurrentStreams(most)), &emptyCalls{}
		testgrpc.RegisterTestServiceServer(app, calls)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go app.Serve(l)
		t.Cleanup(app.Stop)
		route := sidecar.Route(webCluster(2, l.Addr().(*net.TCPAddr).AddrPort()))
		route.Retry = nil
		s := start(t, route)
		cc, err := grpc.NewClient(s.Egress.String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("svc"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cc.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
		defer cancel()
		client := testgrpc.NewTestServiceClient(cc)
		const burst = 400
		var callers sync.WaitGroup
		for range burst {
			callers.Go(func() {
				if _, err := client.EmptyCall(ctx, &testgrpc.Empty{}); err != nil {
					t.Errorf("%d streams at once: %v", most, err)
				}
			})
		}
		callers.Wait()
		if n := calls.calls.Load(); n != burst {
			t.Errorf("%d streams at once: the app saw %d of %d calls", most, n, burst)
		}
		t.Logf("%d streams at once: %d connections, %d sent again", most, s.Count("cluster.c.upstream_cx_total"), s.Count("cluster.c.upstream_rq_stale_replay"))
		if n := s.Count("cluster.c.upstream_cx_total"); n > (burst+uint64(most)-1)/uint64(most) {
			t.Errorf("%d streams at once: %d connections for %d calls", most, n, burst)
		}
	}
}
