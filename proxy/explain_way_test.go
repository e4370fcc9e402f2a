package proxy

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// explained is a node with a chain of each sort, and its two clusters for what
// was dialled.
func explained(t *testing.T, change func(*mesh.Snapshot)) (*Routing, *stat.Set) {
	t.Helper()
	clusters := []*mesh.Cluster{
		{Name: "cds_egress_m_amazonaws", Protocol: mesh.TCP, Discovery: mesh.Discovery{Kind: mesh.OriginalDst}},
		{Name: "cds_egress_m_mesh-allow-all", Protocol: mesh.TCP, Discovery: mesh.Discovery{Kind: mesh.OriginalDst}},
		{Name: "here", ConnectTimeout: time.Second, Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{
			netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.2:80")}}},
		{Name: "nowhere"},
		{Name: "there", Discovery: mesh.Discovery{Kind: mesh.StrictDNS, Host: "there.local", Port: 80}},
	}
	all := func(c *mesh.Cluster) []mesh.Target { return []mesh.Target{{Cluster: c, Weight: 1}} }
	host := func(name string, c *mesh.Cluster) mesh.VirtualHost {
		return mesh.VirtualHost{Name: name, Domains: []string{name, name + ":8080"}, Routes: []mesh.Route{{Name: name + "-route", Targets: all(c)}}}
	}
	snap := &mesh.Snapshot{
		Resource: mesh.Resource{Mesh: "m", Name: "n"},
		Clusters: clusters,
		Inbound: []*mesh.Listener{{Port: 3000, Protocol: mesh.HTTP, VirtualHosts: []mesh.VirtualHost{
			{Name: "app", Domains: []string{"*"}, Routes: []mesh.Route{{Match: mesh.Match{Prefix: "/"}, Targets: all(clusters[2])}}}}}},
		Outbound: []*mesh.Listener{
			{Direction: mesh.Egress, Port: 443, Protocol: mesh.TCP, Targets: all(clusters[2])},
			{Direction: mesh.Egress, Port: 5432, Protocol: mesh.TCP, Targets: all(clusters[2])},
			{Direction: mesh.Egress, Port: 5433, Protocol: mesh.TCP, Targets: []mesh.Target{{Cluster: clusters[2]}}},
			{Direction: mesh.Egress, Port: 5434, Protocol: mesh.TCP, Refuse: "TLS is not done yet"},
			{Direction: mesh.Egress, Port: 8080, Protocol: mesh.HTTP, VirtualHosts: []mesh.VirtualHost{
				host("here", clusters[2]), host("nowhere", clusters[3]), host("there", clusters[4])}},
		},
	}
	if change != nil {
		change(snap)
	}
	stats, log := new(stat.Set), slog.New(slog.DiscardHandler)
	manager := upstream.NewManager(upstream.Settings{Log: log, Draw: func() uint64 { return 1 }}, stats)
	t.Cleanup(manager.Close)
	manager.Sync(snap.Clusters)
	routing, err := Compile(snap, Parts{
		Resolve: func(c *mesh.Cluster) *upstream.Cluster { return manager.Cluster(c.Name) },
		Log:     log, Stats: stats,
	})
	if err != nil {
		t.Fatal(err)
	}
	return routing, stats
}

func ask(t *testing.T, r *Routing, line string, headers ...string) explain.Explanation {
	t.Helper()
	line, way, _ := strings.Cut(line, ", ")
	q, err := explain.Parse(line, headers)
	if err != nil {
		t.Fatal(err)
	}
	q.Way = explain.Way(strings.TrimSuffix(way, "inbound"))
	q.Inbound = strings.HasSuffix(way, "inbound")
	e, err := r.Explain(q)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEveryEndIsExplained(t *testing.T) {
	drop, _ := explained(t, nil)
	allow, _ := explained(t, func(s *mesh.Snapshot) { s.Egress = mesh.AllowAll })
	for _, tt := range []struct {
		line, drop, allow string
	}{
		{"http://here:8080/", `forwarded: to here by route "here-route"`, ""},
		{"http://there:8080/", `forwarded: to there by route "there-route"`, ""},
		{"http://nowhere:8080/", "answered 503 UH no_healthy_upstream: no endpoint of its targets is known", ""},
		{"http://nobody:8080/", "answered 404 NR route_not_found: the listener has no virtual host of this name", ""},
		{"G@T http://here:8080/", "answered 400 DPE http1.codec_error: method is not a token", ""},
		{"http://here:8080/%00", "answered 400 path_normalization_failed: its path has no canonical spelling: it holds # or NUL", ""},
		{"CONNECT http://here:8080", "forwarded: answered 200; what comes through the tunnel is served as if it had been sent to port 8080", ""},
		{"tcp://here:8080", "closed: the port serves HTTP; what is none is answered 400, or waited for in vain", ""},
		{"https://here:8080/", "closed NR: TLS where HTTP is served", ""},
		{"https://s3.amazonaws.com:8080/", "passed through: TLS asks for s3.amazonaws.com; its bytes are relayed, unread", ""},
		{"http://here/", "closed NR: egress filter DROP_ALL, and no backend has the port", "passed through: egress filter ALLOW_ALL, and no backend has the port; its bytes are relayed, unread"},
		{"https://S3.AmazonAWS.com:4443/", "passed through: TLS asks for s3.amazonaws.com; its bytes are relayed, unread", "passed through: egress filter ALLOW_ALL, and no backend has the port; its bytes are relayed, unread"},
		{"https://1.2.3.4:4443/", "closed NR: egress filter DROP_ALL, and no backend has the port", "passed through: egress filter ALLOW_ALL, and no backend has the port; its bytes are relayed, unread"},
		{"tcp://database:5432", "forwarded: its bytes are relayed, unread", ""},
		{"https://database:5432", "forwarded: its bytes are relayed, unread", ""},
		{"http://database:5432/", "forwarded: its bytes are relayed, unread", ""},
		{"tcp://database:5433", "closed NC cluster_not_found: every weight of the route is 0", ""},
		{"tcp://database:5434", "closed NR: TLS is not done yet", ""},
		{"https://database/", "forwarded: its bytes are relayed, unread", ""},
		{"https://sqs.amazonaws.com/", "passed through: TLS asks for sqs.amazonaws.com; its bytes are relayed, unread", ""},
		{"http://anybody/x, inbound", "forwarded: to here", ""},
		{"http://anybody:3000/x, inbound", "forwarded: to here", ""},
		{"http://anybody:3001/x, inbound", "closed NR: no listener has the port", ""},
		{"CONNECT http://anybody:3000/, inbound", "answered 403 upgrade_failed: nobody may tunnel through this port", ""},
		{"https://s3.amazonaws.com:3000/, inbound", "closed NR: TLS where HTTP is served", ""},
		{"http://here:8080/, direct", `forwarded: to here by route "here-route"`, ""},
		{"http://here:8080/, proxy", `forwarded: to here by route "here-route"`, ""},
		{"http://nobody/, direct", "answered 404 NR route_not_found: no backend has this name and port; a name alone stands for a backend with one port", ""},
		{"http://nobody/, proxy", "answered 403 NR egress_filter: the egress filter lets no other host pass", "passed through: the host is no backend's; the request is sent to its address"},
		{"http://nobody:8080/, proxy", "answered 404 NR route_not_found: the port is that of backends, and none of them has the name", ""},
		{"CONNECT http://database:5432, direct", "forwarded: its bytes are relayed, unread", ""},
		{"CONNECT http://database:5434, direct", "answered 503 UF listener_refused: nobody may tunnel through this port", ""},
		{"CONNECT http://s3.amazonaws.com:443, proxy", "passed through: the host is no backend's, and the egress filter lets it pass; its bytes are relayed, unread", ""},
		{"CONNECT http://s3.amazonaws.org:444, proxy", "answered 403 NR egress_filter: the egress filter lets no other host pass", "passed through: the host is no backend's, and the egress filter lets it pass; its bytes are relayed, unread"},
		{"CONNECT http://here:8080, proxy", "forwarded: answered 200; what comes through the tunnel is served as if it had been sent to port 8080", ""},
		{"CONNECT http://nobody, proxy", "answered 403 NR egress_filter: the egress filter lets no other host pass", "passed through: the host is no backend's, and the egress filter lets it pass; its bytes are relayed, unread"},
		{"https://here:8080/, direct", "closed NR: TLS where HTTP is served", ""},
		{"tcp://database:5432, direct", "closed NR: bytes do not say where they are to go: ask the port for a tunnel (CONNECT)", ""},
		{"G@T http://here:8080/, direct", "answered 400 DPE http1.codec_error: method is not a token", ""},
		{"http://anybody/, directinbound", "forwarded: to here", ""},
	} {
		if got := told(ask(t, drop, tt.line).Verdict); got != tt.drop {
			t.Errorf("under DROP_ALL %s is %q, want %q", tt.line, got, tt.drop)
		}
		if tt.allow == "" {
			tt.allow = tt.drop
		}
		if got := told(ask(t, allow, tt.line).Verdict); got != tt.allow {
			t.Errorf("under ALLOW_ALL %s is %q, want %q", tt.line, got, tt.allow)
		}
	}
}

// told is a verdict in a line.
func told(v explain.Verdict) string {
	s := string(v.Kind)
	if v.Status > 0 {
		s += " " + string('0'+rune(v.Status/100)) + string('0'+rune(v.Status/10%10)) + string('0'+rune(v.Status%10))
	}
	for _, more := range []string{v.Flag, v.Details} {
		if more != "" {
			s += " " + more
		}
	}
	return s + ": " + v.Reason
}

func TestAGatewayIsAskedByItsListener(t *testing.T) {
	gateway := func(ports ...uint16) *Routing {
		r, _ := explained(t, func(s *mesh.Snapshot) {
			s.Resource.Kind, s.Outbound = mesh.VirtualGateway, nil
			only := *s.Inbound[0]
			s.Inbound = nil
			for _, p := range ports {
				l := only
				l.Port = p
				s.Inbound = append(s.Inbound, &l)
			}
		})
		return r
	}
	for _, tt := range []struct {
		says, line string
		listener   uint16
		of         *Routing
		want       uint16
	}{
		{"the only one", "http://shop.example.com/", 0, gateway(8088), 8088},
		{"the only one, behind a load balancer", "http://shop.example.com:8000/", 0, gateway(8088), 8088},
		{"the one with the port", "http://shop.example.com:8089/", 0, gateway(8088, 8089), 8089},
		{"the one that is named", "http://shop.example.com/", 8088, gateway(8088, 8089), 8088},
		{"none", "http://shop.example.com/", 0, gateway(8088, 8089), 0},
		{"none of that name", "http://shop.example.com/", 1, gateway(8088), 0},
	} {
		q, err := explain.Parse(tt.line, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Listener = tt.listener
		e, err := tt.of.Explain(q)
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == 0 {
			if e.Listener != nil || e.Verdict.Kind != explain.Closed || len(e.Listeners) == 0 {
				t.Errorf("%s: %+v, of %q", tt.says, e.Verdict, e.Listeners)
			}
			continue
		}
		if e.Port != tt.want || e.Listener == nil || e.Verdict.Kind != explain.Forwarded {
			t.Errorf("%s: port %d, %+v", tt.says, e.Port, e.Verdict)
		}
	}
}

// A team asks with the address in its browser, whose TLS ends before the gateway.
func TestAGatewaySaysWhoEndsTLS(t *testing.T) {
	r, _ := explained(t, func(s *mesh.Snapshot) {
		s.Resource.Kind, s.Inbound, s.Outbound = mesh.VirtualGateway, s.Inbound[:1], nil
	})
	q, err := explain.Parse("https://shop.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Explain(q)
	if err != nil || e.Verdict.Kind != explain.Closed || !strings.Contains(e.Verdict.Reason, "ask with http://") {
		t.Errorf("%+v, %v", e.Verdict, err)
	}
}

func TestExplainingCountsNothing(t *testing.T) {
	r, stats := explained(t, nil)
	before := counts(stats)
	for _, line := range []string{"http://here:8080/", "http://nobody:8080/", "http://nowhere:8080/", "G@T http://here:8080/", "tcp://x:5432"} {
		ask(t, r, line)
	}
	if after := counts(stats); after != before {
		t.Errorf("%d were counted", after-before)
	}
}

// counts is the sum of all counters.
func counts(stats *stat.Set) (sum int64) {
	stats.Each(func(c *stat.Cell) {
		if c.Kind == stat.KindCounter {
			sum += c.Value
		}
	})
	return sum
}

func TestEndpointsOfTheMomentAreShownInTurn(t *testing.T) {
	r, _ := explained(t, nil)
	q, err := explain.Parse("http://here:8080/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // looking takes no turn
		e, err := r.ExplainNow(q)
		if err != nil {
			t.Fatal(err)
		}
		got := e.Targets[0].Endpoints
		if len(got) != 2 || got[0].Turn != 2 || got[1].Turn != 1 || got[1].Address != "192.0.2.2:80" || got[1].Health != "healthy" {
			t.Errorf("endpoints %+v", got)
		}
	}
	// Nobody has looked the name up: at this moment there is no one to ask.
	q, _ = explain.Parse("http://there:8080/", nil)
	if e, _ := r.ExplainNow(q); e.Verdict.Details != "no_healthy_upstream" || !e.Live {
		t.Errorf("without an endpoint: %+v", e.Verdict)
	}
}

func TestARequestThatWouldBeTwoIsNotExplained(t *testing.T) {
	r, _ := explained(t, nil)
	for _, q := range []explain.Request{
		{Scheme: "http", Method: "GET", Authority: "here", Target: "/ HTTP/1.1\r\nx: y\r\n\r\nGET /", Port: 8080},
		{Scheme: "http", Method: "GET", Authority: "here\r\nx: y", Target: "/", Port: 8080},
		{Scheme: "http", Method: "GET", Authority: "here", Target: "/", Port: 8080, Headers: []explain.Header{{Name: "x", Value: "y\nz: 1"}}},
	} {
		if e, err := r.Explain(q); err == nil {
			t.Errorf("%+v is explained: %+v", q, e.Verdict)
		}
	}
}

// Where no document sets a limit, none is named for it; and a connection that goes where it was going lacks no endpoint.
func TestWhatNobodyWroteIsADefault(t *testing.T) {
	at := mesh.Origin{Position: mesh.Position{File: "gw.json", Line: 3}}
	if f := limits(mesh.Limits{}, at); f.Origin != explain.Origin(mesh.Origin{}) {
		t.Errorf("no limits: %+v", f)
	}
	if f := limits(mesh.Limits{MaxRequests: 1}, at); f.Origin != "gw.json:3" {
		t.Errorf("limits: %+v", f)
	}
	routing, _ := explained(t, nil)
	q, err := explain.Parse("https://sqs.amazonaws.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := routing.ExplainNow(q); err != nil || len(e.Targets) != 1 || !e.Targets[0].Dialled {
		t.Errorf("passed through: %+v, %v", e.Targets, err)
	}
}
