package mesh

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	services := []string{"users.local", "orders.local", "payment.shop.local"}
	nodes := []string{"user-service-v1", "user-service-v2", "frontend", "database"}
	variables := []string{"APPMESH_PLATFORM_K8S_POD_UID", "APPMESH_PREVIEW", "APPMESH_RESOURCE_ARN", "APPMESH_VIRTUAL_NODE_NAME", "ENVOY_LOG_LEVEL", "ENVOY_CONCURRENCY"}
	for _, c := range []struct {
		says, name string
		names      []string
		want       string
	}{
		{"a word is left out", "user-v2", nodes, "user-service-v2"},
		{"another version", "user-service-v3", nodes, "user-service-v1"},
		{"a word is abbreviated", "user-svc-v2", nodes, "user-service-v2"},
		{"a letter is wrong", "frontent", nodes, "frontend"},
		{"a letter is missing", "databse", nodes, "database"},
		{"another case", "Frontend", nodes, "frontend"},
		{"nothing is near", "zebra", nodes, ""},
		{"two letters are swapped", "uesrs.local", services, "users.local"},
		{"the plural is missing", "user.local", services, "users.local"},
		{"the domain is missing", "orders", services, "orders.local"},
		{"a level of the domain is missing", "payment.local", services, "payment.shop.local"},
		{"only the domain is the same", "missing.local", services, ""},
		{"only the prefix is the same", "APPMESH_FOO", variables, ""},
		{"a letter of a variable is wrong", "APPMESH_RESOURCE_ARM", variables, "APPMESH_RESOURCE_ARN"},
		{"a word of a variable is left out", "APPMESH_NODE_NAME", variables, "APPMESH_VIRTUAL_NODE_NAME"},
		{"a word of a variable is abbreviated", "ENVOY_LOG_LVL", variables, "ENVOY_LOG_LEVEL"},
		{"a variable is misspelt", "ENVOY_CONCURENCY", variables, "ENVOY_CONCURRENCY"},
		{"nothing is asked", "", nodes, ""},
		{"far too long", strings.Repeat("x", 5000), nodes, ""},
		{"there is nothing", "x", nil, ""},
	} {
		if got := Nearest(c.name, c.names); got != c.want {
			t.Errorf("%s: %.20q: got %q, want %q", c.says, c.name, got, c.want)
		}
	}
}

// FuzzNearest: any two texts are compared without harm, and never more than
// alike.
func FuzzNearest(f *testing.F) {
	f.Add("missing.local", "users.local")
	f.Add("a-", "a")
	f.Add("-", "--")
	f.Fuzz(func(t *testing.T, a, b string) {
		if l := likeness(a, b); l < 0 || l > 1.1 {
			t.Errorf("%q and %q: %v", a, b, l)
		}
	})
}
