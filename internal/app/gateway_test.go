package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// gatewayTown is the documents of a gateway "edge" with a listener on each port,
// of which route x takes the first to svc-v1.
func gatewayTown(preference string, ports ...uint16) string {
	var listeners []string
	for _, port := range ports {
		listeners = append(listeners, fmt.Sprintf(`{"portMapping": {"port": %d, "protocol": "http"}, "connectionPool": {"http": {"maxConnections": 100}}}`, port))
	}
	return fmt.Sprintf(`[
  {"meshName": "m", "spec": {%s}},
  {"meshName": "m", "virtualGatewayName": "edge", "spec": {"listeners": [%s]}},
  {"meshName": "m", "virtualGatewayName": "edge", "gatewayRouteName": "x", "spec": {"httpRoute": {
    "match": {"prefix": "/x", "port": %d}, "action": {"target": {"virtualService": {"virtualServiceName": "svc.local"}}}}}},
  {"meshName": "m", "virtualServiceName": "svc.local", "spec": {"provider": {"virtualNode": {"virtualNodeName": "svc-v1"}}}},
  {"meshName": "m", "virtualNodeName": "svc-v1", "spec": {
    "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
    "serviceDiscovery": {"dns": {"hostname": "svc-v1.test", "responseType": "ENDPOINTS"}}}}
]`, preference, strings.Join(listeners, ","), ports[0])
}

func TestAGatewayLivesOnItsOwnPorts(t *testing.T) {
	before := testkit.Descriptors(t)
	one, two := free(t), free(t)
	l := beginWith(t, gatewayTown("", one.Port()), "--node", "mesh/m/virtualGateway/edge", "--drain-time", "0s")
	if got := testkit.Get(t, one, "edge.test:80", "/x/y"); got.Body != "v1" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	for _, want := range []string{"LIVE", "--ingress-addr: not used: nothing is redirected to a virtual gateway", "gateway route self_redirect x",
		"host to svc.local, prefix to /", "route svc.local", "at most 100 connections"} {
		l.says(want)
	}
	for _, addr := range []netip.AddrPort{l.ingress, l.egress} {
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Errorf("%s is open", addr)
		}
	}
	if got, want := l.ask("GET", "/listeners"), fmt.Sprintf("lds_ingress_0.0.0.0_%d::0.0.0.0:%[1]d", one.Port()); got != want {
		t.Errorf("listeners %q, want %q", got, want)
	}

	// A port that is taken rejects the change; once it is free the change is good.
	taken, err := net.Listen("tcp4", netip.AddrPortFrom(netip.IPv4Unspecified(), two.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	write(t, l.dir, "mesh.json", gatewayTown("", two.Port(), one.Port()))
	l.says("give the gateway's listener (or --admin-addr) another one")
	if got := testkit.Get(t, one, "edge.test", "/x"); got.Body != "v1" {
		t.Errorf("after a bad change: %d %q", got.Status, got.Body)
	}
	taken.Close()
	write(t, l.dir, "mesh.json", gatewayTown(`"serviceDiscovery": {"ipPreference": "IPv4_PREFERRED"}`, two.Port()))
	testkit.Eventually(t, "the change in force", func() bool { return strings.Contains(l.ask("GET", "/listeners"), fmt.Sprint(two.Port())) })
	if got := testkit.Get(t, two, "edge.test", "/x"); got.Body != "v1" {
		t.Errorf("the new port: %d %q", got.Status, got.Body)
	}
	closed := func(addr netip.AddrPort) bool {
		c, err := net.Dial("tcp", addr.String())
		if err == nil {
			c.Close()
		}
		return err != nil
	}
	if stats := l.ask("GET", "/stats?filter=listener_create"); !strings.Contains(stats, "listener_create_failure: 1") ||
		!strings.Contains(stats, "listener_create_success: ") || strings.Contains(stats, "listener_create_success: 1\n") {
		t.Errorf("stats: %s", stats)
	}
	testkit.Eventually(t, "the old port closed", func() bool { return closed(one) })
	l.ask("POST", "/drain_listeners?inboundonly")
	testkit.Eventually(t, "the port closed", func() bool { return closed(two) && l.ask("GET", "/listeners") == "" })
	l.end()
	if code := l.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
	testkit.NoMoreDescriptors(t, before+2) // the two apps of the test
}

func TestAGatewaysListenerCannotHaveTheAdminPort(t *testing.T) {
	port := free(t)
	docs := write(t, t.TempDir(), "mesh.json", gatewayTown("", port.Port()))
	code, _, stderr := outrider(t, "run", "--node", "mesh/m/virtualGateway/edge", "--mesh", docs, "--admin-addr", port.String())
	if code != ExitEnvironment || !strings.Contains(stderr, "the gateway has the port itself, for its admin page and a listener") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestGatewaysBindAllAddressesOfThePreference(t *testing.T) {
	s := &sidecar{cfg: &config.Run{Resource: config.Resource{Name: config.Value[mesh.Resource]{V: mesh.Resource{Kind: mesh.VirtualGateway}}}}}
	snap := &mesh.Snapshot{Inbound: []*mesh.Listener{{Port: 8080}, {Port: 8443}}}
	for preference, want := range map[mesh.IPPreference]string{
		mesh.AnyFamily:     "0.0.0.0:8080 0.0.0.0:8443",
		mesh.IPv4Only:      "0.0.0.0:8080 [::]:8080? 0.0.0.0:8443 [::]:8443?",
		mesh.IPv6Preferred: "0.0.0.0:8080 [::]:8080? 0.0.0.0:8443 [::]:8443?",
	} {
		snap.Preference = preference
		var got []string
		for _, b := range s.binds(snap) {
			text := b.Addr.String()
			if b.Optional {
				text += "?"
			}
			if b.Chain != b.Addr.Port() || b.Direction != mesh.Ingress {
				t.Errorf("%+v", b)
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", preference, got, want)
		}
	}
	for errno, want := range map[syscall.Errno]string{syscall.EACCES: "from 1024 on", syscall.EADDRINUSE: "another one", syscall.EADDRNOTAVAIL: "no such address"} {
		if err := s.explainBind(fmt.Errorf("listening on x: %w", errno)); !strings.Contains(err.Error(), want) || !errors.Is(err, errno) {
			t.Errorf("%v", err)
		}
	}
}
