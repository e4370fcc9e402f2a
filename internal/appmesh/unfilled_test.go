package appmesh

import (
	"slices"
	"strings"
	"testing"
)

// TestPlaceholdersWithoutQuotes: what a deploy script fills in makes no YAML, or
// no JSON, until it has; --param does the same, and places stay.
func TestPlaceholdersWithoutQuotes(t *testing.T) {
	params := map[string]string{"MESH": "m", "PORT": "80", "Values.host": "h.local", "NODE": "n"}
	const manifest = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualNode\nmetadata: {name: n, namespace: shop}\nspec:\n  awsName: {{ NODE }}\n  meshRef: {name: {{MESH}}}\n" +
		"  listeners: [{portMapping: {port: ${PORT:-8080}, protocol: http}}]\n  serviceDiscovery: {dns: {hostname: {{ .Values.host | quote }}}}\n  nope: 1\n"
	for _, c := range []struct {
		says, document string
		params         map[string]string
		want           string
	}{
		{"a manifest", manifest, params, `case.yaml:9:3 nope: no such field | known`},
		{"nobody fills it in", strings.Replace(manifest, "{{MESH}}", "m", 1), nil,
			`case.yaml:5:12 : {{ NODE }} is a template variable that nobody has filled in | give it with --param 'NODE=VALUE'`},
		{"a request", `{"meshName": {{ MESH }}, "virtualNodeName": "n", "spec": {"listeners": [{"portMapping": {"port": ${PORT}, "protocol": "http"}}], "serviceDiscovery": {"dns": {"hostname": "h"}}, "nope": 1}}`, params,
			`case.yaml:1:178 nope: no such field`},
		{"what steers a template is not done", "meshName: {{ MESH }}\n{{- if .Values.x }}\nspec: {}\n{{- end }}\n", params, `this looks like a template: fill in {{ MESH }} and the like first`},
		{"a fault of another kind stays one", "meshName: {{ MESH }}\nspec: {a: b\n", params, `cannot be read: `},
	} {
		t.Run(c.says, func(t *testing.T) {
			var got []string
			for _, f := range (Checks{Params: c.params}).Parse([]Source{{Name: "case.yaml", Data: []byte(c.document)}}).Check() {
				got = append(got, f.Position.String()+" "+f.Field+": "+f.Message+" | "+f.Hint)
			}
			if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("got %q\nwant %s", got, c.want)
			}
		})
	}
}
