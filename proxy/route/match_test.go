package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// request makes a request from "METHOD target" and "name: value" lines.
func request(line string, fields ...string) *l7.Request {
	method, target, _ := strings.Cut(line, " ")
	req := &l7.Request{Method: []byte(method), Target: []byte(target), Authority: []byte("svc.local"), Version: 1}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		req.Header.Add(l7.ClassifyName([]byte(name)), []byte(name), []byte(value))
	}
	return req
}

func clusterName(c *mesh.Cluster) string { return c.Name }

// tableOf compiles routes of one virtual host for every authority.
func tableOf(t testing.TB, routes ...mesh.Route) *Table[string] {
	t.Helper()
	table, err := Compile(&mesh.Listener{VirtualHosts: []mesh.VirtualHost{{Name: "svc", Domains: []string{"*"}, Routes: routes}}}, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestMatchConditions(t *testing.T) {
	header := func(h mesh.HeaderMatch) mesh.Match { return mesh.Match{Headers: []mesh.HeaderMatch{h}} }
	query := func(name string, kind mesh.MatchKind, value string) mesh.Match {
		return mesh.Match{Query: []mesh.QueryMatch{{Name: name, Kind: kind, Value: value}}}
	}
	exact := header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchExact, Value: "beta"})
	notExact := header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchExact, Value: "beta", Invert: true})
	present := header(mesh.HeaderMatch{Name: "x-user"})
	absent := header(mesh.HeaderMatch{Name: "x-user", Invert: true})
	ranged := header(mesh.HeaderMatch{Name: "x-n", Kind: mesh.MatchRange, Start: -5, End: 10})
	pseudo := func(name string, kind mesh.MatchKind, value string) mesh.Match {
		return header(mesh.HeaderMatch{Name: name, Kind: kind, Value: value})
	}
	regex := header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchRegex, Value: "a|b+"})
	absolute := request("GET /", "x-forwarded-proto: https")
	absolute.Absolute = true
	said := func(scheme string) *l7.Request {
		req := request("GET /", "x-forwarded-proto: https")
		req.Version, req.Scheme = l7.HTTP2, []byte(scheme)
		return req
	}
	for _, tt := range []struct {
		says  string
		match mesh.Match
		req   *l7.Request
		want  bool
	}{
		{"no condition takes everything", mesh.Match{}, request("GET /a"), true},
		{"no condition takes CONNECT", mesh.Match{}, request("CONNECT "), true},
		{"no condition takes an asterisk", mesh.Match{}, request("OPTIONS *"), true},

		{"a prefix takes itself", mesh.Match{Prefix: "/foo"}, request("GET /foo"), true},
		{"a prefix takes what goes on without a slash", mesh.Match{Prefix: "/foo"}, request("GET /foobar"), true},
		{"a prefix is compared byte by byte", mesh.Match{Prefix: "/foo"}, request("GET /Foo"), false},
		{"a prefix does not take a shorter path", mesh.Match{Prefix: "/foo/"}, request("GET /foo"), false},
		{"a prefix does not see the query", mesh.Match{Prefix: "/a?"}, request("GET /a?b"), false},
		{"the root prefix does not take CONNECT", mesh.Match{Prefix: "/"}, request("CONNECT "), false},
		{"the root prefix does not take an asterisk", mesh.Match{Prefix: "/"}, request("OPTIONS *"), false},
		{"an exact path takes itself with any query", mesh.Match{Exact: "/foo"}, request("GET /foo?x=1"), true},
		{"an exact path takes nothing longer", mesh.Match{Exact: "/foo"}, request("GET /foo/"), false},
		{"a path regex takes the whole path", mesh.Match{Regex: "/v[0-9]+"}, request("GET /v12?x"), true},
		{"a path regex does not take a part", mesh.Match{Regex: "/v[0-9]+"}, request("GET /v12/x"), false},
		{"a path regex with alternatives is anchored whole", mesh.Match{Regex: "/a|/b"}, request("GET /bc"), false},
		{"a path regex does not take CONNECT", mesh.Match{Regex: ".*"}, request("CONNECT "), false},

		{"a method takes itself", mesh.Match{Method: "GET"}, request("GET /"), true},
		{"a method takes no other", mesh.Match{Method: "GET"}, request("POST /"), false},
		{"a method is case sensitive", mesh.Match{Method: "GET"}, request("get /"), false},

		{"a plaintext request is http", mesh.Match{Scheme: "http"}, request("GET /"), true},
		{"a plaintext request is not https", mesh.Match{Scheme: "https"}, request("GET /"), false},
		{"x-forwarded-proto says https", mesh.Match{Scheme: "https"}, request("GET /", "X-Forwarded-Proto: HTTPS"), true},
		{"an unknown x-forwarded-proto says nothing", mesh.Match{Scheme: "http"}, request("GET /", "X-Forwarded-Proto: ftp"), true},
		{"x-forwarded-proto twice says nothing", mesh.Match{Scheme: "https"}, request("GET /", "X-Forwarded-Proto: https", "X-Forwarded-Proto: https"), false},
		{"an absolute target says http", mesh.Match{Scheme: "http"}, absolute, true},

		{"gRPC by content type", mesh.Match{GRPC: true}, request("POST /", "Content-Type: application/grpc"), true},
		{"gRPC with a codec", mesh.Match{GRPC: true}, request("POST /", "content-type: application/grpc+proto"), true},
		{"gRPC-Web is not gRPC", mesh.Match{GRPC: true}, request("POST /", "content-type: application/grpc-web"), false},
		{"no content type is not gRPC", mesh.Match{GRPC: true}, request("POST /"), false},

		{"a header is found in any case", exact, request("GET /", "X-User: beta"), true},
		{"a header value is case sensitive", exact, request("GET /", "X-User: Beta"), false},
		{"a header that is missing has no value", exact, request("GET /"), false},
		{"a header that was removed is missing", exact, removed(request("GET /", "x-request-id: 1", "x-user: beta"), 1), false},
		{"several values are joined by a comma", header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchExact, Value: "a,b,c"}),
			request("GET /", "X-User: a", "Other: -", "x-user: b", "X-USER: c"), true},
		{"one of several values is not enough", exact, request("GET /", "X-User: alpha", "X-User: beta"), false},
		{"an inverted value takes another value", notExact, request("GET /", "x-user: alpha"), true},
		{"an inverted value does not take the value", notExact, request("GET /", "x-user: beta"), false},
		{"an inverted value does not take a missing header", notExact, request("GET /"), false},
		{"presence takes an empty value", present, request("GET /", "x-user: "), true},
		{"presence takes several values", present, request("GET /", "x-user: ", "x-user: "), true},
		{"presence does not take a missing header", present, request("GET /"), false},
		{"inverted presence takes a missing header", absent, request("GET /"), true},
		{"inverted presence does not take a header", absent, request("GET /", "x-user: "), false},
		{"a header prefix", header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchPrefix, Value: "be"}), request("GET /", "x-user: beta"), true},
		{"a header prefix longer than the value", header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchPrefix, Value: "beta2"}), request("GET /", "x-user: beta"), false},
		{"a header suffix", header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchSuffix, Value: "ta"}), request("GET /", "x-user: beta"), true},
		{"a header suffix longer than the value", header(mesh.HeaderMatch{Name: "x-user", Kind: mesh.MatchSuffix, Value: "a-beta"}), request("GET /", "x-user: beta"), false},
		{"a header regex takes the whole value", regex, request("GET /", "x-user: bbb"), true},
		{"a header regex does not take a part", regex, request("GET /", "x-user: ab"), false},
		{"a range includes its start", ranged, request("GET /", "x-n: -5"), true},
		{"a range excludes its end", ranged, request("GET /", "x-n: 10"), false},
		{"a range takes no fraction", ranged, request("GET /", "x-n: 9.0"), false},
		{"a range takes no text", ranged, request("GET /", "x-n: "), false},

		{":path is the target with its query", pseudo(":path", mesh.MatchExact, "/a?b=1"), request("GET /a?b=1"), true},
		{":path is missing for CONNECT", header(mesh.HeaderMatch{Name: ":path", Invert: true}), request("CONNECT "), true},
		{":method", pseudo(":method", mesh.MatchExact, "PUT"), request("PUT /"), true},
		{":authority", pseudo(":authority", mesh.MatchSuffix, ".local"), request("GET /"), true},
		{"host is :authority", pseudo("Host", mesh.MatchExact, "svc.local"), request("GET /", "Host: other"), true},
		{"HTTP/2 says its scheme", mesh.Match{Scheme: "http"}, said("http"), true},
		{"HTTP/2's scheme counts before x-forwarded-proto", mesh.Match{Scheme: "https"}, said("http"), false},
		{"HTTP/2's scheme in capitals", mesh.Match{Scheme: "https"}, said("HTTPS"), true},
		{"HTTP/2 with a scheme of its own", mesh.Match{Scheme: "http"}, said("ftp"), false},
		{":scheme of HTTP/2", pseudo(":scheme", mesh.MatchExact, "ftp"), said("ftp"), true},
		{"gRPC wants its own content type", mesh.Match{GRPC: true, Prefix: "/a.B/"}, request("POST /a.B/C", "content-type: application/json"), false},
		{"a gRPC service", mesh.Match{GRPC: true, Prefix: "/a.B/"}, request("POST /a.B/C", "content-type: application/grpc"), true},
		{"a gRPC method", mesh.Match{GRPC: true, Exact: "/a.B/C"}, request("POST /a.B/C", "content-type: application/grpc+proto"), true},
		{"another gRPC method", mesh.Match{GRPC: true, Exact: "/a.B/C"}, request("POST /a.B/D", "content-type: application/grpc"), false},
		{":scheme is http", pseudo(":scheme", mesh.MatchExact, "http"), request("GET /"), true},
		{":scheme is https behind x-forwarded-proto", pseudo(":scheme", mesh.MatchExact, "https"), request("GET /", "x-forwarded-proto: https"), true},

		{"a parameter is present", query("b", mesh.MatchPresent, ""), request("GET /?a=1&b"), true},
		{"a parameter is not present", query("b", mesh.MatchPresent, ""), request("GET /?bb=1&a=b"), false},
		{"a parameter has a value", query("b", mesh.MatchExact, "1"), request("GET /?bb=2&b=1"), true},
		{"only a parameter's first value counts", query("b", mesh.MatchExact, "2"), request("GET /?b=1&b=2"), false},
		{"a value is compared raw", query("b", mesh.MatchExact, "a"), request("GET /?b=%61"), false},
		{"a value may hold an equals sign", query("b", mesh.MatchExact, "1=2"), request("GET /?b=1=2"), true},
		{"a parameter without = is empty", query("b", mesh.MatchExact, ""), request("GET /?b"), true},
		{"no query has no parameters", query("b", mesh.MatchPresent, ""), request("GET /b"), false},

		{"all conditions must hold", mesh.Match{Prefix: "/api", Method: "GET", Headers: exact.Headers, Query: query("v", mesh.MatchExact, "2").Query},
			request("GET /api/x?v=2", "x-user: beta"), true},
		{"one condition fails", mesh.Match{Prefix: "/api", Method: "GET", Headers: exact.Headers, Query: query("v", mesh.MatchExact, "2").Query},
			request("GET /api/x?v=1", "x-user: beta"), false},
	} {
		t.Run(tt.says, func(t *testing.T) {
			table := tableOf(t, mesh.Route{Name: "r", Match: tt.match})
			if r, ok := table.Match(tt.req); ok != tt.want || ok && r.Spec.Name != "r" {
				t.Errorf("Match = %v, %v; want %v", r, ok, tt.want)
			}
		})
	}
}

