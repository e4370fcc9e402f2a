package appmesh

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TestPositions holds the shape that the issue shows, places included.
func TestPositions(t *testing.T) {
	_, sources := splitArchive([]byte(`
-- mesh/nodes.yaml --
meshName: my-mesh
virtualNodeName: user-service-v2
spec:
  listeners: [{portMapping: {port: 8080, protocol: http}}]
  serviceDiscovery: {dns: {hostname: v2.local}}
---
meshName: my-mesh
spec: {}
---
meshName: my-mesh
virtualRouterName: user-router
spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}
-- mesh/routes.json --
{
  "routes": [
    {
      "meshName": "my-mesh", "virtualRouterName": "user-router",
      "routeName": "user-route",
      "spec": {"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [
          {"virtualNode": "user-service-v2", "weight": 80},
          {"weight": 20, "virtualNode": "user-v2"}
        ]}
      }}
    }
  ]
}
`))
	d := Parse(sources)
	var b bytes.Buffer
	if err := WriteText(&b, d.Check(), d.Documents()); err != nil {
		t.Fatal(err)
	}
	want := `mesh/routes.json:10:41: error: route "user-route": weightedTargets[1].virtualNode "user-v2": no such virtual node in mesh "my-mesh"
    did you mean "user-service-v2" (mesh/nodes.yaml:2)?
1 error, 0 warnings in 4 documents
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := WriteJSON(&b, d.Check(), d.Documents()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"documents": 4`, `"errors": 1`, `"line": 10`, `"column": 41`, `"severity": "error"`,
		`"resource": "route \"user-route\""`, `"field": "weightedTargets[1].virtualNode"`, `"value": "user-v2"`, `"hint": "did you mean`} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("JSON lacks %s:\n%s", part, b.String())
		}
	}
}

// reachBase is a mesh whose node front reaches everything but stranger.
const reachBase = `
-- mesh.yaml --
{meshName: m, spec: {}}
-- front.yaml --
{meshName: m, virtualNodeName: front, spec: {backends: [{virtualService: {virtualServiceName: s.local}}]}}
-- service.yaml --
{meshName: m, virtualServiceName: s.local, spec: {provider: {virtualRouter: {virtualRouterName: router}}}}
-- router.yaml --
{meshName: m, virtualRouterName: router, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}
-- route.yaml --
{meshName: m, virtualRouterName: router, routeName: r, spec: {httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNode: target, weight: 1}]}}}}
-- target.yaml --
{meshName: m, virtualNodeName: target, spec: {listeners: [{portMapping: {port: 8080, protocol: http}}], serviceDiscovery: {dns: {hostname: target.local}}}}
-- stranger.yaml --
{meshName: m, virtualNodeName: stranger, spec: {}}
`

