package appmesh

import (
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// described is describe output of node n, of a hostname and of metadata.
func described(hostname, metadata string) string {
	return `{virtualNode: {meshName: m, virtualNodeName: n, spec: ` + hostSpec(hostname) + `, metadata: {` + metadata + `}, status: {status: ACTIVE}}}`
}

func requested(hostname string) string {
	return `{meshName: m, virtualNodeName: n, spec: ` + hostSpec(hostname) + `}`
}

func hostSpec(hostname string) string {
	return `{listeners: [{portMapping: {port: 80, protocol: http}}], serviceDiscovery: {dns: {hostname: ` + hostname + `}}}`
}

// TestTwice: one node, defined more than once. Each document is a file: a.yaml,
// b.yaml and so on. taken is the hostname of the definition that stands.
func TestTwice(t *testing.T) {
	const old, new = "lastUpdatedAt: 1699348325.5", "lastUpdatedAt: 1742308811.0"
	gives := func(file string) string {
		return file + `.yaml: warning: virtual node "n": is defined twice in mesh "m": this is of 2023-11-07T09:12:05Z and gives way to the newer, of 2025-03-18T14:40:11Z`
	}
	differ := func(file string) string {
		return file + `.yaml: error: virtual node "n": is defined twice in mesh "m", and differs in serviceDiscovery.dns.hostname`
	}
	const only = "; only one of them says when it was changed last: remove one"
	for _, c := range []struct {
		says      string
		documents []string
		taken     string
		want      []string
	}{
		{"alike", []string{requested("x"), requested("x")}, "x", nil},
		{"alike in four spellings", []string{requested("x"), strings.ReplaceAll(requested("x"), "port: 80", "port: '80'"),
			`{MeshName: m, virtual_node_name: n, Spec: {ServiceDiscovery: {DNS: {Hostname: x}}, Listeners: [{PortMapping: {Protocol: HTTP, Port: 80}}]}}`,
			strings.ReplaceAll(requested("x"), "spec: {", "spec: {backends: null, ")}, "x", nil},
		{"alike in three forms", []string{described("x", old),
			"Resources: {N: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: m, VirtualNodeName: n, Spec: {Listeners: [{PortMapping: {Port: !Sub '8${Zero}', Protocol: http}}], ServiceDiscovery: {DNS: {Hostname: x}}}}}}\nParameters: {Zero: {Type: String, Default: 0}}",
			kubernetesObject("VirtualNode", "name: any", "awsName: n, meshRef: {name: m}, podSelector: {}, "+strings.Trim(hostSpec("x"), "{}")+"}}")}, "x", nil},
		{"not alike", []string{requested("x"), requested("y")}, "",
			[]string{differ("b") + " | first at a.yaml:1"}},
		{"not alike in one list", []string{"[" + requested("x") + ",\n" + requested("y") + "]"}, "",
			[]string{differ("a") + " | first at a.yaml:1"}},
		{"not alike in what one has more", []string{requested("x"), strings.ReplaceAll(requested("x"), "spec: {", "spec: {logging: {accessLog: {file: {path: /l}}}, ")}, "",
			[]string{`b.yaml: error: virtual node "n": is defined twice in mesh "m", and differs in logging | first at a.yaml:1`}},
		{"alike but for defaults that are told, as describe does", []string{requested("x"),
			strings.ReplaceAll(strings.ReplaceAll(described("x", old), "hostname: x", "hostname: x, responseType: LOADBALANCER"), "spec: {", "spec: {logging: {}, backends: [], ")}, "x", nil},
		{"alike but for the port of a check", []string{strings.ReplaceAll(requested("x"), "protocol: http}", "protocol: http}, healthCheck: {protocol: http, path: /, intervalMillis: 5000}"),
			strings.ReplaceAll(requested("x"), "protocol: http}", "protocol: http}, healthCheck: {protocol: http, port: 80, path: /, intervalMillis: 5000}")}, "x",
			[]string{`a.yaml: not-yet: virtual node "n": listeners[0].healthCheck: active health checks are not done yet: endpoints are used as they are discovered`}},
		{"an empty policy is not none", []string{strings.ReplaceAll(requested("x"), "spec: {", "spec: {backends: [{virtualService: {virtualServiceName: n}}], "),
			strings.ReplaceAll(requested("x"), "spec: {", "spec: {backends: [{virtualService: {virtualServiceName: n, clientPolicy: {}}}], ")}, "",
			[]string{`a.yaml: warning: virtual node "n": backends[0].virtualService.virtualServiceName "n": no such virtual service in mesh "m"`,
				`b.yaml: error: virtual node "n": is defined twice in mesh "m", and differs in backends[0].virtualService.clientPolicy | first at a.yaml:1`}},
		{"one and two alike", []string{requested("x"), requested("y"), requested("x")}, "",
			[]string{differ("b") + " | first at a.yaml:1"}},
		{"three unlike", []string{requested("x"), requested("y"), requested("z")}, "",
			[]string{differ("b") + " | first at a.yaml:1", differ("c") + " | first at a.yaml:1"}},

		{"a newer one", []string{described("x", old), described("y", new)}, "y",
			[]string{gives("a") + " | the newer is at b.yaml:1; it differs in serviceDiscovery.dns.hostname"}},
		{"an older one", []string{described("x", new), described("y", old)}, "x",
			[]string{gives("b") + " | the newer is at a.yaml:1; it differs in serviceDiscovery.dns.hostname"}},
		{"dates in RFC 3339, and one not changed since it was made", []string{described("x", "createdAt: '2023-11-07T09:12:05Z'"), described("y", "lastUpdatedAt: '2025-03-18T16:40:11.000+02:00', createdAt: 1.0")}, "y",
			[]string{gives("a") + " | the newer is at b.yaml:1; it differs in serviceDiscovery.dns.hostname"}},
		{"the older one's faults are gone with it", []string{strings.ReplaceAll(described("x", old), "spec: {", "spec: {nope: 1, serviceDiscover: {}, "), described("y", new)}, "y",
			[]string{gives("a") + " | the newer is at b.yaml:1; it differs in serviceDiscovery.dns.hostname"}},
		{"the newer one's faults are the mesh's", []string{described("x", old), strings.ReplaceAll(described("y", new), "spec: {", "spec: {nope: 1, ")}, "",
			[]string{gives("a") + " | the newer is at b.yaml:1; it differs in nope", `b.yaml: error: virtual node "n": nope: no such field | known here: listeners, serviceDiscovery, backends, backendDefaults, logging`}},
		{"two old ones", []string{described("x", old), described("y", new), described("z", old)}, "y",
			[]string{gives("a") + " | the newer is at b.yaml:1; it differs in serviceDiscovery.dns.hostname", gives("c") + " | the newer is at b.yaml:1; it differs in serviceDiscovery.dns.hostname"}},
		{"an old one, and one without a date that is as the new one", []string{requested("y"), described("x", old), described("y", new)}, "y",
			[]string{gives("b") + " | the newer is at c.yaml:1; it differs in serviceDiscovery.dns.hostname"}},
		{"equal dates", []string{described("x", new), described("y", new)}, "",
			[]string{differ("b") + " | first at a.yaml:1; both are of 2025-03-18T14:40:11Z: remove one"}},
		{"one date", []string{described("x", new), requested("y")}, "", []string{differ("b") + " | first at a.yaml:1" + only}},
		{"an old one that is alike does not date the other", []string{requested("x"), described("x", old), described("y", new)}, "",
			[]string{differ("c") + " | first at a.yaml:1" + only}},
		{"something that is no date", []string{described("x", "lastUpdatedAt: yesterday"), described("y", new)}, "", []string{differ("b") + " | first at a.yaml:1" + only}},

		{"a good one after a faulty one", []string{strings.ReplaceAll(requested("x"), "spec: {", "spec: {nope: 1, "), requested("x")}, "",
			[]string{`a.yaml: error: virtual node "n": nope: no such field | known here: listeners, serviceDiscovery, backends, backendDefaults, logging`,
				`b.yaml: error: virtual node "n": is defined twice in mesh "m", and differs in nope | first at a.yaml:1`}},
		{"a fault beside the spec", []string{requested("x"), strings.ReplaceAll(requested("x"), "spec:", "specs: {}, spec:")}, "",
			[]string{`b.yaml: error: virtual node "n": is defined twice in mesh "m", and is not alike | first at a.yaml:1`,
				`b.yaml: error: virtual node "n": specs: no such field beside spec | did you mean "spec"?`}},
	} {
		t.Run(c.says, func(t *testing.T) {
			d := Parse(numbered(append(c.documents, "{meshName: m}")))
			if got := strings.Join(abouts(d.Check()), "\n"); got != strings.Join(c.want, "\n") {
				t.Errorf(" got %s\nwant %s", got, strings.Join(c.want, "\n     "))
			}
			taken := ""
			if s, _ := d.Compile(mesh.Resource{Mesh: "m", Name: "n"}, Options{}); s != nil {
				taken = d.mesh(meshID{"m", ""}).find(nodeKind, "n").spec.get("serviceDiscovery", "dns", "hostname").text
			}
			if taken != c.taken {
				t.Errorf("%q is taken, want %q", taken, c.taken)
			}
			if d.Resources() != 2 {
				t.Errorf("%d resources, want 2", d.Resources())
			}
		})
	}
}

// numbered makes sources a.yaml, b.yaml, ... of documents.
func numbered(documents []string) []Source {
	var sources []Source
	for i, text := range documents {
		sources = append(sources, Source{Name: string(rune('a'+i)) + ".yaml", Data: []byte(text)})
	}
	return sources
}

// abouts writes findings as about does, each with its file.
func abouts(fs []mesh.Finding) []string {
	var lines []string
	for _, f := range fs {
		lines = append(lines, f.File+": "+about(f.File, []mesh.Finding{f})[0])
	}
	return lines
}

// TestLoserLeavesNoTrace: what the older of two definitions refers to, and the
// routes that it would have been, are not seen any more.
func TestLoserLeavesNoTrace(t *testing.T) {
	const router = `{meshName: m}
---
{meshName: m, virtualNodeName: n, spec: {listeners: [{portMapping: {port: 80, protocol: http}}], serviceDiscovery: {dns: {hostname: h}}}}
---
{meshName: m, virtualRouterName: r, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}
`
	dated := func(at, prefix, node string) string {
		return `{route: {meshName: m, virtualRouterName: r, routeName: a, metadata: {lastUpdatedAt: ` + at + `}, spec: {httpRoute: {match: {prefix: ` + prefix + `}, action: {weightedTargets: [{virtualNode: ` + node + `, weight: 1}]}}}}}`
	}
	d := Parse(numbered([]string{dated("1", "/", "gone"), router, dated("2", "/b", "n"),
		`{meshName: m, virtualRouterName: r, routeName: b, spec: {priority: 7, httpRoute: {match: {prefix: /c}, action: {weightedTargets: [{virtualNode: n, weight: 1}]}}}}`}))
	if fs := abouts(d.Check()); len(fs) != 1 || !strings.Contains(fs[0], `warning: route "a": is defined twice`) {
		t.Errorf("a node that is gone is missed, or a route hidden by one that is gone:\n%s", strings.Join(fs, "\n"))
	}
	if routes := d.mesh(meshID{"m", ""}).routes["r"]; len(routes) != 2 {
		t.Errorf("%d routes, want 2: %v", len(routes), routes)
	}
}
