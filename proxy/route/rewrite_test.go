package route

import (
	"bytes"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// service is a virtual service whose one route takes everything.
func service(name string) *mesh.VirtualHost {
	return &mesh.VirtualHost{Name: name, Routes: []mesh.Route{{Name: "inner"}}}
}

func prefix(p string) *string { return &p }

func TestRewritesChangePathAndHost(t *testing.T) {
	slash := &mesh.Rewrite{Prefix: prefix("/"), Host: "svc.mesh"}
	for _, tt := range []struct {
		says           string
		match          mesh.Match
		rewrite        *mesh.Rewrite
		target         string
		want, original string
	}{
		{"the prefix by default", mesh.Match{Prefix: "/x"}, slash, "/x/a", "/a", "/x/a"},
		{"all of the path", mesh.Match{Prefix: "/x"}, slash, "/x", "/", "/x"},
		{"a longer word", mesh.Match{Prefix: "/x"}, slash, "/xyz", "/yz", "/xyz"},
		{"a prefix that ends with a slash", mesh.Match{Prefix: "/x/"}, slash, "/x/a/b", "/a/b", "/x/a/b"},
		{"the query stays", mesh.Match{Prefix: "/x"}, slash, "/x?a=/x&b=//", "/?a=/x&b=//", "/x?a=/x&b=//"},
		{"the root", mesh.Match{Prefix: "/"}, slash, "/a", "/a", "/a"},
		{"a value", mesh.Match{Prefix: "/x"}, &mesh.Rewrite{Prefix: prefix("/v2/")}, "/x/abc", "/v2/abc", "/x/abc"},
		{"a value, nothing behind", mesh.Match{Prefix: "/x"}, &mesh.Rewrite{Prefix: prefix("/v2/")}, "/x", "/v2/", "/x"},
		{"a prefix by itself", mesh.Match{Prefix: "/x"}, &mesh.Rewrite{Prefix: prefix("/x")}, "/x/a", "/x/a", "/x/a"},
		{"a prefix by nothing", mesh.Match{Prefix: "/x"}, &mesh.Rewrite{Prefix: prefix("")}, "/xa", "/a", "/xa"},
		{"dots that were part of a word", mesh.Match{Prefix: "/a"}, slash, "/a../secret", "/secret", "/a../secret"},
		{"what is not canonical", mesh.Match{Prefix: "/a"}, slash, "/a./b", "/b", "/a./b"},
		{"any path", mesh.Match{}, &mesh.Rewrite{Prefix: prefix("/v1")}, "/a", "/v1/a", "/a"},
		{"the path", mesh.Match{Exact: "/a"}, &mesh.Rewrite{Path: "/b/c"}, "/a?q", "/b/c?q", "/a?q"},
		{"a path that a regex matched", mesh.Match{Regex: "/a.*"}, &mesh.Rewrite{Path: "/b"}, "/abc", "/b", "/abc"},
		{"a path with a query", mesh.Match{Exact: "/a"}, &mesh.Rewrite{Path: "/b"}, "/a?", "/b?", "/a?"},
		{"an exact path as a prefix", mesh.Match{Exact: "/a"}, slash, "/a?q", "/?q", "/a?q"},
		{"a prefix by itself", mesh.Match{Prefix: "/x"}, &mesh.Rewrite{Prefix: prefix("/x")}, "/xy/a%2Fb?q", "/xy/a%2Fb?q", "/xy/a%2Fb?q"},
		{"the root by itself", mesh.Match{Prefix: "/"}, slash, "/a?q", "/a?q", "/a?q"},
		{"the host alone", mesh.Match{Prefix: "/x"}, &mesh.Rewrite{Host: "svc.mesh"}, "/x/a", "/x/a", ""},
		{"nothing", mesh.Match{Prefix: "/x"}, nil, "/x/a", "/x/a", ""},
		{"no path to rewrite", mesh.Match{}, slash, "*", "*", ""},
	} {
		t.Run(tt.says, func(t *testing.T) {
			table := tableOf(t, mesh.Route{Match: tt.match, Rewrite: tt.rewrite, Service: service("svc.mesh")})
			ex := &l7.Exchange{Request: *request("GET "+tt.target, "Host: www.example.com:80")}
			ex.Request.Authority = []byte("www.example.com:80")
			if r, ok := table.Match(&ex.Request); !ok || !r.Rewrite(ex) {
				t.Fatal("was not rewritten")
			}
			if got := string(ex.Request.Target); got != tt.want {
				t.Errorf("target %q, want %q", got, tt.want)
			}
			original, _ := ex.Request.Header.Append(nil, "x-envoy-original-path")
			if string(original) != tt.original {
				t.Errorf("x-envoy-original-path %q, want %q", original, tt.original)
			}
			host, named := "www.example.com:80", "svc.mesh"
			if tt.rewrite != nil && tt.rewrite.Host != "" {
				host, named = tt.rewrite.Host, ""
			}
			hop, _ := ex.Request.Header.Append(nil, "x-app-mesh-virtual-service")
			field := ex.Request.Header.Find(l7.NameHost)
			if string(ex.Request.Authority) != host || string(field.Value) != host || string(hop) != named {
				t.Errorf("authority %q, host %q, x-app-mesh-virtual-service %q; want %q twice and %q",
					ex.Request.Authority, field.Value, hop, host, named)
			}
		})
	}
}

func TestAnOriginalPathIsTheGatewaysOwnWord(t *testing.T) {
	table := tableOf(t, mesh.Route{Rewrite: &mesh.Rewrite{Path: "/b"}, Service: service("s")})
	ex := &l7.Exchange{Request: *request("GET /a", "X-Envoy-Original-Path: /evil", "x-envoy-original-path: /evil")}
	r, _ := table.Match(&ex.Request)
	r.Rewrite(ex)
	if got, _ := ex.Request.Header.Append(nil, "x-envoy-original-path"); string(got) != "/a" {
		t.Errorf("x-envoy-original-path %q", got)
	}
}

func TestARewrittenPathThatCannotBeIsRefused(t *testing.T) {
	table := tableOf(t, mesh.Route{Match: mesh.Match{Prefix: "/a"}, Rewrite: &mesh.Rewrite{Prefix: prefix("/%0")}, Service: service("s")})
	ex := &l7.Exchange{Request: *request("GET /a0")}
	r, _ := table.Match(&ex.Request)
	if r.Rewrite(ex) || string(ex.Request.Target) != "/a0" {
		t.Errorf("the target became %q", ex.Request.Target)
	}
}

func TestNextRoutesWhatWasRewritten(t *testing.T) {
	target := func(name string) []mesh.Target {
		return []mesh.Target{{Cluster: &mesh.Cluster{Name: name}, Weight: 1}}
	}
	svc := &mesh.VirtualHost{Name: "svc.mesh", Domains: []string{"svc.mesh"}, Routes: []mesh.Route{
		{Name: "v2", Match: mesh.Match{Prefix: "/v2/"}, Targets: target("v2")},
		{Name: "host", Match: mesh.Match{Headers: []mesh.HeaderMatch{{Name: "host", Kind: mesh.MatchExact, Value: "svc.mesh"}}}, Targets: target("host")},
		{Name: "hop", Match: mesh.Match{Headers: []mesh.HeaderMatch{{Name: "x-app-mesh-virtual-service"}}}, Targets: target("hop")},
	}}
	calls := 0
	table, err := Compile(&mesh.Listener{AnyPort: true, VirtualHosts: []mesh.VirtualHost{{Domains: []string{"*"}, Routes: []mesh.Route{
		{Match: mesh.Match{Prefix: "/new"}, Rewrite: &mesh.Rewrite{Prefix: prefix("/v2/")}, Service: svc},
		{Match: mesh.Match{Prefix: "/host"}, Rewrite: &mesh.Rewrite{Host: "svc.mesh"}, Service: svc},
		{Match: mesh.Match{Prefix: "/keep"}, Service: svc},
		{Match: mesh.Match{Prefix: "/none"}, Rewrite: &mesh.Rewrite{Host: "empty.mesh"}, Service: &mesh.VirtualHost{Name: "empty.mesh"}},
	}}}}, func(c *mesh.Cluster) string { calls++; return c.Name })
	if err != nil {
		t.Fatal(err)
	}
	if calls != 3 {
		t.Errorf("%d clusters were resolved, want 3: the service is compiled once", calls)
	}
	for path, want := range map[string]string{"/new/x": "v2", "/host": "host", "/keep": "hop", "/none": ""} {
		ex := &l7.Exchange{Request: *request("GET " + path)}
		r, ok := table.Match(&ex.Request)
		if !ok || !r.Rewrite(ex) {
			t.Fatal(path)
		}
		got := ""
		if next, ok := r.Next(&ex.Request); ok {
			got, _ = next.Pick(0)
			if next.Spec.Name != got || next.Host != svc {
				t.Errorf("%s: route %q of %q", path, next.Spec.Name, next.Host.Name)
			}
		}
		if got != want {
			t.Errorf("%s went to %q, want %q", path, got, want)
		}
	}
}

func TestCompileRefusesGatewayRoutes(t *testing.T) {
	nested := service("outer")
	nested.Routes[0].Service = service("inner")
	broken := service("broken")
	broken.Routes[0].Match.Regex = "("
	for want, r := range map[string]mesh.Route{
		"behind a virtual service": {Service: nested},
		"exclude one another":      {Service: service("s"), Rewrite: &mesh.Rewrite{Prefix: prefix("/"), Path: "/a"}},
		`virtual service "broken"`: {Service: broken},
	} {
		_, err := Compile(&mesh.Listener{VirtualHosts: []mesh.VirtualHost{{Domains: []string{"*"}, Routes: []mesh.Route{r}}}}, clusterName)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile said %v, want it to say %q", err, want)
		}
	}
}