// TestReach says what stops a node and what does not. Each case replaces one
// file of reachBase.
func TestReach(t *testing.T) {
	for _, c := range []struct {
		says, file, text string
		starts           bool
		finding          string
	}{
		{"nothing is wrong", "stranger.yaml", "{meshName: m, virtualNodeName: stranger, spec: {}}", true, ""},
		{"a stranger's error is a warning", "stranger.yaml", "{meshName: m, virtualNodeName: stranger, spec: {nope: 1}}", true, `warning: virtual node "stranger": nope: no such field`},
		{"a stranger's not-yet is left out", "stranger.yaml", "{meshName: m, virtualNodeName: stranger, spec: {serviceDiscovery: {awsCloudMap: {namespaceName: a, serviceName: b}}}}", true, ""},
		{"an error of a route's target stops", "target.yaml", "{meshName: m, virtualNodeName: target, spec: {nope: 1, listeners: [{portMapping: {port: 8080, protocol: http}}]}}", false, `error: virtual node "target": nope: no such field`},
		{"an error of the mesh stops", "mesh.yaml", "{meshName: m, spec: {nope: 1}}", false, `error: mesh "m": nope: no such field`},
		{"a missing target stops", "target.yaml", "{meshName: m, virtualNodeName: targets, spec: {}}", false, `error: route "r": weightedTargets[0].virtualNode "target": no such virtual node in mesh "m"`},
		{"a missing service does not stop", "service.yaml", "# none yet", true, `warning: virtual node "front": backends[0].virtualService.virtualServiceName "s.local": no such virtual service in mesh "m"`},
		{"a missing router does not stop", "router.yaml", "# none yet", true, `warning: virtual service "s.local": provider.virtualRouter.virtualRouterName "router": no such virtual router in mesh "m"`},
		{"a broken file that holds no name in reach does not stop", "stranger.yaml", "{virtualNodeName: stranger, ]", true, `warning: cannot be read: `},
		{"a broken file that holds a name in reach stops", "stranger.yaml", `{virtualRouterName: router, routeName: other ]`, false, `error: cannot be read: `},
		{"a broken file may hold the target that is missing", "target.yaml", "{virtualNodeName: [", false, `may stand in target.yaml, which cannot be read`},
		{"a broken file may hold the service that is missing", "service.yaml", "{virtualServiceNa", false, `error: cannot be read: `},
		{"a broken file may hold the mesh's egress filter", "mesh.yaml", "{meshName: m, spec: {egressFilter: ]", false, `error: cannot be read: `},
		{"a file cut off at its first byte may hold the routes of a router that has none", "route.yaml", "{", false, `error: cannot be read: `},
		{"an empty file may hold the routes of a router that has none", "route.yaml", "", false, `route.yaml: error: holds nothing: is it half written?`},
		{"so may one of white space", "route.yaml", " \n\t\r\n", false, `error: holds nothing`},
		{"an empty file may hold the service that is missing", "service.yaml", "", false, `it may stand in service.yaml, which cannot be read`},
		{"an empty file may hold the target that is missing", "target.yaml", "\ufeff", false, `error: holds nothing`},
		{"an empty file may hold the mesh's egress filter", "mesh.yaml", "", false, `error: holds nothing`},
		{"an empty file where nothing is missed does not stop", "stranger.yaml", "", true, `stranger.yaml: warning: holds nothing`},
		{"a file of comments is meant to be empty", "stranger.yaml", "# later\n", true, ""},
		{"a router without a route is served as it is", "route.yaml", "# later\n", true, `has no route`},
		{"a file of something else does not stop", "service.yaml", `{"name": "some-package", "version": "1.0"}`, true, `warning: not an App Mesh document`},
		{"a document without its name may be the service that is missing", "service.yaml", "{meshName: m, spec: {provider: {virtualRouter: {virtualRouterName: other}}}}", false, `error: this looks like a virtual service`},
		{"a route without its names is in reach of its router", "stranger.yaml", `{virtualRouterName: router, spec: {httpRoute: {}}}`, false, `error: this looks like a route`},
		{"a route of another router does not stop", "stranger.yaml", `{virtualRouterName: other, spec: {httpRoute: {}}}`, true, `warning: this looks like a route`},
		{"a form that is not read does not stop", "stranger.yaml", `{"@level": info, "@message": m}`, true, `warning: this is the log of a Terraform command`},
		{"a form that is not read may hold what is missing", "target.yaml", `{"@level": info, "@message": m}`, false, `it may stand in target.yaml, whose form is not read`},
		{"a twin in reach stops", "stranger.yaml", `{meshName: m, virtualNodeName: target, spec: {}}`, false, `error: virtual node "target": is defined twice`},
		{"the node itself is missing", "front.yaml", "{meshName: m, virtualNodeName: front-end, spec: {}}", false, `error: mesh/m/virtualNode/front: no virtual node "front" in mesh "m": 7 resources were read`},
	} {
		t.Run(c.says, func(t *testing.T) {
			_, sources := splitArchive([]byte(reachBase))
			i := slices.IndexFunc(sources, func(s Source) bool { return s.Name == c.file })
			sources[i].Data = []byte(c.text)
			snapshot, findings := Parse(sources).Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{})
			var b bytes.Buffer
			_ = WriteText(&b, findings, 0)
			if starts := snapshot != nil; starts != c.starts {
				t.Errorf("starts: %v, want %v:\n%s", starts, c.starts, b.String())
			}
			if !strings.Contains(b.String(), c.finding) {
				t.Errorf("no %q in:\n%s", c.finding, b.String())
			}
			if c.finding == "" && len(findings) > 0 {
				t.Errorf("want no findings, got:\n%s", b.String())
			}
		})
	}
}

