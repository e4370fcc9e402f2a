package proxy

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// A redirect cannot be had on loopback: these tests serve a connection by the
// functions that come after the original destination is known. test/netns does
// the rest.

// egress is a server whose egress port holds one HTTP chain on port 443, and
// the cluster for AWS.
type egress struct {
	*Server
	listener *listener
}

func newEgress(t *testing.T) *egress {
	t.Helper()
	stats := new(stat.Set)
	log := slog.New(slog.DiscardHandler)
	manager := upstream.NewManager(upstream.Settings{Log: log}, stats)
	t.Cleanup(manager.Close)
	snap := &mesh.Snapshot{
		Clusters: []*mesh.Cluster{{Name: "cds_egress_m_amazonaws", Discovery: mesh.Discovery{Kind: mesh.OriginalDst}}},
		Outbound: []*mesh.Listener{{Direction: mesh.Egress, Port: 443, Protocol: mesh.HTTP}},
	}
	manager.Sync(snap.Clusters)
	routing, err := Compile(snap, Parts{
		Resolve: func(c *mesh.Cluster) *upstream.Cluster { return manager.Cluster(c.Name) },
		Log:     log, Stats: stats,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &egress{Server: NewServer(log, stats)}
	e.Swap(routing)
	e.listener = &listener{bind: Bind{Direction: mesh.Egress}, stats: stats.Group("listener.0.0.0.0_15001.", &listenerLayout)}
	return e
}

// accept gives an accepted connection and its client.
func (e *egress) accept(t testing.TB, wrap func(net.Conn) net.Conn) (*conn, *net.TCPConn) {
	t.Helper()
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
	c := &conn{server: e.Server, listener: e.listener, sock: sock.New(wrap(accepted)), born: sock.Now()}
	t.Cleanup(func() { c.sock.Close(); client.Close() })
	return c, client.(*net.TCPConn)
}

func asIs(c net.Conn) net.Conn { return c }

// serveTLS lets a client speak TLS through serve, and gives the greeting.
func serveTLS(t *testing.T, e *egress, name string, serve func(*conn)) (greeting string, err error) {
	t.Helper()
	c, client := e.accept(t, asIs)
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(c)
		c.sock.Close()
	}()
	s := testkit.TLS(client, name)
	greeting, err = bufio.NewReader(s).ReadString('\n')
	s.Close()
	client.Close()
	<-done
	return greeting, err
}

func TestTLSToAWSPassesOnAPortOfHTTPBackends(t *testing.T) {
	e := newEgress(t)
	aws := testkit.NewTLSEcho(t, "welcome\n")
	serve := func(c *conn) {
		c.serveHTTP(httpConn{conn: c, chain: e.Routing().outbound[443], routing: e.Routing(), find: byPort, local: aws})
	}
	if got, err := serveTLS(t, e, "s3.eu-central-1.amazonaws.com", serve); got != "welcome\n" {
		t.Errorf("AWS said %q, %v", got, err)
	}
	if got, err := serveTLS(t, e, "example.com", serve); err == nil {
		t.Errorf("a stranger said %q", got)
	}
	if n := e.listener.stats.Counter(lnNoChain).Value(); n != 1 {
		t.Errorf("no_filter_chain_match = %d", n)
	}
}

func TestTLSToAWSPassesWithoutABackend(t *testing.T) {
	e := newEgress(t)
	aws := testkit.NewTLSEcho(t, "welcome\n")
	serve := func(c *conn) {
		if begun, ok := c.awsHello(sniTimeout); ok {
			c.pass(e.Routing().aws, aws, begun)
		}
	}
	if got, err := serveTLS(t, e, "sqs.amazonaws.com", serve); got != "welcome\n" {
		t.Errorf("AWS said %q, %v", got, err)
	}
	if got, err := serveTLS(t, e, "amazonaws.com.evil.org", serve); err == nil {
		t.Errorf("a stranger said %q", got)
	}
}

// A drain waits for what is under way, and a relayed stream is.
func TestARelayedStreamIsUnderWayUntilItEnds(t *testing.T) {
	e := newEgress(t)
	c, client := e.accept(t, asIs)
	echo := testkit.NewEcho(t, "hello\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.pass(e.Routing().aws, echo, hello{})
	}()
	if got, err := bufio.NewReader(client).ReadString('\n'); got != "hello\n" {
		t.Fatalf("the stream said %q, %v", got, err)
	}
	if n, _ := e.Quiet(); n != 1 {
		t.Errorf("%d under way while the stream is open", n)
	}
	client.Close()
	<-done
	if n, _ := e.Quiet(); n != 0 {
		t.Errorf("%d under way after it", n)
	}
}

// A direct connection names nobody to pass TLS on to.
func TestTLSOnADirectConnectionIsClosed(t *testing.T) {
	e := newEgress(t)
	_, err := serveTLS(t, e, "s3.amazonaws.com", func(c *conn) { c.serveEgress() })
	if err == nil {
		t.Error("somebody answered")
	}
}

func TestAnAWSConnectionThatCannotBeMadeIsClosed(t *testing.T) {
	e := newEgress(t)
	refused := testkit.Refused(t)
	if got, err := serveTLS(t, e, "s3.amazonaws.com", func(c *conn) { c.pass(e.Routing().aws, refused, hello{serverName: "s3.amazonaws.com"}) }); err == nil {
		t.Errorf("somebody said %q", got)
	}
}

// foreign is a connection from another host.
type foreign struct{ net.Conn }

func (foreign) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4711} }

func TestTheEgressPortIsNoOpenProxy(t *testing.T) {
	e := newEgress(t)
	for _, request := range []string{
		"GET http://example.com/ HTTP/1.1\r\nhost: example.com\r\n\r\n",
		"CONNECT s3.amazonaws.com:443 HTTP/1.1\r\nhost: s3.amazonaws.com:443\r\n\r\n",
	} {
		c, client := e.accept(t, func(c net.Conn) net.Conn { return foreign{c} })
		io.WriteString(client, request)
		c.server.serving.Add(1)
		c.Run()
		if got, _ := io.ReadAll(client); len(got) > 0 {
			t.Errorf("a stranger got %q", got)
		}
	}
	if n := e.listener.stats.Counter(lnNoChain).Value(); n != 2 {
		t.Errorf("no_filter_chain_match = %d", n)
	}
}

func TestAuthoritiesAreTakenApart(t *testing.T) {
	for in, want := range map[string]struct {
		host string
		port uint16
	}{
		"a": {"a", 0}, "a:80": {"a", 80}, "a:": {"a", 0}, "a:x": {"a", 0}, "a:65536": {"a", 0}, "": {"", 0},
		"[::1]": {"::1", 0}, "[::1]:8080": {"::1", 8080}, "1.2.3.4:5": {"1.2.3.4", 5},
	} {
		if host, port := splitHostPort([]byte(in)); host != want.host || port != want.port {
			t.Errorf("%q is %q, %d", in, host, port)
		}
	}
}