// gatewayRequest is a table and a request that its one route rewrites.
func gatewayRequest(t testing.TB) (*Table[string], *l7.Exchange, func()) {
	table := tableOf(t, mesh.Route{Match: mesh.Match{Prefix: "/new"}, Rewrite: &mesh.Rewrite{Prefix: prefix("/v2/")}, Service: service("svc.mesh")})
	ex := &l7.Exchange{}
	fields := request("", "Host: www.example.com", "User-Agent: test").Header.Fields
	target, authority := []byte("/new/users/42?limit=10"), []byte("www.example.com")
	return table, ex, func() {
		ex.Reset()
		ex.Request.Target, ex.Request.Authority = target, authority
		ex.Request.Header.Fields = append(ex.Request.Header.Fields, fields...)
	}
}

func TestRewriteDoesNotAllocate(t *testing.T) {
	table, ex, again := gatewayRequest(t)
	n := testing.AllocsPerRun(100, func() {
		again()
		r, _ := table.Match(&ex.Request)
		r.Rewrite(ex)
		if _, ok := r.Next(&ex.Request); !ok || string(ex.Request.Target) != "/v2/users/42?limit=10" {
			t.Fatalf("target %q", ex.Request.Target)
		}
	})
	if n != 0 && !raceEnabled {
		t.Errorf("a gateway's request allocates %v times, want 0", n)
	}
}

