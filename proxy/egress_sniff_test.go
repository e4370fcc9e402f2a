package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// Each talker is an app and the server it calls. The app says what went wrong.
var talkers = []struct {
	what    string
	serve   func(*net.TCPConn)
	app     func(net.Conn) error
	waits   bool // the app waits for the server's first word
	want    string
	name    string
	counter int
}{
	{what: "MySQL", serve: greets("\x4a\x00\x00\x00\x0a8.0.36\x00"), app: hears("\x4a\x00\x00\x00\x0a8.0.36\x00", "\x20\x00\x00\x01\x85"), waits: true,
		want: "server-first", counter: sniffServerFirst},
	{what: "SMTP", serve: greets("220 mail.example ESMTP\r\n"), app: hears("220 mail.example ESMTP\r\n", "EHLO app\r\n"), waits: true,
		want: "server-first", counter: sniffServerFirst},
	{what: "SSH", serve: greets("SSH-2.0-OpenSSH_9.6\r\n"), app: hears("SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-app\r\n"), waits: true,
		want: "server-first", counter: sniffServerFirst},
	{what: "an app and a server that say nothing", serve: greets(""), app: silent, waits: true,
		want: "unknown", counter: sniffUnknown},
	{what: "TLS", serve: echoes, app: sayHello("db.example.com", whole),
		want: "tls", name: "db.example.com", counter: sniffTLS},
	{what: "TLS byte by byte", serve: echoes, app: sayHello("db.example.com", byteByByte),
		want: "tls", name: "db.example.com", counter: sniffTLS},
	{what: "TLS whose hello lies in many records", serve: echoes, app: sayHello("db.example.com", fragmented),
		want: "tls", name: "db.example.com", counter: sniffTLS},
	{what: "TLS without a name", serve: echoes, app: sayHello("", whole),
		want: "tls", counter: sniffTLS},
	{what: "HTTP/1", serve: echoes, app: says("GET / HTTP/1.1\r\nhost: x\r\n\r\n", whole),
		want: "http1", counter: sniffHTTP1},
	{what: "HTTP/1 byte by byte", serve: echoes, app: says("GET / HTTP/1.1\r\nhost: x\r\n\r\n", byteByByte),
		want: "http1", counter: sniffHTTP1},
	{what: "HTTP/2", serve: echoes, app: says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", whole),
		want: "http2", counter: sniffHTTP2},
	{what: "HTTP/2 byte by byte", serve: echoes, app: says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", byteByByte),
		want: "http2", counter: sniffHTTP2},
	{what: "Redis", serve: echoes, app: says("*1\r\n$4\r\nPING\r\n", whole),
		want: "unknown", counter: sniffUnknown},
}

func TestUnderAllowAllEveryProtocolPassesAtOnceAndIsLabeled(t *testing.T) {
	for _, talker := range talkers {
		t.Run(talker.what, func(t *testing.T) {
			e := newFiltered(t, mesh.AllowAll)
			dst, _ := e.destination(t, talker.serve)
			if err := e.call(t, talker.app, func(c *conn) { c.serveRedirectedEgress(dst) }); err != nil {
				t.Error(err)
			}
			r := testkit.Wait(t, "the record", e.records)
			if r.Sniffed != talker.want || r.ServerName != talker.name || r.Flags != "" || r.Cluster != "cds_egress_m_mesh-allow-all" || r.Local != dst {
				t.Errorf("record %+v", r)
			}
			e.sniffedOnly(t, talker.counter, talker.name)
		})
	}
}

func TestUnderDropAllNobodyIsDialed(t *testing.T) {
	for _, talker := range talkers {
		t.Run(talker.what, func(t *testing.T) {
			e := newFiltered(t, mesh.DropAll)
			dst, calls := e.destination(t, talker.serve)
			app := talker.app
			if talker.waits { // it gives up, which is sooner than sniTimeout
				app = givesUp
			}
			if err := e.call(t, app, func(c *conn) { c.serveRedirectedEgress(dst) }); err == nil {
				t.Error("somebody answered")
			}
			if r := testkit.Wait(t, "the record", e.records); r.Flags != "NR" || r.Sniffed != "" || r.BytesReceived+r.BytesSent != 0 || r.Upstream.IsValid() {
				t.Errorf("record %+v", r)
			}
			if n := calls.Load(); n != 0 {
				t.Errorf("the server saw %d connections", n)
			}
			e.sniffedOnly(t, sniffRefused, "")
		})
	}
}