// TestUnopened: a file that cannot be opened stops those that may need it.
func TestUnopened(t *testing.T) {
	for _, c := range []struct {
		says, file string
		starts     bool
	}{
		{"it may hold the routes that are missing", "route.yaml", false},
		{"nothing is missed", "stranger.yaml", true},
	} {
		_, sources := splitArchive([]byte(reachBase))
		i := slices.IndexFunc(sources, func(s Source) bool { return s.Name == c.file })
		sources[i] = Source{Name: c.file, Err: &fs.PathError{Op: "open", Path: c.file, Err: fs.ErrPermission}}
		d := Parse(sources)
		var b bytes.Buffer
		_ = WriteText(&b, d.Check(), d.Documents())
		if want := c.file + ": error: cannot be read: permission denied\n"; !strings.Contains(b.String(), want) {
			t.Errorf("%s: no %q in:\n%s", c.says, want, b.String())
		}
		if snapshot, findings := d.Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{}); (snapshot != nil) != c.starts {
			t.Errorf("%s: starts: %v, %v", c.says, snapshot != nil, findings)
		}
	}
}

func TestUnknownResources(t *testing.T) {
	_, sources := splitArchive([]byte(reachBase))
	d := Parse(sources)
	for name, want := range map[string]string{
		"mesh/x/virtualNode/front":    `no document is of mesh "x"`,
		"mesh/m/virtualNode/fron":     `did you mean "front" (front.yaml:1)?`,
		"mesh/m/virtualGateway/front": `no virtual gateway "front" in mesh "m"`,
	} {
		res, err := mesh.ParseResource(name)
		if err != nil {
			t.Fatal(err)
		}
		snapshot, findings := d.Compile(res, Options{})
		if snapshot != nil || len(findings) == 0 || findings[0].Severity != mesh.Error || !strings.Contains(findings[0].Message+" "+findings[0].Hint, want) {
			t.Errorf("%s: got %v, want %q", name, findings, want)
		}
	}
}

func TestVersion(t *testing.T) {
	version := func(replace ...string) string {
		_, sources := splitArchive([]byte(strings.NewReplacer(replace...).Replace(reachBase)))
		s, findings := Parse(sources).Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{})
		if s == nil {
			t.Fatalf("%v: %v", replace, findings)
		}
		return s.Version
	}
	base := version()
	for says, same := range map[string]string{
		"a comment":                       version("{meshName: m, virtualServiceName: s.local", "# hello\n{meshName: m, virtualServiceName: s.local"),
		"another order of members":        version("{portMapping: {port: 8080, protocol: http}}", "{portMapping: {protocol: http, port: 8080}}"),
		"another spelling":                version("portMapping: {port: 8080, protocol: http}", "PortMapping: {port: '8080', protocol: HTTP}"),
		"a change out of reach":           version("virtualNodeName: stranger, spec: {}", "virtualNodeName: stranger, spec: {logging: {}}"),
		"tags and other things of no use": version("{meshName: m, spec: {}}", "{meshName: m, tags: [], spec: {}}"),
	} {
		if same != base {
			t.Errorf("%s changed the version", says)
		}
	}
	for says, other := range map[string]string{
		"a weight":         version("weight: 1", "weight: 2"),
		"a hostname":       version("hostname: target.local", "hostname: other.local"),
		"an egress filter": version("{meshName: m, spec: {}}", "{meshName: m, spec: {egressFilter: allowAll}}"),
	} {
		if other == base {
			t.Errorf("%s did not change the version", says)
		}
	}
}
