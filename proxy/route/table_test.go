package route

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

func TestMatchChoosesTheVirtualHostByAuthority(t *testing.T) {
	anyRoute := func(name string) []mesh.Route { return []mesh.Route{{Name: name}} }
	named := []mesh.VirtualHost{
		{Name: "svc", Domains: []string{"svc.local", "svc.local:8080"}, Routes: anyRoute("svc")},
		{Name: "Other", Domains: []string{"Other.Local"}, Routes: anyRoute("other")},
		{Name: "empty", Domains: []string{"empty.local"}},
	}
	withDefault := append(named[:len(named):len(named)], mesh.VirtualHost{Name: "rest", Domains: []string{"*"}, Routes: anyRoute("rest")})
	long := strings.Repeat("A", 4096)
	for _, tt := range []struct {
		says, authority, strict, open string
	}{
		{"a name", "svc.local", "svc", "svc"},
		{"a name with its port", "svc.local:8080", "svc", "svc"},
		{"a name with another port", "svc.local:81", "", "rest"},
		{"a name in another case", "SVC.Local:8080", "svc", "svc"},
		{"a domain written in capitals", "other.local", "other", "other"},
		{"a short name", "svc", "", "rest"},
		{"a name with a trailing dot", "svc.local.", "", "rest"},
		{"a virtual host without routes does not fall back", "empty.local", "", ""},
		{"nobody's name", "nobody", "", "rest"},
		{"no name", "", "", "rest"},
		{"an asterisk is no wildcard in a request", "*", "", "rest"},
		{"a name longer than any domain", long, "", "rest"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			for _, c := range []struct {
				hosts []mesh.VirtualHost
				want  string
			}{{named, tt.strict}, {withDefault, tt.open}} {
				table, err := Compile(&mesh.Listener{VirtualHosts: c.hosts}, clusterName)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				if r, ok := table.Match(&l7.Request{Authority: []byte(tt.authority), Target: []byte("/")}); ok {
					got = r.Spec.Name
				}
				if got != c.want {
					t.Errorf("authority %.20q with %d hosts took route %q, want %q", tt.authority, len(c.hosts), got, c.want)
				}
			}
		})
	}
}

func TestMatchTakesTheFirstRouteThatMatches(t *testing.T) {
	table := tableOf(t,
		mesh.Route{Name: "beta", Match: mesh.Match{Prefix: "/", Headers: []mesh.HeaderMatch{{Name: "x-beta-user", Kind: mesh.MatchExact, Value: "true"}}}},
		mesh.Route{Name: "short", Match: mesh.Match{Prefix: "/api"}},
		mesh.Route{Name: "long", Match: mesh.Match{Prefix: "/api/users"}},
	)
	for _, tt := range []struct {
		req  *l7.Request
		want string
	}{
		{request("GET /api/users", "X-Beta-User: true"), "beta"},
		{request("GET /api/users"), "short"},
		{request("GET /other"), ""},
	} {
		got := ""
		if r, ok := table.Match(tt.req); ok {
			got = r.Spec.Name
			if r.Host.Name != "svc" {
				t.Errorf("the route says it belongs to %q", r.Host.Name)
			}
		}
		if got != tt.want {
			t.Errorf("%s took route %q, want %q", tt.req.Target, got, tt.want)
		}
	}
}

func TestTheZeroTableMatchesNothing(t *testing.T) {
	if r, ok := new(Table[int]).Match(request("GET /")); ok {
		t.Errorf("Match = %v", r)
	}
}

