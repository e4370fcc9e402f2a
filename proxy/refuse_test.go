package proxy_test

import (
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

func TestARouteThatIsRefusedLeavesOthersTheirCluster(t *testing.T) {
	app := testkit.NewApp(t, testkit.Text("hello"))
	shared := sidecar.Cluster("shared", app.Addr)
	open, refused := sidecar.Route(shared), sidecar.Route(shared)
	refused.Refuse = "the client policy enforces TLS"
	s := sidecar.Start(t, sidecar.Mesh(sidecar.Backend("open.local", 8080, open), sidecar.Backend("refused.local", 8081, refused)))
	if got := testkit.Get(t, s.Egress, "refused.local", "/"); got.Status != 503 || !strings.Contains(got.Body, "cluster shared is not served: the client policy enforces TLS") {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if r := s.Records.Next(t); r.Flags != "UF" || r.Details != "cluster_refused" {
		t.Errorf("record %+v", r)
	}
	if app.Calls() != 0 {
		t.Error("it left in plaintext")
	}
	if got := testkit.Get(t, s.Egress, "open.local", "/"); got.Status != 200 || got.Body != "hello" {
		t.Errorf("the other backend of the cluster: got %d %q", got.Status, got.Body)
	}
}
