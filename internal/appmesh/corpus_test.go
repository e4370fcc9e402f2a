package appmesh

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// variable is what the walkthroughs' deploy scripts fill in (with jq, which is
// why it has no quotes).
var variable = regexp.MustCompile(`\$[A-Z_]+`)

// deployed does what a deploy script of the walkthroughs did: it names a
// document that is only a spec, and fills in its variables.
func deployed(t *testing.T, file, names string, fill map[string]string) Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "corpus", file))
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("{"), []byte(`{"meshName": "walk", `+names+`, `), 1)
	data = variable.ReplaceAllFunc(data, func(name []byte) []byte {
		return []byte(`"` + fill[string(name)] + `"`)
	})
	return Source{Name: file, Data: data}
}

// TestCircuitBreakers is the walkthrough's mesh after all its updates, as the
// white node's sidecar and as a caller's.
func TestCircuitBreakers(t *testing.T) {
	sources := []Source{
		{Name: "mesh.json", Data: []byte(`{"meshName": "walk", "spec": {}}`)},
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-white-vn-update.json", `"virtualNodeName": "colorteller-white-vn"`, map[string]string{"$DNS_HOSTNAME": "white.walk.local"}),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-black-vn-update.json", `"virtualNodeName": "colorteller-black-vn"`, map[string]string{"$DNS_HOSTNAME": "black.walk.local"}),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-vr-1.json", `"virtualRouterName": "colorteller-vr-1"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-vr-2.json", `"virtualRouterName": "colorteller-vr-2"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-route-1.json", `"virtualRouterName": "colorteller-vr-1", "routeName": "route-1"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-route-2.json", `"virtualRouterName": "colorteller-vr-2", "routeName": "route-2"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-vs-1.json", `"virtualServiceName": "colorteller-1.walk.local"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorteller-vs-2.json", `"virtualServiceName": "colorteller-2.walk.local"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorgateway-vg-update.json", `"virtualGatewayName": "colorgateway-vg"`, nil),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorgateway-route-1.json", `"virtualGatewayName": "colorgateway-vg", "gatewayRouteName": "route-1"`, map[string]string{"$VIRTUALSERVICE_NAME": "colorteller-1.walk.local"}),
		deployed(t, "walkthroughs/howto-circuit-breakers/mesh/colorgateway-route-2.json", `"virtualGatewayName": "colorgateway-vg", "gatewayRouteName": "route-2"`, map[string]string{"$VIRTUALSERVICE_NAME": "colorteller-2.walk.local"}),
	}
	d := Parse(sources)
	noErrors(t, d.Check())
	s, findings := d.Compile(mesh.Resource{Mesh: "walk", Name: "colorteller-white-vn"}, Options{})
	if s == nil {
		t.Fatal(findings)
	}
	if got := cluster(t, s, "cds_ingress_walk_colorteller-white-vn_http_9080").Limits; got.MaxConnections != 10 || got.MaxPendingRequests != 5 {
		t.Errorf("limits %+v", got)
	}
	s, findings = d.Compile(mesh.Resource{Mesh: "walk", Name: "colorteller-black-vn"}, Options{})
	if s == nil || s.Inbound[0].Refuse != "" || s.Inbound[0].Protocol != mesh.HTTP2 {
		t.Errorf("an http2 node is served: %+v %v", s, findings)
	}
}

// TestTLSWalkthroughs: STRICT nodes are compiled and never served.
func TestTLSWalkthroughs(t *testing.T) {
	for file, fill := range map[string]map[string]string{
		"walkthroughs/howto-ingress-gateway/mesh/colorteller-white-vn-tls.json":                          {"$DNS_HOSTNAME": "white.local", "$CERTIFICATE_ARN": "arn:aws:acm:us-west-2:1:certificate/a"},
		"walkthroughs/howto-mutual-tls-file-provided/mesh/updates/colorteller-vn-strict-tls.json":        {"$SERVICES_DOMAIN": "walk.local"},
		"walkthroughs/howto-mutual-tls-file-provided/mesh/updates/colorteller-vn-strict-validation.json": {"$SERVICES_DOMAIN": "walk.local", "$GATEWAY_SAN": "gateway.walk.local"},
	} {
		d := Parse([]Source{{Name: "mesh.json", Data: []byte(`{"meshName": "walk"}`)}, deployed(t, file, `"virtualNodeName": "n"`, fill)})
		noErrors(t, d.Check())
		s, findings := d.Compile(mesh.Resource{Mesh: "walk", Name: "n"}, Options{})
		if s == nil || s.Inbound[0].Refuse == "" || s.Inbound[0].TLS.Mode != mesh.TLSStrict {
			t.Errorf("%s: %+v %v", file, s, findings)
		}
	}
}

// TestCorpusReads: every document of the corpus is read, or refused for what
// it is. None is called broken, and none has a field we do not know.
func TestCorpusReads(t *testing.T) {
	err := filepath.WalkDir(filepath.Join("..", "..", "test", "corpus"), func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".json", ".yaml", ".template", ".tfstate"}, filepath.Ext(name)) {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, f := range Parse([]Source{{Name: name, Data: data}}).Check() {
			broken := strings.Contains(f.Message, "cannot be read") || strings.Contains(f.Message, "no such field") || strings.Contains(f.Message, "not an App Mesh")
			if broken || f.Message == "" {
				t.Errorf("%s: %s %s %s", f.Position, f.Resource, f.Field, f.Message)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func deployedPlain(t *testing.T, file string) Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "corpus", file))
	if err != nil {
		t.Fatal(err)
	}
	return Source{Name: file, Data: data}
}

func noErrors(t *testing.T, fs []mesh.Finding) {
	t.Helper()
	for _, f := range fs {
		if f.Severity == mesh.Error {
			t.Errorf("%s: %s %s %q: %s", f.Position, f.Resource, f.Field, f.Value, f.Message)
		}
	}
}
