//go:build linux

package interop

import (
	"net"
	"net/netip"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// service is the authority by which the egress port finds the app.
const service = "svc.local:8080"

// A way leads from a client to a gRPC server on app:8080. It is laid by a function that says where it begins.

func direct(_ *testing.T, app netip.Addr) netip.AddrPort { return netip.AddrPortFrom(app, 8080) }

func throughIngress(t *testing.T, app netip.Addr) netip.AddrPort {
	return start(t, "app", "grpc", netip.AddrPortFrom(app, 1), app).ingress
}

func throughEgress(t *testing.T, app netip.Addr) netip.AddrPort {
	return start(t, "front", "grpc", netip.AddrPortFrom(app, 8080), app).egress
}

func throughBoth(t *testing.T, app netip.Addr) netip.AddrPort {
	return start(t, "front", "grpc", throughIngress(t, app), app).egress
}

// serve runs a gRPC server on port 8080 of an address of its own; it ends with the test.
func serve(t *testing.T, register func(*grpc.Server)) netip.Addr {
	t.Helper()
	at := network(t)
	listener, err := net.Listen("tcp", netip.AddrPortFrom(at, 8080).String())
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // it ends by Stop
		close(ended)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return at
}

// connect is a channel to the beginning of a way.
func connect(to netip.AddrPort) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+to.String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(service))
}