func TestUnderDropAllTLSToAWSPasses(t *testing.T) {
	for what, how := range map[string]writing{"at once": whole, "byte by byte": byteByByte, "in many records": fragmented} {
		t.Run(what, func(t *testing.T) {
			e := newFiltered(t, mesh.DropAll)
			dst, _ := e.destination(t, echoes)
			if err := e.call(t, sayHello("s3.eu-west-1.amazonaws.com", how), func(c *conn) { c.serveRedirectedEgress(dst) }); err != nil {
				t.Error(err)
			}
			r := testkit.Wait(t, "the record", e.records)
			if r.Sniffed != "tls" || r.ServerName != "s3.eu-west-1.amazonaws.com" || r.Cluster != "cds_egress_m_amazonaws" {
				t.Errorf("record %+v", r)
			}
			e.sniffedOnly(t, sniffTLS, r.ServerName)
		})
	}
}

// The port is declared: it is believed, and nobody looks.
func TestADeclaredTCPPortIsBelieved(t *testing.T) {
	for _, filter := range []mesh.EgressFilter{mesh.DropAll, mesh.AllowAll} {
		for _, talker := range talkers {
			t.Run(fmt.Sprint(talker.what, filter), func(t *testing.T) {
				e := newFiltered(t, filter)
				backend, _ := e.destination(t, talker.serve)
				ch := e.tcpChain(t, 3306, backend)
				stranger := netip.MustParseAddrPort("192.0.2.7:3306") // where the app dialed is nowhere
				if err := e.call(t, talker.app, func(c *conn) { c.serveRedirectedEgress(stranger) }); err != nil {
					t.Error(err)
				}
				r := testkit.Wait(t, "the record", e.records)
				if r.Sniffed != "" || r.ServerName != "" || r.Cluster != ch || r.Upstream != backend || r.Local != stranger {
					t.Errorf("record %+v", r)
				}
				e.sniffedOnly(t, -1, "")
			})
		}
	}
}

// Port 443 is the one declared TCP port on which AWS may be called as well; it
// keeps nobody waiting either.
func TestADeclaredTCPPort443LeavesAWSAlone(t *testing.T) {
	here := netip.MustParseAddrPort("192.0.2.7:443")
	for _, talker := range talkers {
		t.Run(talker.what, func(t *testing.T) {
			e := newFiltered(t, mesh.DropAll)
			backend, _ := e.destination(t, talker.serve)
			ch := e.tcpChain(t, 443, backend)
			if err := e.call(t, talker.app, func(c *conn) { c.serveRedirectedEgress(here) }); err != nil {
				t.Error(err)
			}
			if r := testkit.Wait(t, "the record", e.records); r.Cluster != ch || r.Upstream != backend {
				t.Errorf("record %+v", r)
			}
		})
	}
	for what, backend := range map[string]netip.AddrPort{"beside a backend": testkit.NewEcho(t, ""), "beside one that is not there": testkit.Refused(t)} {
		t.Run("AWS "+what, func(t *testing.T) {
			e := newFiltered(t, mesh.DropAll)
			e.tcpChain(t, 443, backend)
			aws, calls := e.destination(t, echoes)
			app := sayHello("sts.amazonaws.com", whole)
			if err := e.call(t, app, func(c *conn) { c.serveHTTPSPort(e.Routing().outbound[443], e.Routing().aws, aws) }); err != nil {
				t.Error(err)
			}
			if r := testkit.Wait(t, "the record", e.records); r.Cluster != "cds_egress_m_amazonaws" || r.Upstream != aws || calls.Load() != 1 {
				t.Errorf("record %+v, %d calls", r, calls.Load())
			}
		})
	}
	t.Run("others to a backend that is not there", func(t *testing.T) {
		e := newFiltered(t, mesh.DropAll)
		ch := e.tcpChain(t, 443, testkit.Refused(t))
		if err := e.call(t, sayHello("db.example.com", whole), func(c *conn) { c.serveRedirectedEgress(here) }); err == nil {
			t.Error("somebody answered")
		}
		if r := testkit.Wait(t, "the record", e.records); r.Cluster != ch || r.Flags != "UF,URX" {
			t.Errorf("record %+v", r)
		}
	})
}