func TestCompileRefuses(t *testing.T) {
	bad := func(m mesh.Match) []mesh.VirtualHost {
		at := mesh.At(mesh.Position{File: "routes.yaml", Line: 41})
		return []mesh.VirtualHost{{Name: "svc", Domains: []string{"svc"}, Routes: []mesh.Route{{Name: "r", Match: m, Origin: at}}}}
	}
	header := func(h mesh.HeaderMatch) []mesh.VirtualHost { return bad(mesh.Match{Headers: []mesh.HeaderMatch{h}}) }
	domains := func(d ...string) []mesh.VirtualHost {
		return []mesh.VirtualHost{{Name: "one", Domains: d[:1]}, {Name: "two", Domains: d[1:]}}
	}
	for _, tt := range []struct {
		says  string
		hosts []mesh.VirtualHost
		want  string
	}{
		{"two kinds of path", bad(mesh.Match{Prefix: "/", Exact: "/a"}), "exclude one another"},
		{"a regex that is none", bad(mesh.Match{Regex: "a("}), `match.path.regex: "a(" is not an RE2 expression`},
		{"a regex that only the anchors would close", bad(mesh.Match{Regex: "a)|(?:b"}), "not an RE2 expression"},
		{"look-ahead", bad(mesh.Match{Regex: "a(?=b)"}), "not an RE2 expression"},
		{"a regex that is too large", bad(mesh.Match{Regex: "(a{30}b{30}){20}"}), "too large: 12"},
		{"a header without a name", header(mesh.HeaderMatch{}), "match.headers[0] \"\": has no name"},
		{"a header regex that is none", header(mesh.HeaderMatch{Name: "x", Kind: mesh.MatchRegex, Value: "["}), `match.headers[0] "x": regex: "["`},
		{"an empty range", header(mesh.HeaderMatch{Name: "x", Kind: mesh.MatchRange, Start: 3, End: 3}), "the end must be greater"},
		{"an unknown kind", header(mesh.HeaderMatch{Name: "x", Kind: 99}), "unknown kind"},
		{"a parameter without a name", bad(mesh.Match{Query: []mesh.QueryMatch{{}}}), "match.queryParameters[0] \"\": has no name"},
		{"a parameter regex", bad(mesh.Match{Query: []mesh.QueryMatch{{Name: "x", Kind: mesh.MatchRegex}}}), "by presence or exactly"},
		{"a scheme nobody knows", bad(mesh.Match{Scheme: "ftp"}), `match.scheme "ftp"`},
		{"the place of the route", bad(mesh.Match{Scheme: "ftp"}), `compiling virtual host "svc"`},
		{"the line of the route", bad(mesh.Match{Scheme: "ftp"}), `route "r" (routes.yaml:41): `},
		{"a domain twice", domains("a", "A"), "another virtual host has it already"},
		{"the default twice", domains("*", "*"), "another virtual host has it already"},
		{"a wildcard in the middle", domains("a.*", "b"), "may stand alone or in front"},
		{"two wildcards", domains("**", "b"), "may stand alone or in front"},
		{"a suffix twice", domains("*.a", "*.A"), "another virtual host has it already"},
		{"an empty domain", domains("", "b"), "must have 1 to 320 bytes"},
		{"a domain that is too long", domains(strings.Repeat("a", 321), "b"), "must have 1 to 320 bytes"},
		{"a target without a cluster", []mesh.VirtualHost{{Routes: []mesh.Route{{Targets: make([]mesh.Target, 1)}}}}, "target 0: has no cluster"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			_, err := Compile(&mesh.Listener{VirtualHosts: tt.hosts}, clusterName)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Compile said %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestCompileResolvesEachClusterOnce(t *testing.T) {
	a, b := &mesh.Cluster{Name: "a"}, &mesh.Cluster{Name: "b"}
	targets := []mesh.Target{{Cluster: a, Weight: 1}, {Cluster: b}, {Cluster: a, Weight: 2}}
	hosts := []mesh.VirtualHost{
		{Domains: []string{"x"}, Routes: []mesh.Route{{Targets: targets}, {Targets: targets}}},
		{Domains: []string{"y"}, Routes: []mesh.Route{{Targets: targets}}},
	}
	calls := map[*mesh.Cluster]int{}
	if _, err := Compile(&mesh.Listener{VirtualHosts: hosts}, func(c *mesh.Cluster) int { calls[c]++; return len(calls) }); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 2 || calls[a] != 1 || calls[b] != 1 {
		t.Errorf("resolve was called %v, want once for each of a and b", calls)
	}
}

func routeWith(t testing.TB, weights ...uint32) *Route[string] {
	t.Helper()
	var targets []mesh.Target
	for i, w := range weights {
		targets = append(targets, mesh.Target{Cluster: &mesh.Cluster{Name: fmt.Sprint(i)}, Weight: w})
	}
	r, _ := tableOf(t, mesh.Route{Targets: targets}).Match(request("GET /"))
	return r
}

func TestPickFollowsTheWeights(t *testing.T) {
	for _, tt := range []struct {
		says    string
		weights []uint32
		want    []string // by draw
	}{
		{"one target takes all", []uint32{7}, []string{"0", "0"}},
		{"the total need not be 100", []uint32{2, 1}, []string{"0", "0", "1", "0", "0", "1"}},
		{"a weight of 0 takes nothing", []uint32{0, 1, 0, 1, 0}, []string{"1", "3", "1", "3"}},
		{"no weight at all is refused", []uint32{0, 0}, []string{"refused", "refused"}},
		{"no target at all is refused", nil, []string{"refused"}},
	} {
		t.Run(tt.says, func(t *testing.T) {
			r := routeWith(t, tt.weights...)
			for draw, want := range tt.want {
				got, ok := r.Pick(uint64(draw))
				if !ok {
					got = "refused"
				}
				if got != want {
					t.Errorf("draw %d picked %s, want %s", draw, got, want)
				}
			}
		})
	}
}

func TestPickStaysInRangeForTheLargestWeights(t *testing.T) {
	r := routeWith(t, math.MaxUint32, math.MaxUint32, math.MaxUint32)
	for _, draw := range []uint64{0, math.MaxUint32, math.MaxUint64, 1 << 63} {
		if _, ok := r.Pick(draw); !ok {
			t.Errorf("draw %d was refused", draw)
		}
	}
}

func TestPickSharesAreWithinBounds(t *testing.T) {
	r, rng := routeWith(t, 80, 20), rand.New(rand.NewPCG(5, 6))
	const draws = 100_000
	first := 0
	for range draws {
		if c, _ := r.Pick(rng.Uint64()); c == "0" {
			first++
		}
	}
	// Five standard deviations of a binomial distribution.
	if bound := 5 * math.Sqrt(draws*0.8*0.2); math.Abs(float64(first)-0.8*draws) > bound {
		t.Errorf("80/20 gave %d of %d to the first, want %d within %.0f", first, draws, draws*8/10, bound)
	}
}

// twentyRoutes is a table of 21 virtual hosts, one with twenty routes of all
// kinds, and a request that takes the last.
func twentyRoutes(t testing.TB) (*Table[string], *l7.Request) {
	c := &mesh.Cluster{Name: "c"}
	targets := []mesh.Target{{Cluster: c, Weight: 80}, {Cluster: &mesh.Cluster{Name: "d"}, Weight: 20}}
	var routes []mesh.Route
	for i := range 16 {
		routes = append(routes, mesh.Route{Match: mesh.Match{Prefix: fmt.Sprintf("/api/v%d/", i+2)}, Targets: targets})
	}
	routes = append(routes,
		mesh.Route{Match: mesh.Match{Prefix: "/", Headers: []mesh.HeaderMatch{{Name: "x-beta-user", Kind: mesh.MatchExact, Value: "true"}}}, Targets: targets},
		mesh.Route{Match: mesh.Match{Exact: "/healthz", Method: "GET"}, Targets: targets},
		mesh.Route{Match: mesh.Match{Prefix: "/api", Query: []mesh.QueryMatch{{Name: "preview"}}}, Targets: targets},
		mesh.Route{Name: "last", Match: mesh.Match{Prefix: "/"}, Targets: targets},
	)
	hosts := []mesh.VirtualHost{{Domains: []string{"svc.local", "svc.local:8080"}, Routes: routes}}
	for i := range 20 {
		hosts = append(hosts, mesh.VirtualHost{Domains: []string{fmt.Sprintf("svc%d.local", i)}})
	}
	table, err := Compile(&mesh.Listener{VirtualHosts: hosts}, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	req := request("GET /api/v1/users/42?limit=10", "Host: svc.local:8080", "User-Agent: test", "Accept: */*",
		"X-Request-Id: 7", "X-Forwarded-Proto: http", "Accept-Encoding: gzip", "Cookie: a=b", "X-Many: 1", "X-Many: 2")
	req.Authority = []byte("svc.local:8080")
	return table, req
}

func TestMatchDoesNotAllocate(t *testing.T) {
	table, req := twentyRoutes(t)
	slow := tableOf(t,
		mesh.Route{Match: mesh.Match{Regex: "/api/(v2|v3)/.*"}},
		mesh.Route{Match: mesh.Match{Headers: []mesh.HeaderMatch{{Name: "x-many", Kind: mesh.MatchRegex, Value: "[0-9]+"}}}},
		mesh.Route{Match: mesh.Match{Headers: []mesh.HeaderMatch{{Name: "user-agent", Kind: mesh.MatchRange, End: 5}}}},
		mesh.Route{Match: mesh.Match{Headers: []mesh.HeaderMatch{{Name: ":scheme", Kind: mesh.MatchRegex, Value: "https"}}}},
		mesh.Route{Name: "last", Match: mesh.Match{Headers: []mesh.HeaderMatch{{Name: "x-many", Kind: mesh.MatchExact, Value: "1,2"}}}},
	)
	shouting := *req
	shouting.Authority = []byte("SVC.LOCAL:8080")
	for name, c := range map[string]struct {
		table *Table[string]
		req   *l7.Request
	}{"twenty routes": {table, req}, "capitals": {table, &shouting}, "regex and joined values": {slow, req}} {
		n := testing.AllocsPerRun(100, func() {
			r, ok := c.table.Match(c.req)
			if !ok || r.Spec.Name != "last" {
				t.Fatalf("%s: took %v", name, r)
			}
			r.Pick(77)
		})
		if n != 0 && !raceEnabled {
			t.Errorf("%s: Match allocates %v times, want 0", name, n)
		}
	}
}

func BenchmarkMatch20Routes(b *testing.B) {
	table, req := twentyRoutes(b)
	b.ReportAllocs()
	for b.Loop() {
		table.Match(req)
	}
}

func BenchmarkMatch20RoutesCapitals(b *testing.B) {
	table, req := twentyRoutes(b)
	req.Authority = []byte("Svc.Local:8080")
	b.ReportAllocs()
	for b.Loop() {
		table.Match(req)
	}
}

func BenchmarkPick(b *testing.B) {
	r := routeWith(b, 80, 20)
	draw := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		r.Pick(draw)
		draw += 0x9e3779b97f4a7c15
	}
}
