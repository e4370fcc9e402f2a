//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// shellVariable is what the walkthroughs' deploy scripts fill in with jq, which is why it has no quotes.
var shellVariable = regexp.MustCompile(`\$[A-Z_]+`)

// example reads a document of the walkthrough "match and rewrite at the ingress", named as its deploy script did.
func example(t *testing.T, file string, names object, variable string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../corpus/walkthroughs/howto-match-and-rewrite-at-ingress/mesh", file))
	if err != nil {
		t.Fatal(err)
	}
	d := object{}
	if err := json.Unmarshal(shellVariable.ReplaceAll(text, []byte(`"`+variable+`"`)), &d); err != nil {
		t.Fatal(err)
	}
	d["meshName"] = "m"
	for name, value := range names {
		d[name] = value
	}
	return d
}

// The walkthrough's stages, as its README has them tried out with curl.
func TestTheExamplesGateway(t *testing.T) {
	needCurl(t)
	for _, stage := range []struct {
		says, gatewayRoute, route string
		asks                      map[string]string // by URL and curl's arguments
	}{
		{"at first", "colorgateway-route-1.json", "colorteller-route-1.json", map[string]string{
			"any.test/red/tell": "red GET /tell", "any.test/yellow/tell": "yellow GET /tell", "any.test/red": "404", "any.test/blue/tell": "404"}},
		{"the hostname counts", "colorgateway-route-updated-hostname-match.json", "colorteller-route-1.json", map[string]string{
			"www.example.com/red/tell": "red GET /tell", "any.test/red/tell": "404", "any.test/yellow/tell": "yellow GET /tell", "www.example.com/yellow/tell": "404"}},
		{"the rewrite is disabled", "colorgateway-route-updated-disabled_rewrite.json", "colorteller-route-updated-rewrite.json", map[string]string{
			"any.test/red/tell": "red GET /red/tell", "any.test/red": "404"}},
		{"another prefix and a query parameter", "colorgateway-route-updated-rewrite.json", "colorteller-route-updated-rewrite.json", map[string]string{
			"any.test/maroon/tell?fishes=nemo": "red GET /red/tell?fishes=nemo", "any.test/maroon/tell": "404", "any.test/red/tell": "404"}},
	} {
		t.Run(stage.says, func(t *testing.T) {
			n, door := newNetwork(t), newDoor(t)
			docs := documents{
				example(t, "mesh.json", nil, ""),
				with(example(t, "colorgateway-vg.json", object{"virtualGatewayName": "edge"}, ""), []object{{"portMapping": object{"port": door, "protocol": "http"}}}, "spec", "listeners"),
				example(t, stage.gatewayRoute, object{"virtualGatewayName": "edge", "gatewayRouteName": "1"}, "red.m.local"),
				example(t, "colorgateway-route-2.json", object{"virtualGatewayName": "edge", "gatewayRouteName": "2"}, "yellow.m.local"),
				example(t, "colorteller-vs-1.json", object{"virtualServiceName": "red.m.local"}, ""),
				example(t, "colorteller-vs-2.json", object{"virtualServiceName": "yellow.m.local"}, ""),
				example(t, "colorteller-vr-1.json", object{"virtualRouterName": "colorteller-vr-1"}, ""),
				example(t, "colorteller-vr-2.json", object{"virtualRouterName": "colorteller-vr-2"}, ""),
				example(t, stage.route, object{"virtualRouterName": "colorteller-vr-1", "routeName": "1"}, ""),
				example(t, "colorteller-route-2.json", object{"virtualRouterName": "colorteller-vr-2", "routeName": "2"}, ""),
				example(t, "colorteller-red-vn.json", object{"virtualNodeName": "colorteller-red-vn"}, "red.test"),
				example(t, "colorteller-yellow-vn.json", object{"virtualNodeName": "colorteller-yellow-vn"}, "yellow.test"),
			}
			startGateway(t, n, docs, mirrors(t, n, "red", "yellow"))
			for url, want := range stage.asks {
				if r := curl(t, n.at(sidecarHost, door), "http://"+url); r.short() != want {
					t.Errorf("%s: %q, want %q", url, r.short(), want)
				}
			}
		})
	}
}
