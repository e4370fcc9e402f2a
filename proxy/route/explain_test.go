package route

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

func TestExplainSaysWhichConditionFailed(t *testing.T) {
	match := mesh.Match{
		Prefix: "/api/", Method: "POST", Scheme: "http", GRPC: true,
		Headers: []mesh.HeaderMatch{
			{Name: "x-a", Kind: mesh.MatchExact, Value: "true"},
			{Name: "x-b", Kind: mesh.MatchRange, Start: 1, End: 10, Invert: true},
			{Name: "x-c", Invert: true},
		},
		Query: []mesh.QueryMatch{{Name: "q", Kind: mesh.MatchExact, Value: "1"}},
	}
	fields := func(more ...string) []string {
		return append([]string{"content-type", "application/grpc", "x-a", "true", "x-b", "11"}, more...)
	}
	for _, tt := range []struct {
		says, method, target string
		fields               []string
		failed, had          string
	}{
		{"the path", "POST", "/ap?q=1", fields(), "prefix /api/", "the path is /ap"},
		{"no path", "OPTIONS", "*", fields(), "prefix /api/", "the request has no path"},
		{"the method", "GET", "/api/?q=1", fields(), "method POST", "the method is GET"},
		{"the scheme", "POST", "/api/?q=1", fields("x-forwarded-proto", "https"), "scheme http", "the scheme is https"},
		{"no content type", "POST", "/api/?q=1", nil, "gRPC", "content-type: the request has none"},
		{"another content type", "POST", "/api/?q=1", []string{"content-type", "text/html"}, "gRPC", `content-type: it is "text/html"`},
		{"a header that is absent", "POST", "/api/?q=1", []string{"content-type", "application/grpc"}, `header x-a is "true"`, "the request has none"},
		{"a header that is another", "POST", "/api/?q=1", []string{"content-type", "application/grpc", "x-a", "false"}, `header x-a is "true"`, `it is "false"`},
		{"a header that comes twice", "POST", "/api/?q=1", fields("X-A", "1"), `header x-a is "true"`, `it is "true,1"`},
		{"a range, inverted", "POST", "/api/?q=1", []string{"content-type", "application/grpc", "x-a", "true", "x-b", "9"}, "header x-b is not from 1 to 9", `it is "9"`},
		{"a header that must be absent", "POST", "/api/?q=1", fields("x-c", ""), "header x-c is absent", `it is ""`},
		{"a query parameter that is absent", "POST", "/api/?r=1", fields(), `query parameter q is "1"`, "the request has none"},
		{"a query parameter that is another", "POST", "/api/?q=2&q=1", fields(), `query parameter q is "1"`, `it is "2"`},
		{"nothing", "POST", "/api/?q=1", fields(), "", ""},
	} {
		table, err := Compile(&mesh.Listener{VirtualHosts: []mesh.VirtualHost{{Name: "a", Domains: []string{"*"}, Routes: []mesh.Route{{Name: "r", Match: match}, {Name: "s"}}}}}, clusterName)
		if err != nil {
			t.Fatal(err)
		}
		look := table.Explain(explainedRequest(tt.method, "a", tt.target, tt.fields))
		try := look.Tries[0]
		if try.Failed != tt.failed || try.Had != tt.had || try.Taken != (tt.failed == "") {
			t.Errorf("%s: failed %q, had %q, taken %v; want %q, %q", tt.says, try.Failed, try.Had, try.Taken, tt.failed, tt.had)
		}
		if behind := look.Untried; try.Taken && behind != 1 || !try.Taken && behind != 0 {
			t.Errorf("%s: %d routes are left", tt.says, behind)
		}
	}
}

