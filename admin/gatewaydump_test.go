package admin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// gatewaySnapshot is a gateway with a route that rewrites and one that keeps the
// Host, to two routes of one virtual service.
func gatewaySnapshot() *mesh.Snapshot {
	at := func(line int) mesh.Origin { return mesh.At(mesh.Position{File: "mesh/gateway.yaml", Line: line}) }
	user := &mesh.Cluster{Name: "cds_egress_my-mesh_user_http_8080", Node: "user", Origin: at(5)}
	gate := &mesh.Cluster{Name: "cds_ingress_my-mesh_edge_self_redirect_http_15001", Node: "edge", Limits: mesh.Limits{MaxConnections: 10}, Origin: at(6)}
	root := "/"
	service := &mesh.VirtualHost{Name: "user.local", Domains: []string{"user.local", "user.local:15001"}, Origin: at(10), Routes: []mesh.Route{
		{Name: "slow", Match: mesh.Match{Prefix: "/slow"}, Targets: []mesh.Target{{Cluster: user, Weight: 1}}, Timeout: mesh.Timeout{Value: time.Minute}, Idle: mesh.Timeout{}, Origin: at(11)},
		{Name: "all", Match: mesh.Match{Prefix: "/"}, Targets: []mesh.Target{{Cluster: user, Weight: 1}}, Timeout: mesh.Timeout{Value: 15 * time.Second}, Idle: mesh.Timeout{Value: time.Minute}, Origin: at(12)},
	}}
	none := &mesh.VirtualHost{Name: "none.local", Domains: []string{"none.local", "none.local:15001"}, Origin: at(13)}
	return &mesh.Snapshot{
		Resource: mesh.Resource{Mesh: "my-mesh", Kind: mesh.VirtualGateway, Name: "edge"}, Version: "v-1",
		Clusters: []*mesh.Cluster{user, gate},
		Inbound: []*mesh.Listener{{Port: 9080, AnyPort: true, Gate: gate, Origin: at(2), VirtualHosts: []mesh.VirtualHost{{
			Name: "self_redirect", Domains: []string{"*"}, Origin: at(1), Routes: []mesh.Route{
				{Name: "x", Match: mesh.Match{Prefix: "/x"}, Rewrite: &mesh.Rewrite{Host: "user.local", Service: "user.local", Prefix: &root}, Service: service, Origin: at(20)},
				{Name: "kept", Match: mesh.Match{Exact: "/kept"}, Rewrite: &mesh.Rewrite{Service: "user.local", Path: "/whole"}, Service: service, Origin: at(21)},
				{Name: "none", Match: mesh.Match{Prefix: "/none/"}, Rewrite: &mesh.Rewrite{Host: "none.local", Service: "none.local"}, Service: none, Origin: at(22)},
			},
		}}}},
	}
}

func TestAGatewayIsDumpedAsTwoPasses(t *testing.T) {
	text, err := json.MarshalIndent(dumpRoutes(gatewaySnapshot(), "now"), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "config_dump_gateway", string(text)+"\n")
}
