package admin

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

var started = time.Date(2026, 11, 21, 14, 40, 0, 0, time.UTC)

// fake is a sidecar with one listener on each side and two clusters. It notes
// what it was told to do.
type fake struct {
	state    State
	clusters []Cluster

	mu     sync.Mutex
	levels map[string]string
	done   []string
}

func (f *fake) State() State        { return f.state }
func (f *fake) Clusters() []Cluster { return f.clusters }

func (f *fake) Listeners() []Listener {
	return []Listener{
		{Name: "lds_ingress_0.0.0.0_15000", Addresses: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:15000")}},
		{Name: "lds_egress_0.0.0.0_15001", Egress: true, Addresses: []netip.AddrPort{
			netip.MustParseAddrPort("127.0.0.1:15001"), netip.MustParseAddrPort("[::1]:15001")}},
	}
}

func (f *fake) Each(visit func(component, level string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.levels {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		visit(name, f.levels[name])
	}
}

func (f *fake) SetLevel(component, level string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range f.levels {
		if component == "" || component == name {
			f.levels[name] = level
		}
	}
	return true
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, fmt.Sprintf(format, args...))
}

func (f *fake) SetHealthy(healthy bool) { f.note("healthy %v", healthy) }
func (f *fake) Drain(d Drain)           { f.note("drain %+v", d) }
func (f *fake) Quit()                   { f.note("quit") }

// WritePrometheus shows the query that came.
func (f *fake) WritePrometheus(w io.Writer, q stat.Query) error {
	_, err := fmt.Fprintf(w, "prometheus used=%v filtered=%v texts=%v summaries=%v\n", q.UsedOnly, q.Match != nil, q.Texts, q.Summaries)
	return err
}

func newFake() *fake {
	return &fake{
		levels: map[string]string{"admin": "info", "main": "info", "router": "warning"},
		clusters: []Cluster{
			{
				Name:       "cds_egress_my-mesh_user-service_http_8080",
				MaxRetries: 3,
				Endpoints: []Endpoint{
					{
						Address: netip.MustParseAddrPort("10.0.0.1:8080"), Hostname: "user-service.local",
						Connections: EndpointConnections{Active: 2, Total: 7},
						Requests:    EndpointRequests{Active: 1, Error: 3, Success: 40, Total: 44},
					},
					{Address: netip.MustParseAddrPort("[fd00::2]:8080"), Health: FailedActiveHealthCheck | PendingActiveHealthCheck},
				},
			},
			{
				Name:      "cds_ingress_my-mesh_front_http_8080",
				Limits:    mesh.Limits{MaxConnections: 100, MaxPendingRequests: 10},
				Endpoints: []Endpoint{{Address: netip.MustParseAddrPort("127.0.0.1:8080"), Weight: 1}},
			},
			{
				Name:   "cds_egress_my-mesh_color_grpc_9090",
				Limits: mesh.Limits{MaxRequests: 6},
				Endpoints: []Endpoint{{
					Address: netip.MustParseAddrPort("10.0.0.3:9090"), Hostname: "color.local",
					Connections: EndpointConnections{Active: 1, Total: 1},
					Requests:    EndpointRequests{Active: 10, Success: 990, Total: 1000},
				}},
			},
		},
	}
}

// newTest gives a server around a fake, with cells that hold something.
func newTest() (*Server, *fake) {
	f := newFake()
	set := new(stat.Set)
	s := New(Config{
		Info: Info{
			Version: "0123456789abcdef/1.0.0/Clean/RELEASE/crypto-tls", NodeID: "mesh/my-mesh/virtualNode/front", NodeCluster: "front",
			Started: started, Concurrency: 2, ConfigPath: "/etc/outrider/mesh", LogLevel: "info", LogFormat: "text", DrainTime: 20 * time.Second,
			HTTP2: HTTP2Options{MaxConcurrentStreams: 1024, InitialStreamWindow: 64 << 10, InitialConnectionWindow: 1 << 20},
		},
		Engine: f, Stats: set, Metrics: f, Logs: f, Controls: f,
		Snapshot:   func() (*mesh.Snapshot, time.Time) { return testSnapshot(), started.Add(time.Second) },
		Explain:    func(Ask) (any, error) { return "explained", nil },
		ReopenLogs: func() error { f.note("reopen"); return nil },
		Now:        func() time.Time { return started.Add(6500 * time.Millisecond) },
	})
	fillCells(set)
	return s, f
}

func fillCells(set *stat.Set) {
	g := set.Group("cluster.cds_egress_my-mesh_user-service_http_8080.", &stat.Layout{
		Counters:   []string{"upstream_rq_total", "upstream_rq_retry"},
		Gauges:     []string{"upstream_rq_active"},
		Histograms: []string{"upstream_rq_time", "upstream_cx_length_ms"},
		Codes:      "upstream_rq",
	})
	g.Counter(0).Add(12)
	g.Gauge(0).Set(1)
	g.Codes().Inc(200)
	g.Codes().Inc(503)
	for range 3 {
		g.Histogram(0).Observe(3500)
	}
	const color = "cluster.cds_egress_my-mesh_color_grpc_9090."
	set.Group(color, &stat.Layout{Counters: []string{"upstream_cx_http2_total"}}).Counter(0).Inc()
	codec := stat.Layout{Counters: []string{"goaway_sent", "rx_reset"}, Gauges: []string{"streams_active"}}
	set.Group(color+"http2.", &codec).Gauge(0).Set(10)
	set.Group("http2.", &codec).Counter(1).Inc()
	set.Group(color+"grpc.color.Service.Get.", &stat.Layout{Counters: []string{"success", "total"}}).Counter(1).Add(3)
	set.TextFunc("control.text", func() string { return `v"3` })
	set.GaugeFunc("server.live", func() int64 { return 1 })
}

func testSnapshot() *mesh.Snapshot {
	at := func(line int) mesh.Origin {
		return mesh.At(mesh.Position{File: "mesh/routes.yaml", Line: line, Column: 5})
	}
	user := &mesh.Cluster{
		Name: "cds_egress_my-mesh_user-service_http_8080", Node: "user-service", ConnectTimeout: time.Second,
		Discovery: mesh.Discovery{Kind: mesh.LogicalDNS, Host: "user-service.local", Port: 8080, Preference: mesh.IPv4Only},
		HealthCheck: &mesh.HealthCheck{Path: "/ping", Port: 8080, Interval: 5 * time.Second, Timeout: 2 * time.Second,
			Healthy: 2, Unhealthy: 3},
		Outlier: &mesh.OutlierDetection{MaxServerErrors: 5, Interval: 10 * time.Second, BaseEjectionDuration: 30 * time.Second, MaxEjectionPercent: 50},
		Origin:  at(12),
	}
	local := &mesh.Cluster{
		Name: "cds_ingress_my-mesh_front_http_8080", Node: "front", ConnectTimeout: 250 * time.Millisecond,
		Discovery: mesh.Discovery{Kind: mesh.Static, Port: 8080, Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}},
		Limits:    mesh.Limits{MaxConnections: 100, MaxPendingRequests: 10},
		Origin:    at(3),
	}
	raw := &mesh.Cluster{Name: "cds_egress_my-mesh_db_tcp_5432", Protocol: mesh.TCP, Refuse: "an enforced client policy needs TLS", Origin: at(70)}
	color := &mesh.Cluster{
		Name: "cds_egress_my-mesh_color_grpc_9090", Protocol: mesh.GRPC, Node: "color", ConnectTimeout: time.Second,
		Discovery: mesh.Discovery{Kind: mesh.StrictDNS, Host: "color.local", Port: 9090},
		Origin:    at(80),
	}
	return &mesh.Snapshot{
		Resource: mesh.Resource{Mesh: "my-mesh", Name: "front"}, Version: "v-1", Documents: []string{"mesh/routes.yaml"},
		Clusters: []*mesh.Cluster{color, raw, user, local},
		Inbound: []*mesh.Listener{{Port: 8080, Origin: at(2), VirtualHosts: []mesh.VirtualHost{{
			Name: "local", Domains: []string{"*"}, Origin: at(2),
			Routes: []mesh.Route{{Targets: []mesh.Target{{Cluster: local, Weight: 1}}, Timeout: mesh.Timeout{Value: 15 * time.Second}, Origin: at(2)}},
		}}}},
		Outbound: []*mesh.Listener{
			{Direction: mesh.Egress, Port: 5432, Protocol: mesh.TCP, Targets: []mesh.Target{{Cluster: raw, Weight: 1}}, Origin: at(60)},
			{Direction: mesh.Egress, Port: 9090, Protocol: mesh.GRPC, Origin: at(81), VirtualHosts: []mesh.VirtualHost{{
				Name: "color.local", Domains: []string{"color.local", "color.local:9090"}, Origin: at(82),
				Routes: []mesh.Route{{
					Name: "get", Origin: at(83),
					Match:   mesh.Match{Exact: "/color.Service/Get", GRPC: true, Headers: []mesh.HeaderMatch{{Name: "x-md", Kind: mesh.MatchSuffix, Value: "-beta"}}},
					Targets: []mesh.Target{{Cluster: color, Weight: 1}}, Timeout: mesh.Timeout{Value: 15 * time.Second},
					Retry: &mesh.RetryPolicy{MaxRetries: 3, On: mesh.RetryRefusedStream, GRPCStatus: 1<<13 | 1<<14, Explicit: true, Origin: at(84)},
				}},
			}}},
			{Direction: mesh.Egress, Port: 8080, Origin: at(40), VirtualHosts: []mesh.VirtualHost{{
				Name: "user-service.local", Domains: []string{"user-service.local", "user-service.local:8080"}, Origin: at(40),
				Routes: []mesh.Route{{
					Name: "beta", Origin: at(41),
					Match: mesh.Match{Prefix: "/api", Method: "GET",
						Headers: []mesh.HeaderMatch{{Name: "x-beta-user", Kind: mesh.MatchExact, Value: "true"}, {Name: "x-n", Kind: mesh.MatchRange, Start: 1, End: 9, Invert: true}},
						Query:   []mesh.QueryMatch{{Name: "q"}}},
					Targets: []mesh.Target{{Cluster: user, Weight: 80}, {Cluster: user, Weight: 20}},
					Timeout: mesh.Timeout{Value: 15 * time.Second}, Idle: mesh.Timeout{Value: 300 * time.Second}, Retry: mesh.DefaultRetry(),
				}, {
					Name: "secret", Origin: at(44), Targets: []mesh.Target{{Cluster: user, Weight: 1}}, Refuse: "the client policy enforces TLS",
				}},
			}}},
		},
	}
}