func removed(req *l7.Request, field int) *l7.Request {
	req.Header.Fields[field].Name = nil
	return req
}

func TestParseInt(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-1": "-1", "+7": "7", " 12\t": "12", "007": "7",
		"9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808",
		"9223372036854775808": "", "-9223372036854775809": "", "99999999999999999999999": "",
		"": "", " ": "", "-": "", "+": "", "1 2": "", "1e3": "", "0x1": "", "--1": "",
	} {
		got := ""
		if n, ok := parseInt([]byte(in)); ok {
			got = fmt.Sprint(n)
		}
		if got != want {
			t.Errorf("parseInt(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		expr, value string
		want        bool
	}{
		{"a|ab", "ab", true},
		{"(?i)abc", "ABC", true},
		{`\Qa.b`, "a.b", true},
		{`\Qa.b`, "axb", false},
		{`\Qa.b\E+`, "a.bb", true},
		{"a$", "a\n", false},
		{"(?m)a$", "a\nb", false},
		{".*", "a\nb", false},
		{"", "", true},
		{"", "a", false},
	} {
		p, err := mesh.CompilePattern(tt.expr)
		if err != nil {
			t.Errorf("CompilePattern(%q): %v", tt.expr, err)
		} else if got := p.MatchString(tt.value); got != tt.want {
			t.Errorf("%q takes %q: %v, want %v", tt.expr, tt.value, got, tt.want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a)|(?:b", "b")
	f.Add(`\Qa`, "a")
	f.Add("(?i)x{900}", "X")
	f.Fuzz(func(t *testing.T, expr, value string) {
		if len(expr) > 255 { // App Mesh's bound
			return
		}
		p, err := mesh.CompilePattern(expr)
		if err != nil {
			return
		}
		if p.MatchString(value) {
			if loc := p.FindStringIndex(value); loc[0] != 0 || loc[1] != len(value) {
				t.Fatalf("%q matched only %v of %q", expr, loc, value)
			}
		}
	})
}
