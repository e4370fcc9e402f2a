//go:build linux

package peers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Mesh is where the documents and the endpoints file of a generated mesh are.
type Mesh struct{ Documents, Endpoints string }

// WriteMesh writes the documents of mesh "bench" below dir, in the form of App Mesh's API requests: a node "front" and
// so many backends, the first named "backend". Front lists every backend; each is a virtual service with a router, a route with a retry
// policy, and a node with a DNS name. The endpoints file sends all of them to back.
func WriteMesh(dir string, backends int, back netip.AddrPort) (Mesh, error) {
	mesh := Mesh{Documents: filepath.Join(dir, "mesh"), Endpoints: filepath.Join(dir, "endpoints.yaml")}
	names := make([]string, backends)
	for i := range names {
		names[i] = "backend"
		if i > 0 {
			names[i] = fmt.Sprintf("backend-%03d", i+1)
		}
	}
	files := map[string][]document{
		"mesh.json":     {{Mesh: "bench", Spec: map[string]any{}}},
		"nodes.json":    nodes(names),
		"services.json": each(names, service),
		"routers.json":  each(names, router),
		"routes.json":   each(names, route),
	}
	if err := os.MkdirAll(mesh.Documents, 0o755); err != nil {
		return mesh, err
	}
	for file, documents := range files {
		if err := writeDocuments(filepath.Join(mesh.Documents, file), documents); err != nil {
			return mesh, err
		}
	}
	var endpoints strings.Builder
	for _, name := range names {
		fmt.Fprintf(&endpoints, "%s.local: [%q]\n", name, back.String())
	}
	return mesh, os.WriteFile(mesh.Endpoints, []byte(endpoints.String()), 0o644)
}

// document is one request to App Mesh's API; the names that are empty are left out.
type document struct {
	Mesh    string         `json:"meshName"`
	Node    string         `json:"virtualNodeName,omitempty"`
	Service string         `json:"virtualServiceName,omitempty"`
	Router  string         `json:"virtualRouterName,omitempty"`
	Route   string         `json:"routeName,omitempty"`
	Spec    map[string]any `json:"spec"`
}

func nodes(backends []string) []document {
	var listed []any
	for _, name := range backends {
		listed = append(listed, map[string]any{"virtualService": map[string]any{"virtualServiceName": name + ".local"}})
	}
	front := node("front")
	front.Spec["backends"] = listed
	return append([]document{front}, each(backends, node)...)
}

func node(name string) document {
	return document{Mesh: "bench", Node: name, Spec: map[string]any{
		"listeners":        []any{map[string]any{"portMapping": port()}},
		"serviceDiscovery": map[string]any{"dns": map[string]any{"hostname": name + ".local"}},
	}}
}

func service(name string) document {
	return document{Mesh: "bench", Service: name + ".local", Spec: map[string]any{
		"provider": map[string]any{"virtualRouter": map[string]any{"virtualRouterName": name}},
	}}
}

func router(name string) document {
	return document{Mesh: "bench", Router: name, Spec: map[string]any{
		"listeners": []any{map[string]any{"portMapping": port()}},
	}}
}

func route(name string) document {
	return document{Mesh: "bench", Router: name, Route: name, Spec: map[string]any{"httpRoute": map[string]any{
		"match":  map[string]any{"prefix": "/"},
		"action": map[string]any{"weightedTargets": []any{map[string]any{"virtualNode": name, "weight": 1}}},
		"retryPolicy": map[string]any{
			"maxRetries":      2,
			"perRetryTimeout": map[string]any{"unit": "s", "value": 15},
			"httpRetryEvents": []string{"server-error", "gateway-error"},
			"tcpRetryEvents":  []string{"connection-error"},
		},
	}}}
}

func port() map[string]any { return map[string]any{"port": 8080, "protocol": "http"} }

func each(names []string, make func(string) document) []document {
	var documents []document
	for _, name := range names {
		documents = append(documents, make(name))
	}
	return documents
}

func writeDocuments(path string, documents []document) error {
	var text []byte
	for _, d := range documents {
		one, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		text = append(append(text, one...), '\n')
	}
	return os.WriteFile(path, text, 0o644)
}
