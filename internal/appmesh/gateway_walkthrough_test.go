package appmesh

import (
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// gatewayWalk is a gateway of App Mesh's examples with what its deploy script
// said beside the files: a gateway of two routes to two services.
func gatewayWalk(t *testing.T, dir string, routes ...Source) *mesh.Snapshot {
	t.Helper()
	sources := []Source{
		{Name: "mesh.json", Data: []byte(`{"meshName": "walk", "spec": {}}`)},
		deployed(t, dir+"/colorteller-vr-1.json", `"virtualRouterName": "colorteller-vr-1"`, nil),
		deployed(t, dir+"/colorteller-vr-2.json", `"virtualRouterName": "colorteller-vr-2"`, nil),
		deployed(t, dir+"/colorteller-vs-1.json", `"virtualServiceName": "colorteller-1.walk.local"`, nil),
		deployed(t, dir+"/colorteller-vs-2.json", `"virtualServiceName": "colorteller-2.walk.local"`, nil),
	}
	for _, route := range []string{"1", "2"} {
		sources = append(sources, deployed(t, dir+"/colorteller-route-"+route+".json", `"virtualRouterName": "colorteller-vr-`+route+`", "routeName": "route-`+route+`"`, nil))
	}
	d := Parse(append(sources, routes...))
	noErrors(t, d.Check())
	return compiled(t, d, "mesh/walk/virtualGateway/colorgateway-vg")
}

func walkDoor(t *testing.T, file, name string) Source {
	return deployed(t, file, `"virtualGatewayName": "colorgateway-vg", "gatewayRouteName": "`+name+`"`, map[string]string{"$VIRTUALSERVICE_NAME": "colorteller-" + name[len(name)-1:] + ".walk.local"})
}

func walkNode(t *testing.T, dir, color, more string) Source {
	return deployed(t, dir+"/colorteller-"+color+"-vn"+more+".json", `"virtualNodeName": "colorteller-`+color+`-vn"`, map[string]string{"$DNS_HOSTNAME": color + ".walk.local", "$CERTIFICATE_ARN": "arn:aws:acm:us-west-2:1:certificate/" + color})
}

func walkGateway(t *testing.T, file string) Source {
	return deployed(t, file, `"virtualGatewayName": "colorgateway-vg"`, map[string]string{"$CERTIFICATE_ARN": "arn:aws:acm:us-west-2:1:certificate/a", "$ROOT_CA_ARN": "arn:aws:acm-pca:us-west-2:1:certificate-authority/a"})
}

// TestIngressGatewayWalkthrough: a STRICT gateway is compiled and refused, and
// so is, once backendDefaults enforce TLS, what it would send.
func TestIngressGatewayWalkthrough(t *testing.T) {
	const dir = "walkthroughs/howto-ingress-gateway/mesh"
	shared := []Source{walkDoor(t, dir+"/colorgateway-route-1.json", "route-1"), walkDoor(t, dir+"/colorgateway-route-2.json", "route-2")}
	for _, color := range []string{"white", "black", "blue", "red"} {
		shared = append(shared, walkNode(t, dir, color, ""))
	}
	s := gatewayWalk(t, dir, append(shared, walkGateway(t, dir+"/colorgateway-vg.json"))...)
	sameLines(t, table(s),
		"9080 *: prefix /color1/ -> colorteller-1.walk.local, host to colorteller-1.walk.local, prefix to /",
		"9080 *: prefix /color2/ -> colorteller-2.walk.local, host to colorteller-2.walk.local, prefix to /",
		"9080 *: prefix /color1 -> colorteller-1.walk.local, host to colorteller-1.walk.local, prefix to /",
		"9080 *: prefix /color2 -> colorteller-2.walk.local, host to colorteller-2.walk.local, prefix to /")
	inner := s.Inbound[0].VirtualHosts[0].Routes[0].Service.Routes[0]
	if s.Inbound[0].Refuse == "" || s.Inbound[0].TLS.Mode != mesh.TLSStrict || inner.Refuse != "" || len(inner.Targets) == 0 {
		t.Errorf("got %+v", s.Inbound[0])
	}
	s = gatewayWalk(t, dir, append(shared, walkGateway(t, dir+"/colorgateway-vg-backendDefaults.json"))...)
	if inner := s.Inbound[0].VirtualHosts[0].Routes[0].Service.Routes[0]; inner.Refuse == "" || !inner.Targets[0].Cluster.TLS.Enforce {
		t.Errorf("got %+v", inner)
	}
}

// TestMatchAndRewriteWalkthrough: each update of its first route.
func TestMatchAndRewriteWalkthrough(t *testing.T) {
	const dir = "walkthroughs/howto-match-and-rewrite-at-ingress/mesh"
	const second = "9080 *: prefix /yellow/ -> colorteller-2.walk.local, host to colorteller-2.walk.local, prefix to /"
	const third = "9080 *: prefix /yellow -> colorteller-2.walk.local, host to colorteller-2.walk.local, prefix to /"
	const first = " -> colorteller-1.walk.local, host to colorteller-1.walk.local"
	for file, want := range map[string][]string{
		"colorgateway-route-1.json":                        {second, third, "9080 *: prefix /red/" + first + ", prefix to /", "9080 *: prefix /red" + first + ", prefix to /"},
		"colorgateway-route-updated-disabled_rewrite.json": {second, third, "9080 *: prefix /red/" + first + ", prefix to /red/"},
		"colorgateway-route-updated-hostname-match.json": {second, third, "9080 www.example.com: prefix /red/" + first + ", prefix to /",
			"9080 www.example.com: prefix /red" + first + ", prefix to /"},
		"colorgateway-route-updated-rewrite.json": {`9080 *: prefix /maroon/, query parameter fishes is "nemo"` + first + ", prefix to /red/", second, third},
	} {
		t.Run(file, func(t *testing.T) {
			s := gatewayWalk(t, dir, walkGateway(t, dir+"/colorgateway-vg.json"), walkNode(t, dir, "red", ""), walkNode(t, dir, "yellow", ""),
				walkDoor(t, dir+"/"+file, "route-1"), walkDoor(t, dir+"/colorgateway-route-2.json", "route-2"))
			sameLines(t, table(s), want...)
		})
	}
}

// TestCircuitBreakersGateway: the gateway's pool is that of its gate.
func TestCircuitBreakersGateway(t *testing.T) {
	const dir = "walkthroughs/howto-circuit-breakers/mesh"
	for file, want := range map[string]mesh.Limits{"/colorgateway-vg.json": {}, "/colorgateway-vg-update.json": {MaxConnections: 100, MaxPendingRequests: 10000}} {
		s := gatewayWalk(t, dir, walkGateway(t, dir+file), walkNode(t, dir, "white", "-update"), walkNode(t, dir, "black", "-update"),
			walkDoor(t, dir+"/colorgateway-route-1.json", "route-1"), walkDoor(t, dir+"/colorgateway-route-2.json", "route-2"))
		if got := cluster(t, s, "cds_ingress_walk_colorgateway-vg_self_redirect_http_15001").Limits; got != want {
			t.Errorf("%s: got %+v", file, got)
		}
		for _, c := range s.Clusters {
			if c.Discovery.Kind == mesh.LogicalDNS && c.Limits != (mesh.Limits{}) {
				t.Errorf("%s: a caller's limits are the server's: %+v", file, c)
			}
		}
	}
}

// TestGRPCIngressWalkthrough is a manifest's gateway of gRPC.
func TestGRPCIngressWalkthrough(t *testing.T) {
	source := deployedPlain(t, "walkthroughs/howto-k8s-grpc-ingress-v2/v1beta2/manifest.yaml.template")
	d := Checks{Params: map[string]string{"APP_NAMESPACE": "grpc", "MESH_NAME": "walk", "SERVER_APP_IMAGE": "greeter"}}.Parse([]Source{source})
	noErrors(t, d.Check())
	s := compiled(t, d, "mesh/walk/virtualGateway/ingress-gw_grpc")
	sameLines(t, table(s), "9111 *: prefix /Hello/, gRPC -> greeter.grpc.svc.cluster.local, host to greeter.grpc.svc.cluster.local")
	if got := planTargets(s.Inbound[0].VirtualHosts[0].Routes[0].Service.Routes[0].Targets); got != "cds_egress_walk_greeter_grpc_grpc_9111*1" {
		t.Errorf("got %s", got)
	}
}
