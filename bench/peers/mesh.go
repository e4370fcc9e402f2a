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
// so many backends, the first named "backend", all of one protocol. Front lists every backend; each is a virtual service with a router, a route with a retry
// policy, and a node with a DNS name. The endpoints file sends all of them to back. TCP is measured inbound: then there are no backends, and front
// is the app that listens on back's port.
func WriteMesh(dir string, protocol Protocol, backends int, back netip.AddrPort) (Mesh, error) {
	if protocol == TCP {
		backends = 0
	}
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
		"nodes.json":    nodes(names, protocol, back),
		"services.json": each(names, protocol, service),
		"routers.json":  each(names, protocol, router),
		"routes.json":   each(names, protocol, route),
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

func nodes(backends []string, protocol Protocol, back netip.AddrPort) []document {
	var listed []any
	for _, name := range backends {
		listed = append(listed, map[string]any{"virtualService": map[string]any{"virtualServiceName": name + ".local"}})
	}
	front := node("front", protocol)
	if protocol == TCP {
		front.Spec["listeners"] = []any{listener(back.Port(), protocol)}
	} else {
		front.Spec["backends"] = listed
	}
	return append([]document{front}, each(backends, protocol, node)...)
}

func node(name string, protocol Protocol) document {
	return document{Mesh: "bench", Node: name, Spec: map[string]any{
		"listeners":        []any{listener(8080, protocol)},
		"serviceDiscovery": map[string]any{"dns": map[string]any{"hostname": name + ".local"}},
	}}
}

func service(name string, _ Protocol) document {
	return document{Mesh: "bench", Service: name + ".local", Spec: map[string]any{
		"provider": map[string]any{"virtualRouter": map[string]any{"virtualRouterName": name}},
	}}
}

func router(name string, protocol Protocol) document {
	return document{Mesh: "bench", Router: name, Spec: map[string]any{"listeners": []any{listener(8080, protocol)}}}
}

func route(name string, protocol Protocol) document {
	policy := map[string]any{
		"maxRetries":      2,
		"perRetryTimeout": map[string]any{"unit": "s", "value": 15},
		"httpRetryEvents": []string{"server-error", "gateway-error"},
		"tcpRetryEvents":  []string{"connection-error"},
	}
	match := map[string]any{"prefix": "/"}
	if protocol == GRPC {
		policy["grpcRetryEvents"] = []string{"unavailable"}
		match = map[string]any{}
	}
	kind := map[Protocol]string{HTTP1: "httpRoute", HTTP2: "http2Route", GRPC: "grpcRoute"}[protocol]
	return document{Mesh: "bench", Router: name, Route: name, Spec: map[string]any{kind: map[string]any{
		"match":       match,
		"action":      map[string]any{"weightedTargets": []any{map[string]any{"virtualNode": name, "weight": 1}}},
		"retryPolicy": policy,
	}}}
}

func listener(port uint16, protocol Protocol) map[string]any {
	return map[string]any{"portMapping": map[string]any{"port": port, "protocol": protocol.String()}}
}

func each(names []string, protocol Protocol, make func(string, Protocol) document) []document {
	var documents []document
	for _, name := range names {
		documents = append(documents, make(name, protocol))
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
