package sidecar

import (
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy"
	"github.com/outrider-mesh/outrider/proxy/filter"
)

// Door is a listener of a gateway with a gate that has no limit.
func Door(port uint16, hosts ...mesh.VirtualHost) *mesh.Listener {
	gate := Cluster("gate", netip.MustParseAddrPort("127.0.0.1:15001"))
	return &mesh.Listener{Direction: mesh.Ingress, Port: port, VirtualHosts: hosts, AnyPort: true, Gate: gate}
}

// Entry is a gateway route for a prefix, to a virtual service whose one route
// goes to the cluster; the virtual service has the cluster's name. rewrite is "/"
// for what App Mesh did by default, with the host rewritten; "" changes nothing.
func Entry(prefix, rewrite string, cluster *mesh.Cluster) mesh.Route {
	r := mesh.Route{
		Name:    "gateway-route",
		Match:   mesh.Match{Prefix: prefix},
		Rewrite: &mesh.Rewrite{Service: cluster.Name},
		Service: &mesh.VirtualHost{Name: cluster.Name, Routes: []mesh.Route{Route(cluster)}},
	}
	if rewrite != "" {
		r.Rewrite.Prefix, r.Rewrite.Host = &rewrite, cluster.Name
	}
	return r
}

// AnyHost is the virtual host that takes every name.
func AnyHost(routes ...mesh.Route) mesh.VirtualHost {
	return mesh.VirtualHost{Name: "self_redirect", Domains: []string{"*"}, Routes: routes}
}

// A Gateway is a running virtual gateway. It listens on its listeners' ports, on
// an address of its own.
type Gateway struct {
	*Sidecar
	host netip.Addr
}

// Addr is where a port of the gateway is.
func (g *Gateway) Addr(port uint16) netip.AddrPort { return netip.AddrPortFrom(g.host, port) }

// StartGateway starts a gateway; it ends with the test.
func StartGateway(t testing.TB, snap *mesh.Snapshot) *Gateway {
	t.Helper()
	return StartGatewayWith(t, snap, filter.Forwarded{})
}

// StartGatewayWith is StartGateway with a setting of x-forwarded-for.
func StartGatewayWith(t testing.TB, snap *mesh.Snapshot, forwarded filter.Forwarded) *Gateway {
	t.Helper()
	g := &Gateway{Sidecar: assemble(t, Settings(), &Names{}), host: ownHost(t)}
	g.State.Forwarded = forwarded
	g.State.Ports = func(snap *mesh.Snapshot) (binds []proxy.Bind) {
		for _, l := range snap.Inbound {
			binds = append(binds, proxy.Bind{Direction: mesh.Ingress, Addr: g.Addr(l.Port), Chain: l.Port})
		}
		return binds
	}
	g.Apply(snap)
	g.Server.Serve()
	return g
}

// hosts counts the addresses given out.
var hosts atomic.Uint32

// ownHost is a loopback address that no other test has, so that ports can be
// those of documents.
func ownHost(t testing.TB) netip.Addr {
	if runtime.GOOS != "linux" {
		t.Skip("this system has one loopback address only: a gateway's ports may be taken")
	}
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, byte(64 + pid>>8&127), byte(pid), byte(1 + hosts.Add(1)%250)})
}