func TestExplainSaysByWhichDomain(t *testing.T) {
	hosts := []mesh.VirtualHost{
		{Name: "a", Domains: []string{"a.local", "a.local:8080"}},
		{Name: "suffix", Domains: []string{"*.local"}},
		{Name: "longer", Domains: []string{"*.shop.local"}},
		{Name: "rest", Domains: []string{"*"}},
	}
	for _, anyPort := range []bool{false, true} {
		table, err := Compile(&mesh.Listener{VirtualHosts: hosts, AnyPort: anyPort}, clusterName)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ authority, host, domain, anyPort string }{
			{"A.local", "a", "a.local", ""},
			{"a.local:8080", "a", "a.local:8080", "a.local"},
			{"b.local", "suffix", "*.local", ""},
			{"b.shop.local", "longer", "*.shop.local", ""},
			{"shop.local", "suffix", "*.local", ""},
			{"b.org", "rest", "*", ""},
			{"", "rest", "*", ""},
		} {
			if anyPort && tt.anyPort != "" {
				tt.domain = tt.anyPort
			}
			look := table.Explain(explainedRequest("GET", tt.authority, "/", nil))
			if look.Host == nil || look.Host.Name != tt.host || look.Domain != tt.domain {
				t.Errorf("%q, any port %v: found %+v by %q, want %s by %q", tt.authority, anyPort, look.Host, look.Domain, tt.host, tt.domain)
			}
		}
	}
	var none Table[string]
	if look := none.Explain(explainedRequest("GET", "a", "/", nil)); look.Host != nil {
		t.Errorf("an empty table has %+v", look.Host)
	}
}

// Whatever the routes and the request, Explain ends with the route that Match
// takes, and every route before it has a condition that failed.
func TestExplainEndsWhereMatchEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	of := func(all ...string) string { return all[rng.IntN(len(all))] }
	taken := 0
	for range 3000 {
		var routes []mesh.Route
		for i := range 4 {
			m := mesh.Match{Method: of("", "", "GET", "PUT"), Scheme: of("", "", "http", "https"), GRPC: rng.IntN(5) == 0}
			switch rng.IntN(3) {
			case 0:
				m.Exact = of("/", "/a", "/a/b")
			case 1:
				m.Regex = of("/.*", "/a.*", ".")
			default:
				m.Prefix = of("", "/", "/a")
			}
			if rng.IntN(2) == 0 {
				m.Headers = append(m.Headers, mesh.HeaderMatch{Name: of("x", ":path", "host"), Kind: mesh.MatchKind(rng.IntN(6)), Value: of("1", "/a", "a"), Start: 1, End: 3, Invert: rng.IntN(2) == 0})
			}
			if rng.IntN(3) == 0 {
				m.Query = append(m.Query, mesh.QueryMatch{Name: "q", Kind: mesh.MatchKind(rng.IntN(2)), Value: "1"})
			}
			routes = append(routes, mesh.Route{Name: fmt.Sprint(i), Match: m})
		}
		table, err := Compile(&mesh.Listener{VirtualHosts: []mesh.VirtualHost{{Name: "a", Domains: []string{"a"}, Routes: routes}}}, clusterName)
		if err != nil {
			t.Fatal(err)
		}
		req := explainedRequest(of("GET", "PUT", "OPTIONS"), of("a", "a", "A", "b"), of("/", "/a?q=1", "/a/b", "*", "/x?q"),
			[]string{of("x", "content-type", "x-forwarded-proto"), of("1", "application/grpc", "https")})
		look, want := table.Explain(req), (*mesh.Route)(nil)
		if r, ok := table.Match(req); ok {
			want = r.Spec
			taken++
		}
		var got *mesh.Route
		for _, try := range look.Tries {
			if try.Taken {
				got = try.Spec
			} else if try.Had == "" || try.Failed == "" {
				t.Errorf("%+v failed without a reason: %+v", try.Spec.Match, try)
			}
		}
		if got != want {
			t.Fatalf("explained as %+v, taken is %+v", got, want)
		}
	}
	if taken < 500 {
		t.Errorf("only %d requests took a route", taken)
	}
}

// explainedRequest makes a request; fields are names and values in turn.
func explainedRequest(method, authority, target string, fields []string) *l7.Request {
	req := &l7.Request{Method: []byte(method), Authority: []byte(authority), Target: []byte(target)}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Add(l7.ClassifyName([]byte(fields[i])), []byte(fields[i]), []byte(fields[i+1]))
	}
	return req
}
