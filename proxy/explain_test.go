package proxy

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// Ten thousand requests, half of them to virtual gateways, are explained and
// sent: the answer, its flags and details, the route and the cluster must be
// what was foretold.
func TestExplainAndTrafficAgree(t *testing.T) {
	const meshes, requests = 40, 250
	r := &random{Rand: rand.New(rand.NewPCG(4, 2026)), apps: echoApps(t)}
	ends := make(map[explain.Kind]int)
	for i := range meshes {
		kind := mesh.ResourceKind(i % 2)
		s := newStand(t, r.snapshot(kind))
		for range requests {
			q := r.request(kind)
			foretold, err := s.Routing().Explain(q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			ends[foretold.Verdict.Kind]++
			s.compare(t, q, &foretold)
		}
		s.close()
		if t.Failed() {
			t.Fatalf("mesh %d", i)
		}
	}
	if ends[explain.Forwarded] < 2000 || ends[explain.Answered] < 2000 || ends[explain.Closed] == 0 {
		t.Errorf("the requests are too much alike: %v", ends)
	}
}

// echoApps are apps that speak HTTP/1.1 and HTTP/2 and answer everything.
func echoApps(t *testing.T) (addrs []netip.AddrPort) {
	server := &http.Server{
		Handler:                      http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }),
		DisableGeneralOptionsHandler: true,
		Protocols:                    new(http.Protocols),
		ErrorLog:                     slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	for range 4 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().(*net.TCPAddr).AddrPort())
		go server.Serve(l)
	}
	t.Cleanup(func() { server.Close() })
	return addrs
}

// stand is a server at work whose connections come redirected, as the kernel
// would say, one client connection for each port.
type stand struct {
	*Server
	manager *upstream.Manager
	kind    mesh.ResourceKind
	clients map[uint16]*standClient
	records chan stat.Record
}

type standClient struct {
	net.Conn
	*bufio.Reader
	done chan struct{}
}

// Log implements AccessLog: what is borrowed is left behind.
func (s *stand) Log(r *stat.Record) {
	kept := stat.Record{Code: r.Code, Flags: r.Flags, Details: r.Details, Route: r.Route, Cluster: r.Cluster, Upstream: r.Upstream}
	s.records <- kept
}

func newStand(t *testing.T, snap *mesh.Snapshot) *stand {
	t.Helper()
	stats, log := new(stat.Set), slog.New(slog.DiscardHandler)
	s := &stand{
		Server:  NewServer(log, stats),
		manager: upstream.NewManager(upstream.Settings{Log: log}, stats),
		kind:    snap.Resource.Kind,
		clients: make(map[uint16]*standClient),
		records: make(chan stat.Record, 8),
	}
	s.manager.Sync(snap.Clusters)
	routing, err := Compile(snap, Parts{
		Resolve: func(c *mesh.Cluster) *upstream.Cluster { return s.manager.Cluster(c.Name) },
		Access:  s, Log: log, Stats: stats,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Swap(routing)
	return s
}

func (s *stand) close() {
	for port := range s.clients {
		s.hangUp(port)
	}
	s.manager.Close()
	s.crew.Close()
}

// client is the connection to a port.
func (s *stand) client(t *testing.T, port uint16) *standClient {
	if c := s.clients[port]; c != nil {
		return c
	}
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(testkit.Patience))
	bind := Bind{Direction: mesh.Egress}
	if s.kind == mesh.VirtualGateway {
		bind.Direction = mesh.Ingress
	}
	served := &conn{server: s.Server, sock: sock.New(accepted), born: sock.Now(),
		listener: &listener{bind: bind, stats: s.Stats.Group("listener.test.", &listenerLayout)}}
	c := &standClient{client, bufio.NewReader(client), make(chan struct{})}
	dst := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)
	go func() {
		defer close(c.done)
		s.serve(served, dst)
		served.sock.Close()
	}()
	s.clients[port] = c
	return c
}

// directPort stands for a connection that nothing redirected.
const directPort = 1