// A backend that is refused (its TLS cannot be had) is a destination that is not
// allowed.
func TestARefusedBackendIsNotDialed(t *testing.T) {
	e := newFiltered(t, mesh.AllowAll)
	backend, calls := e.destination(t, echoes)
	e.tcpChain(t, backend.Port(), backend)
	e.Routing().outbound[backend.Port()].spec.Refuse = "tls enforce"
	if err := e.call(t, sayHello("db.example.com", whole), func(c *conn) { c.serveRedirectedEgress(backend) }); err == nil || calls.Load() != 0 {
		t.Errorf("%v, %d calls", err, calls.Load())
	}
	if err := e.call(t, sayHello("sns.amazonaws.com", whole), func(c *conn) { c.serveRedirectedEgress(backend) }); err != nil {
		t.Error(err)
	}
}

func TestAClientThatDoesNotSayWhereItWantsToGoIsNotWaitedForForEver(t *testing.T) {
	e := newFiltered(t, mesh.DropAll)
	for what, said := range map[string]string{"nothing": "", "half a hello": "\x16\x03\x01\x02\x00\x01\x00"} {
		c, client := e.accept(t, asIs)
		io.WriteString(client, said)
		if begun, ok := c.awsHello(10 * time.Millisecond); ok {
			t.Errorf("%s: %q", what, begun.serverName)
		}
	}
}

// filtered is an egress port with an egress filter, whose records can be read.
type filtered struct {
	*egress
	manager *upstream.Manager
	records chan stat.Record
}

// Log implements AccessLog.
func (f *filtered) Log(r *stat.Record) { f.records <- *r }

func newFiltered(t testing.TB, filter mesh.EgressFilter) *filtered {
	t.Helper()
	stats, log := new(stat.Set), slog.New(slog.DiscardHandler)
	f := &filtered{records: make(chan stat.Record, 100), manager: upstream.NewManager(upstream.Settings{Log: log}, stats)}
	t.Cleanup(f.manager.Close)
	f.egress = &egress{Server: NewServer(log, stats),
		listener: &listener{bind: Bind{Direction: mesh.Egress}, stats: stats.Group("listener.0.0.0.0_15001.", &listenerLayout)}}
	snap := &mesh.Snapshot{Egress: filter}
	for _, suffix := range []string{"amazonaws", "mesh-allow-all"} {
		snap.Clusters = append(snap.Clusters, &mesh.Cluster{Name: "cds_egress_m_" + suffix, ConnectTimeout: time.Second,
			Discovery: mesh.Discovery{Kind: mesh.OriginalDst}})
	}
	f.use(t, snap)
	return f
}

// use puts a snapshot in force.
func (f *filtered) use(t testing.TB, snap *mesh.Snapshot) {
	t.Helper()
	f.manager.Sync(snap.Clusters)
	routing, err := Compile(snap, Parts{Log: f.Server.Log, Stats: f.Stats, Access: f,
		Resolve: func(c *mesh.Cluster) *upstream.Cluster { return f.manager.Cluster(c.Name) }})
	if err != nil {
		t.Fatal(err)
	}
	f.Swap(routing)
}

// tcpChain declares a TCP port with one backend, and gives the cluster's name.
func (f *filtered) tcpChain(t testing.TB, port uint16, backend netip.AddrPort) (cluster string) {
	t.Helper()
	c := &mesh.Cluster{Name: "backend", ConnectTimeout: time.Second, Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{backend}}}
	snap := *f.Routing().Snapshot
	snap.Clusters = append(snap.Clusters, c)
	snap.Outbound = []*mesh.Listener{{Direction: mesh.Egress, Port: port, Protocol: mesh.TCP, Targets: []mesh.Target{{Cluster: c, Weight: 1}}}}
	f.use(t, &snap)
	return c.Name
}

// destination is a server, and how often it was called.
func (f *filtered) destination(t testing.TB, serve func(*net.TCPConn)) (netip.AddrPort, *atomic.Int64) {
	var calls atomic.Int64
	return testkit.NewTCP(t, func(c *net.TCPConn) {
		calls.Add(1)
		serve(c)
	}), &calls
}

