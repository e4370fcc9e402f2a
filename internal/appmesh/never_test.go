package appmesh

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

func TestMatchesPath(t *testing.T) {
	for expr, want := range map[string]bool{
		"/users/[0-9]+":      true,
		".*":                 true,
		".+":                 true,
		"[^/]?/x":            true, // without the optional one
		"(?i)/API":           true,
		"/a(\\?b=c)?":        true, // without the query
		"/a[?#/]b":           true,
		"/a[^?]*":            true,
		"^/a$":               true,
		"\\Q/a\\E":           true,
		"/":                  true,
		"(users|/orders)":    true,
		"/\\bx":              true,
		"users/.*":           false,
		"":                   false,
		"a*":                 false,
		"[a-z]+":             false,
		"/a\\?b=c":           false,
		"/a[?]b=.*":          false,
		"/a[?#]":             false,
		"/a#top":             false,
		"/search\\?(q|r)=.*": false,
		"(":                  true, // no expression: another finding
	} {
		if got := matchesPath(expr); got != want {
			t.Errorf("%q: %v, want %v", expr, got, want)
		}
	}
}

func TestNeverSpelled(t *testing.T) {
	for text, want := range map[string]string{
		"/a/b":            "",
		"/.":              "", // as a prefix of /.well-known
		"/a/..b/...":      "",
		"/a%2Fb%20c;d,e:": "",
		"/${PREFIX}/":     "", // another finding
		"/a//b":           "double slashes are made one before it is compared",
		"/a/./b":          `"." and ".." are taken out of a path before it is compared`,
		"/a b":            `" " is escaped in a path before it is compared: write %20`,
		"/größe":          `"ö" is escaped in a path before it is compared: write %C3%B6`,
	} {
		if got := neverSpelled(text, false); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestRoutesThatCanNeverMatch(t *testing.T) {
	for _, c := range []struct{ says, match, want string }{
		{"a regex that a path can be", "path: {regex: '/users/[0-9]+'}", ""},
		{"a regex that begins with no slash", "path: {regex: 'users/.*'}", `match.path.regex "users/.*": can never match`},
		{"a regex that holds a query", "path: {regex: '/search\\?q=.*'}", `match.path.regex "/search\\?q=.*": can never match`},
		{"an exact path with a query", "path: {exact: '/a?b=c'}", `match.path.exact "/a?b=c": can never match`},
		{"a prefix with a query", "prefix: '/a?b'", `match.prefix "/a?b": can never match`},
		{"a prefix with double slashes", "prefix: /a//b", `match.prefix "/a//b": can never match`},
		{"a prefix with dots", "prefix: /a/../b", `match.prefix "/a/../b": can never match`},
		{"an exact path that ends in dots", "path: {exact: /a/..}", `match.path.exact "/a/..": can never match`},
		{"a backslash", "prefix: '/a\\b'", `match.prefix "/a\\b": can never match`},
		{"a blank", "prefix: '/a b'", `match.prefix "/a b": can never match`},
		{"another alphabet", "path: {exact: /größe}", `match.path.exact "/größe": can never match`},
		{"a header name with a blank", "prefix: /, headers: [{name: 'x y', match: {exact: a}}]", `match.headers[0].name "x y": can never match: no header can have this name`},
		{"a header name with a colon", "prefix: /, headers: [{name: 'x-beta:', match: {exact: a}}]", `match.headers[0].name "x-beta:": can never match`},
		{"a header name of another alphabet", "prefix: /, headers: [{name: 'größe'}]", `match.headers[0].name "größe": can never match`},
		{"a header whose absence is wanted", "prefix: /, headers: [{name: 'x y', invert: true}]", ""},
		{"a name for part of the request line", "prefix: /, headers: [{name: ':authority', match: {prefix: a}}]", ""},
		{"capitals", "prefix: /, headers: [{name: 'X-Beta', match: {exact: a}}]", ""},
		{"two values of one header", "prefix: /, headers: [{name: x, match: {exact: a}}, {name: X, match: {exact: b}}]", `match.headers[1].match.exact "b": can never match: the same header must be a, too`},
		{"one value twice", "prefix: /, headers: [{name: x, match: {exact: a}}, {name: x, match: {exact: a}}]", ""},
		{"one value and not another", "prefix: /, headers: [{name: x, match: {exact: a}}, {name: x, invert: true, match: {exact: b}}]", ""},
	} {
		d := Parse([]Source{{Name: "case.yaml", Data: []byte(strings.Join([]string{"{meshName: m, spec: {}}", router80, plainTarget(), fmt.Sprintf(routeToT, "x", "", c.match, "")}, "\n---\n"))}})
		var said []string
		for _, f := range d.Check() {
			if f.Severity != mesh.Warning {
				t.Errorf("%s: %+v", c.says, f)
			}
			said = append(said, fmt.Sprintf("%s %q: %s", f.Field, f.Value, f.Message))
		}
		if got := strings.Join(said, "\n"); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || len(said) > 1 {
			t.Errorf("%s: got %s, want %s", c.says, got, c.want)
		}
	}
}
