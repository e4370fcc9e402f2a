package appmesh

import (
	"slices"
	"strings"
	"testing"
)

// stackExport wraps resources, each `TYPE {...}` on a line, as a stack's export.
func stackExport(lines string) string {
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, `{"urn": "urn:pulumi:prod::p::aws:appmesh/`+kind+`::x", "type": "aws:appmesh/`+kind+`", `+rest+`}`)
	}
	return `{"version": 3, "deployment": {"manifest": {}, "resources": [{"urn": "u", "type": "pulumi:pulumi:Stack"}, {"urn": "v", "type": "pulumi:providers:aws", "inputs": {"region": "r"}}, ` + strings.Join(all, ", ") + `]}}`
}

func TestPulumiFindings(t *testing.T) {
	const secret = `{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", `
	node := func(spec string) string {
		return stackExport(`virtualNode:VirtualNode "outputs": {"name": "n", "meshName": "m", "spec": ` + spec + `}`)
	}
	for _, c := range []struct{ says, document, want string }{
		{"outputs are read before inputs", stackExport(`mesh:Mesh "inputs": {"name": "i", "spec": {"nope": 1}}, "outputs": {"name": "o", "spec": {}}`), ``},
		{"inputs are read where there are no outputs", stackExport(`mesh:Mesh "inputs": {"__defaults": [], "name": "i", "spec": {"__defaults": ["a"], "nope": 1}}, "outputs": {}`),
			`error: mesh "i": nope: no such field | known here: egressFilter, serviceDiscovery`},
		{"a left-over is passed over", stackExport(`mesh:Mesh "delete": true, "outputs": {"name": "o", "spec": {"nope": 1}}`), ``},
		{"a resource that is only looked at counts alone", stackExport(`virtualNode:VirtualNode "external": true, "outputs": {"name": "n", "meshName": "m", "spec": {"nope": 1}}` + "\n" + `virtualNode:VirtualNode "outputs": {"name": "n", "meshName": "m", "spec": {}}`), ``},
		{"a type to come", stackExport(`virtualNod:VirtualNod "outputs": {}`), `error: aws:appmesh/virtualNod:VirtualNod is no type of resource | did you mean "VirtualNode"?`},
		{"older packages had one listener, and objects in the pool", node(`{"listener": {"portMapping": {"port": 1, "protocol": "http2"}, "connectionPool": {"http2": {"maxRequests": 0}}}, "serviceDiscovery": {"dns": {"hostname": "n"}}}`),
			`error: virtual node "n": listeners[0].connectionPool.http2.maxRequests: is required`},
		{"newer ones have lists", node(`{"listeners": [{"portMapping": {"port": 1, "protocol": "http2"}, "connectionPool": {"http2s": [{"maxRequests": 0}], "https": [], "tcps": []}}], "serviceDiscovery": {"dns": {"hostname": "n"}}}`),
			`error: virtual node "n": listeners[0].connectionPool.http2.maxRequests: is required`},
		{"a secret is unreadable", node(`{"serviceDiscovery": {"dns": {"hostname": ` + secret + `"ciphertext": "v1:x"}}}}`),
			"error: virtual node \"n\": serviceDiscovery.dns.hostname \"(secret)\": is unknown: it is a secret that only Pulumi can decrypt | `pulumi stack export --show-secrets > mesh.json` writes it in plain text"},
		{"a name may be one", stackExport(`mesh:Mesh "outputs": {"name": ` + secret + `"ciphertext": "v1:x"}}`),
			"error: aws:appmesh/mesh:Mesh::x: name is unknown: it is a secret that only Pulumi can decrypt | `pulumi stack export --show-secrets > mesh.json` writes it in plain text"},
		{"in plain text it is read and not shown", node(`{"listeners": ` + secret + `"plaintext": "[{\"portMapping\": {\"port\": 1, \"protocol\": \"hush-hush\"}}]"}, "serviceDiscovery": {"dns": {"hostname": "n"}}}`),
			`error: virtual node "n": listeners[0].portMapping.protocol "(sensitive)": must be one of http, http2, grpc, tcp, https`},
		{"what a preview does not know", node(`{"serviceDiscovery": {"dns": {"hostname": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}}`),
			"error: virtual node \"n\": serviceDiscovery.dns.hostname \"(unknown)\": is unknown: Pulumi knows it only after an update | run `pulumi up`, then `pulumi stack export > mesh.json`"},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := about("case.json", Parse([]Source{{Name: "base.yaml", Data: []byte("{meshName: m}")}, {Name: "case.json", Data: []byte(c.document)}}).Check())
			if want := strings.Split(c.want, "\n"); !slices.Equal(got, want) && c.want+strings.Join(got, "") != "" {
				t.Errorf("%s\n got %s\nwant %s", c.document, strings.Join(got, "\n     "), c.want)
			}
		})
	}
}