// call lets an app make a connection that serve serves, and gives what the app
// says of it.
func (f *filtered) call(t testing.TB, app func(net.Conn) error, serve func(*conn)) error {
	t.Helper()
	c, client := f.accept(t, asIs)
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(c)
		c.sock.Close()
	}()
	client.SetDeadline(time.Now().Add(testkit.Patience))
	err := app(client)
	client.Close()
	testkit.Wait(t, "the connection's end", done)
	return err
}

// sniffedOnly wants one verdict counted, and nothing else; -1 is none.
func (f *filtered) sniffedOnly(t testing.TB, counter int, serverName string) {
	t.Helper()
	want := make([]uint64, len(sniffLayout.Counters))
	if counter >= 0 {
		want[counter] = 1
	}
	switch {
	case counter == sniffTLS && serverName != "":
		want[sniffSNI] = 1
	case counter == sniffTLS:
		want[sniffNoSNI] = 1
	}
	for i, name := range sniffLayout.Counters {
		if n := f.streams.sniffs.Counter(i).Value(); n != want[i] {
			t.Errorf("sniff.%s = %d, want %d", name, n, want[i])
		}
	}
}

// greets is a server that speaks first and then listens.
func greets(greeting string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		io.WriteString(c, greeting)
		echoes(c)
	}
}

func echoes(c *net.TCPConn) {
	io.Copy(c, c)
	c.CloseWrite()
}

// hears is an app that waits for a greeting and then says something.
func hears(greeting, answer string) func(net.Conn) error {
	return func(c net.Conn) error {
		if err := expect(c, greeting); err != nil {
			return err
		}
		return says(answer, whole)(c)
	}
}

// says is an app that speaks first, to a server that echoes.
func says(text string, how writing) func(net.Conn) error {
	return func(c net.Conn) error {
		if err := how(c, []byte(text)); err != nil {
			return err
		}
		return expect(c, text)
	}
}

func expect(c net.Conn, text string) error {
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); string(got) != text {
		return fmt.Errorf("read %q, %v; want %q", got[:n], err, text)
	}
	return nil
}

func silent(c net.Conn) error {
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	got, err := io.ReadAll(c)
	if err == nil && len(got) > 0 {
		err = fmt.Errorf("read %q", got)
	}
	return err
}

// givesUp is an app that waits for a greeting which does not come.
func givesUp(c net.Conn) error {
	c.(*net.TCPConn).CloseWrite()
	_, err := bufio.NewReader(c).ReadByte()
	return err
}

// sayHello is an app that sends a ClientHello to a server that echoes.
func sayHello(name string, how writing) func(net.Conn) error {
	return func(c net.Conn) error {
		hello, err := clientHello(name)
		if err != nil {
			return err
		}
		sent := new(strings.Builder)
		if err := how(tee{c, sent}, hello); err != nil {
			return err
		}
		return expect(c, sent.String())
	}
}

// tee is a connection and what was written to it.
type tee struct {
	io.Writer
	sent *strings.Builder
}

func (t tee) Write(p []byte) (int, error) {
	t.sent.Write(p)
	return t.Writer.Write(p)
}

// clientHello is what crypto/tls sends first.
func clientHello(name string) ([]byte, error) {
	client, server := net.Pipe()
	ended := make(chan struct{})
	go func() {
		tls.Client(client, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
		close(ended)
	}()
	hello := make([]byte, 16<<10)
	n, err := server.Read(hello)
	server.Close()
	<-ended
	client.Close()
	return hello[:n], err
}

// writing is how bytes are cut on their way.
type writing func(w io.Writer, p []byte) error

func whole(w io.Writer, p []byte) error {
	_, err := w.Write(p)
	return err
}

func byteByByte(w io.Writer, p []byte) error {
	for i := range p {
		if _, err := w.Write(p[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// fragmented cuts the handshake in one TLS record into many.
func fragmented(w io.Writer, record []byte) error {
	for rest := record[5:]; len(rest) > 0; {
		n := min(len(rest), 100)
		header := binary.BigEndian.AppendUint16(append([]byte(nil), record[:3]...), uint16(n))
		if _, err := w.Write(append(header, rest[:n]...)); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}
