//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// object is a JSON object.
type object = map[string]any

// documents are the resources of one mesh, "m".
type documents []object

func document(kind, name string, spec object) object {
	return object{"meshName": "m", kind: name, "spec": spec}
}

func theMesh(filter string) object {
	return object{"meshName": "m", "spec": object{"egressFilter": object{"type": filter}}}
}

func service(name, router string) object {
	return document("virtualServiceName", name, object{"provider": object{"virtualRouter": object{"virtualRouterName": router}}})
}

// node has one HTTP listener on 8080; its discovery name is <name>.test.
func node(name string, backends ...string) object {
	listed := []object{}
	for _, backend := range backends {
		listed = append(listed, object{"virtualService": object{"virtualServiceName": backend}})
	}
	return document("virtualNodeName", name, object{
		"listeners":        []object{{"portMapping": object{"port": 8080, "protocol": "http"}}},
		"backends":         listed,
		"serviceDiscovery": object{"dns": object{"hostname": name + ".test", "responseType": "ENDPOINTS"}},
	})
}

func router(name string) object {
	return document("virtualRouterName", name, object{"listeners": []object{{"portMapping": object{"port": 8080, "protocol": "http"}}}})
}

// route sends a prefix to weighted nodes: route("r", "/", "v1", 80, "v2", 20). more sets further members of httpRoute.
func route(router, name, prefix string, targets ...any) object {
	weighted := []object{}
	for pair := range slices.Chunk(targets, 2) {
		weighted = append(weighted, object{"virtualNode": pair[0], "weight": pair[1]})
	}
	d := document("routeName", name, object{"httpRoute": object{
		"match": object{"prefix": prefix}, "action": object{"weightedTargets": weighted}}})
	d["virtualRouterName"] = router
	return d
}

// with sets a member deep inside a document: with(d, value, "spec", "httpRoute", "timeout").
func with(d object, value any, path ...string) object {
	at := d
	for _, name := range path[:len(path)-1] {
		at = at[name].(object)
	}
	at[path[len(path)-1]] = value
	return d
}

// userMesh is front, which may call svc.local, and the nodes behind it in the given shares.
func userMesh(targets ...any) documents {
	docs := documents{theMesh("ALLOW_ALL"), node("front", "svc.local"), service("svc.local", "router"), router("router"),
		route("router", "all", "/", targets...), service("unlisted.local", "router")}
	for pair := range slices.Chunk(targets, 2) {
		docs = append(docs, node(pair[0].(string)))
	}
	return docs
}

// write puts the documents into a file, at once: a reader sees the old or the new ones.
func (d documents) write(t *testing.T, path string) {
	t.Helper()
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, text)
}

// endpoints are discovery names and where they lead.
type endpoints map[string][]string

func (e endpoints) write(t *testing.T, path string) {
	t.Helper()
	var text strings.Builder
	for name, addresses := range e {
		list, err := json.Marshal(append([]string{}, addresses...))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s: %s\n", name, list)
	}
	replace(t, path, []byte(text.String()))
}

func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".next")
	if err := os.WriteFile(next, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}