func BenchmarkRewrite(b *testing.B) {
	table, ex, again := gatewayRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		again()
		r, _ := table.Match(&ex.Request)
		r.Rewrite(ex)
		r.Next(&ex.Request)
	}
}

// A rewritten path begins with "/" and is canonical, whatever documents and
// clients write; nothing else of the exchange's memory changes.
func FuzzRewrite(f *testing.F) {
	for _, s := range [][3]string{{"/x", "/", "/x/a"}, {"/x", "/v2/", "/x//../a?b"}, {"/a", "", "/a../b"}, {"/", "b%", "/41/%"}, {"", "?", "/a"},
		{"/%", "/%4", "/%1"}, {"/a", "/..", "/a/b"}, {"/x", "//", "/x/"}, {"/x", "/#", "/x"}, {"/x/", "/%0", "/x/0"}, {"/x", `\`, `/x\`}} {
		f.Add(s[0], s[1], []byte(s[2]), true)
		f.Add(s[0], s[1], []byte(s[2]), false)
	}
	f.Fuzz(func(t *testing.T, condition, text string, raw []byte, whole bool) {
		target, ok := NormalizePath(nil, raw)
		if !ok || len(target) == 0 || target[0] != '/' {
			return
		}
		rewrite := &mesh.Rewrite{Prefix: &text}
		if whole {
			rewrite = &mesh.Rewrite{Path: text}
		}
		table := tableOf(t, mesh.Route{Match: mesh.Match{Prefix: condition}, Rewrite: rewrite, Service: service("s")})
		ex := &l7.Exchange{Scratch: []byte("kept")}
		ex.Request.Target = bytes.Clone(target)
		r, ok := table.Match(&ex.Request)
		if !ok || !r.Rewrite(ex) {
			return
		}
		got := ex.Request.Target
		again, ok := NormalizePath(nil, got)
		if len(got) == 0 || got[0] != '/' || !ok || !bytes.Equal(again, got) {
			t.Fatalf("%q, prefix %q to %q: got %q, which is %q, %v, when spelled canonically", target, condition, text, got, again, ok)
		}
		original := ex.Request.Header.Lookup("x-envoy-original-path")
		if original == nil && !(whole && text == "") || original != nil && !bytes.Equal(original.Value, target) || string(ex.Scratch[:4]) != "kept" {
			t.Fatalf("original path %v of %q, scratch %q", original, target, ex.Scratch)
		}
		ex.Scratch = append(ex.Scratch, "more"...)
		if !bytes.Equal(again, ex.Request.Target) {
			t.Fatal("the target lies where memory is free")
		}
	})
}