// serve serves a connection from where its destination is known.
func (s *stand) serve(c *conn, dst netip.AddrPort) {
	switch {
	case s.kind == mesh.VirtualGateway:
		c.serveChain(s.Routing().inbound[dst.Port()], dst)
	case dst.Port() == directPort:
		c.lent = false
		c.serveDirectEgress()
	default:
		c.serveRedirectedEgress(dst)
	}
}

func (s *stand) hangUp(port uint16) {
	c := s.clients[port]
	c.Close()
	<-c.done
	delete(s.clients, port)
}

// send sends a request as it is explained, and gives what came of it.
func (s *stand) send(t *testing.T, q explain.Request) (status int, grpc string, err error) {
	t.Helper()
	x := explainer{}
	x.Request = q
	if q.Way != explain.Redirected {
		q.Port = directPort
	}
	c := s.client(t, q.Port)
	c.Write(x.head()) // who is closed meanwhile reads that
	resp, err := http.ReadResponse(c.Reader, &http.Request{Method: q.Method})
	if err != nil {
		s.hangUp(q.Port)
		return 0, "", err
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.Close {
		s.hangUp(q.Port)
	}
	return resp.StatusCode, resp.Header.Get("grpc-status"), nil
}

// compare sends a request and holds what came of it against what was foretold.
func (s *stand) compare(t *testing.T, q explain.Request, foretold *explain.Explanation) {
	t.Helper()
	status, grpc, err := s.send(t, q)
	record := <-s.records
	v := &foretold.Verdict
	complain := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s %q host %q headers %q on port %d: %s is %v, explained as %v\n%+v", q.Method, q.Target, q.Authority, q.Headers, q.Port, what, got, want, *v)
	}
	switch v.Kind {
	case explain.Closed:
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || record.Code != 0 || record.Flags != v.Flag {
			complain("the end", []any{status, err, record.Code, record.Flags}, v.Flag)
		}
		return
	case explain.Answered:
		if status != v.Status || grpc != v.GRPCStatus {
			complain("the answer", []any{status, grpc, err}, []any{v.Status, v.GRPCStatus})
		}
		if said := record.Flags + " " + record.Details; said != v.Flag+" "+v.Details && !(hopeless(foretold) > 1 && slices.Contains(refusals, said)) {
			complain("the access log", record.Flags+" "+record.Details, v.Flag+" "+v.Details)
		}
	default:
		s.compareTarget(complain, foretold, record)
	}
	if len(foretold.Passes) > 0 && record.Route != routeTaken(foretold) {
		complain("the route", record.Route, routeTaken(foretold))
	}
}

// refusals are how the access log tells of clusters that cannot be asked. Where
// several share a route each tells of its own.
var refusals = []string{"UF cluster_refused", "UH no_healthy_upstream"}

func hopeless(e *explain.Explanation) (n int) {
	for i := range e.Targets {
		if t := &e.Targets[i]; t.Weight > 0 && t.Refuse != "" {
			n++
		}
	}
	return n
}

// compareTarget: the cluster reached has a share; if it could not be asked, that
// was foretold too.
func (s *stand) compareTarget(complain func(string, any, any), foretold *explain.Explanation, record stat.Record) {
	name := record.Cluster
	i := slices.IndexFunc(foretold.Targets, func(t explain.Target) bool {
		return t.Weight > 0 && (t.Cluster == name || name == "" && t.Refuse != "")
	})
	switch {
	case i < 0:
		complain("the cluster", name, foretold.Targets)
	case !record.Upstream.IsValid() && hopeless(foretold) == 0:
		complain("the end", record.Details, "asked of an endpoint")
	}
}

// routeTaken is the name that the access log has: the last route's that has one.
func routeTaken(e *explain.Explanation) (name string) {
	for _, p := range e.Passes {
		for _, try := range p.Tries {
			if try.Taken && (try.Route != "" || len(e.Passes) == 1) {
				name = try.Route
			}
		}
	}
	return name
}
