package appmesh

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TestEveryLeafHasAStanding: without a reach, every value of every spec is
// listed once, and every finding about a resource is told.
func TestEveryLeafHasAStanding(t *testing.T) {
	d := everyField(t)
	fields := d.Fields(mesh.Resource{})
	leaves := 0
	for _, r := range d.resources {
		walkLeaves(r.spec, specs[r.kind], "", func(*value, *shape, string) { leaves++ })
	}
	listed := 0
	for _, f := range fields {
		if f.Value != "" {
			listed++
		}
		if f.Line == 0 || f.Resource == "" {
			t.Errorf("nowhere: %+v", f)
		}
		if f.Standing != mesh.Honoured && f.Message == "" {
			t.Errorf("%s without a word: %+v", f.Standing, f)
		}
	}
	if listed < leaves {
		t.Errorf("%d of %d leaves are listed", listed, leaves)
	}
	for _, f := range d.findings {
		if f.owner != nil && !told(fields, f.Message) {
			t.Errorf("not told: %+v", f.Finding)
		}
	}
}

func told(fields []Field, message string) bool {
	for _, f := range fields {
		if f.Message == message {
			return true
		}
	}
	return false
}

// TestFieldsOfAReach: each field has the standing that the documents and this
// build give it, as seen from one sidecar.
func TestFieldsOfAReach(t *testing.T) {
	d := Parse([]Source{{Name: "m.yaml", Data: []byte(`
- {meshName: m, spec: {egressFilter: {type: ALLOW_ALL}}}
- {meshName: m, virtualNodeName: a, spec: {
    listeners: [{portMapping: {port: 80, protocol: http}, healthCheck: {protocol: http, path: /p}, timeout: {http: {idle: {unit: s, value: 1}}}}],
    serviceDiscovery: {dns: {hostname: a.local}},
    backends: [{virtualService: {virtualServiceName: b}}, {virtualService: {virtualServiceName: gone}}]}}
- {meshName: m, virtualServiceName: b, spec: {provider: {virtualNode: {virtualNodeName: b}}}}
- {meshName: m, virtualNodeName: b, spec: {
    listeners: [{portMapping: {port: 81, protocol: http}, tls: {mode: STRICT, certificate: {acm: {certificateArn: x}}}, healthCheck: {protocol: http, path: /q}, timeout: {http: {idle: {unit: s, value: 2}}}}],
    serviceDiscovery: {awsCloudMap: {namespaceName: local, serviceName: b}},
    backends: [{virtualService: {virtualServiceName: other}}]}}
- {meshName: m, virtualNodeName: stranger, spec: {listeners: [{portMapping: {port: 82, protocol: http}, bad: 1}], serviceDiscovery: {dns: {hostname: s.local}}}}
`)}})
	var got strings.Builder
	for _, f := range d.Fields(mesh.Resource{Mesh: "m", Name: "a"}) {
		fmt.Fprintf(&got, "%s %s=%s: %s, %q\n", f.Resource, f.Path, f.Value, f.Standing, f.Effect)
	}
	want := `mesh "m" egressFilter.type=ALLOW_ALL: honoured, ""
virtual node "a" listeners[0].portMapping.port=80: honoured, ""
virtual node "a" listeners[0].portMapping.protocol=http: honoured, ""
virtual node "a" listeners[0].healthCheck.protocol=http: not yet, ""
virtual node "a" listeners[0].healthCheck.path=/p: not yet, ""
virtual node "a" listeners[0].timeout.http.idle.unit=s: honoured, ""
virtual node "a" listeners[0].timeout.http.idle.value=1: honoured, ""
virtual node "a" serviceDiscovery.dns.hostname=a.local: honoured, ""
virtual node "a" backends[0].virtualService.virtualServiceName=b: not yet, "changes traffic"
virtual node "a" backends[1].virtualService.virtualServiceName=gone: wrong, "changes traffic"
virtual service "b" provider.virtualNode.virtualNodeName=b: honoured, ""
virtual node "b" listeners[0].portMapping.port=81: honoured, ""
virtual node "b" listeners[0].portMapping.protocol=http: honoured, ""
virtual node "b" listeners[0].tls.mode=STRICT: not yet, "changes traffic"
virtual node "b" listeners[0].tls.certificate.acm.certificateArn=x: not yet, "changes traffic"
virtual node "b" listeners[0].healthCheck.protocol=http: not yet, "changes traffic"
virtual node "b" listeners[0].healthCheck.path=/q: not yet, "changes traffic"
virtual node "b" serviceDiscovery.awsCloudMap.namespaceName=local: approximated, "may change traffic"
virtual node "b" serviceDiscovery.awsCloudMap.serviceName=b: approximated, "may change traffic"
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if fields := d.Fields(mesh.Resource{Mesh: "m", Name: "nobody"}); len(fields) != 1 || fields[0].Standing != mesh.Wrong {
		t.Errorf("nobody: %+v", fields)
	}
}

// TestDocumentFields: each source is read, ignored or wrong.
func TestDocumentFields(t *testing.T) {
	d := Parse([]Source{
		{Name: "mesh.json", Data: []byte(`{"meshName": "m"}`)},
		{Name: "node.json", Data: []byte(`{"meshName": "m", "virtualNodeName": "a", "spec": {}}`)},
		{Name: "other.json", Data: []byte(`{"meshName": "m", "virtualNodeName": "b", "spec": {}}`)},
		{Name: "comments.yaml", Data: []byte("# nothing\n")},
		{Name: "task.json", Data: []byte(`{"containerDefinitions": []}`)},
		{Name: "broken.json", Data: []byte(`{"meshName": `)},
	})
	var got strings.Builder
	for _, f := range d.DocumentFields(mesh.Resource{Mesh: "m", Name: "a"}) {
		fmt.Fprintf(&got, "%s %s %q %s\n", f.File, f.Standing, f.Effect, f.Message)
	}
	want := `mesh.json honoured "" read: 1 resource, 1 within reach
node.json honoured "" read: 1 resource, 1 within reach
other.json honoured "" read: 1 resource, 0 within reach
comments.yaml honoured "" ignored: nothing in it is of App Mesh
task.json honoured "" this is an ECS task definition, not a mesh document: ignored
broken.json wrong "" cannot be read: the text ends where a value should be (out of reach)
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestFieldsShowNoSecret: what Terraform marks sensitive is not shown.
func TestFieldsShowNoSecret(t *testing.T) {
	d := Parse([]Source{{Name: "show.json", Data: []byte(`{"format_version": "1.0", "terraform_version": "1.9.8", "values": {"root_module": {"resources": [
{"address": "aws_appmesh_virtual_node.a", "mode": "managed", "type": "aws_appmesh_virtual_node", "name": "a", "schema_version": 1,
 "values": {"mesh_name": "m", "name": "a", "spec": [{"service_discovery": [{"dns": [{"hostname": "hush.example.com"}]}]}]},
 "sensitive_values": {"spec": [{"service_discovery": [{"dns": [{"hostname": true}]}]}]}}]}}}`)}})
	shown := false
	for _, f := range d.Fields(mesh.Resource{}) {
		shown = shown || f.Path == "serviceDiscovery.dns.hostname"
		if strings.Contains(f.Value+f.Message+f.Hint, "hush") {
			t.Errorf("shown: %+v", f)
		}
	}
	if !shown {
		t.Error("the field is not listed")
	}
}
