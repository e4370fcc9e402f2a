package netns

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
	"github.com/outrider-mesh/outrider/iptables"
)

// What an app says through a real redirect, to addresses that mean something to nobody but the kernel. The sidecar runs
// in this process, whose user the rules leave alone; apps are processes of another user.

func TestEverythingPassesUnderAllowAll(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	world, s := intercepted(t, mesh.AllowAll)
	for _, app := range []struct{ says, to, want, serverName string }{
		{"greeted", "10.77.0.2:3306", "server-first", ""},
		{"greeted", "10.77.0.2:25", "server-first", ""},
		{"nothing", "10.77.0.2:80", "unknown", ""},
		{"hello db.example.com", "10.77.0.2:443", "tls", "db.example.com"},
		{"hello -", "10.77.0.2:443", "tls", ""},
		{"http1", "10.77.0.2:80", "http1", ""},
		{"http2", "10.77.0.2:80", "http2", ""},
	} {
		to := netip.MustParseAddrPort(app.to)
		answer := "answered"
		if app.says == "nothing" { // nor does the server
			answer = "closed"
		}
		if got := talking(t, app.says, to); got != answer {
			t.Errorf("%s at %s: %s", app.says, to, got)
		}
		r := s.Records.Next(t)
		if r.Sniffed != app.want || r.ServerName != app.serverName || r.Local != to || r.Upstream != to || r.Flags != "" {
			t.Errorf("%s at %s: record %+v", app.says, to, r)
		}
	}
	if n := world.calls.Load(); n != 7 {
		t.Errorf("the world saw %d connections", n)
	}
	s.Counts(map[string]uint64{"sniff.server_first": 2, "sniff.tls_found": 2, "sniff.sni_found": 1, "sniff.http1_found": 1,
		"sniff.http2_found": 1, "sniff.unknown": 1, "sniff.refused": 0})
}

func TestUnderDropAllTheWorldSeesOnlyWhatGoesToAWS(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	world, s := intercepted(t, mesh.DropAll)
	to := netip.MustParseAddrPort("10.77.0.2:443")
	for _, says := range []string{"hello db.example.com", "hello -", "http1", "http2", "nothing",
		"greeted"} { // the last one waits for the server, and is told after 5 s that there is none
		if got := talking(t, says, to); got != "closed" {
			t.Errorf("%s: %s", says, got)
		}
		if r := s.Records.Next(t); r.Flags != "NR" || r.Local != to || r.Upstream.IsValid() {
			t.Errorf("%s: record %+v", says, r)
		}
	}
	if n := world.calls.Load(); n != 0 {
		t.Errorf("the world saw %d connections", n)
	}
	for _, port := range []uint16{443, 80} {
		to := netip.AddrPortFrom(to.Addr(), port)
		if got := talking(t, "hello s3.eu-west-1.amazonaws.com", to); got != "answered" {
			t.Errorf("AWS on port %d: %s", port, got)
		}
		if r := s.Records.Next(t); r.ServerName != "s3.eu-west-1.amazonaws.com" || r.Sniffed != "tls" || r.Upstream != to {
			t.Errorf("record %+v", r)
		}
	}
	s.Counts(map[string]uint64{"sniff.refused": 6, "sniff.tls_found": 2, "sniff.sni_found": 2})
}

// A declared TCP port goes to its backend, whatever address the app dialed, and the server may speak first.
func TestADeclaredTCPPortIsBelieved(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	database := sidecar.TCPBackend(5432, sidecar.Cluster("database", netip.MustParseAddrPort("10.77.0.2:3306")))
	secure := sidecar.TCPBackend(443, sidecar.Cluster("secure", netip.MustParseAddrPort("10.77.0.2:80")))
	_, s := intercepted(t, mesh.DropAll, database, secure)
	for _, app := range []struct{ says, to, cluster string }{
		{"greeted", "10.77.0.99:5432", "database"},
		{"hello sts.amazonaws.com", "10.77.0.99:5432", "database"},
		{"hello db.example.com", "10.77.0.99:443", "secure"},
		{"http1", "10.77.0.99:443", "secure"},
	} {
		want := "answered"
		if app.says != "greeted" && app.cluster == "database" {
			want = "heard \"220 ready" // by the wrong server, but the documents say so
		}
		if got := talking(t, app.says, netip.MustParseAddrPort(app.to)); !strings.HasPrefix(got, want) {
			t.Errorf("%s at %s: %s", app.says, app.to, got)
		}
		if r := s.Records.Next(t); r.Cluster != app.cluster || r.Local.String() != app.to || r.Sniffed != "" {
			t.Errorf("%s at %s: record %+v", app.says, app.to, r)
		}
	}
	// AWS by its own address, on the one port of a backend where it is looked for.
	to := netip.MustParseAddrPort("10.77.0.2:443")
	if got := talking(t, "hello sts.amazonaws.com", to); got != "answered" {
		t.Errorf("AWS: %s", got)
	}
	if r := s.Records.Next(t); r.Upstream != to || r.ServerName != "sts.amazonaws.com" {
		t.Errorf("AWS: record %+v", r)
	}
}

// outside is servers on 10.77.0.2: on ports 25 and 3306 they greet, on 80 and 443 they send back what they get.
type outside struct{ calls atomic.Int64 }

const greeting = "220 ready\r\n"

// intercepted makes the world, a sidecar and the rules that lead apps to it.
func intercepted(t *testing.T, filter mesh.EgressFilter, chains ...*mesh.Listener) (*outside, *sidecar.Sidecar) {
	t.Helper()
	there := kit.New(t, "world")
	kit.Connect(t, kit.End{Device: "eth0", Addresses: []string{"10.77.0.1/24"}},
		kit.End{In: there, Device: "eth0", Addresses: []string{"10.77.0.2/24"}})
	world := new(outside)
	for port, greets := range map[int]string{25: greeting, 3306: greeting, 80: "", 443: ""} {
		world.serve(t, there, fmt.Sprintf("10.77.0.2:%d", port), greets)
	}
	s := sidecar.Start(t, sidecar.WithEgress(sidecar.Mesh(chains...), filter))
	apply(t, iptables.Config{EgressPort: s.Egress.Port(), IgnoredUIDs: []uint32{0}})
	return world, s
}

func (w *outside) serve(t *testing.T, in *kit.Namespace, address, greets string) {
	t.Helper()
	var l net.Listener
	if err := in.Do(func() (err error) { l, err = net.Listen("tcp4", address); return err }); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.calls.Add(1)
			serving.Go(func() {
				defer conn.Close()
				io.WriteString(conn, greets)
				io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
}

// talking runs an app under user 1000.
func talking(t *testing.T, says string, to netip.AddrPort) string {
	t.Helper()
	return as(t, 1000, 1000, "talk "+to.String()+" "+says)
}

// appPatience is longer than a sidecar may wait for an app to say where it wants to go.
const appPatience = 9 * time.Second

// talk is the app: it says "answered" when the other side is who it wants, "closed" when that ended without a word.
func talk(task string) string {
	to, says, _ := strings.Cut(task, " ")
	conn, err := net.Dial("tcp", to)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(appPatience))
	verb, name, _ := strings.Cut(says, " ")
	switch verb {
	case "greeted":
		return hear(conn, greeting)
	case "nothing":
		conn.(*net.TCPConn).CloseWrite()
		return hear(conn, "?")
	case "http1":
		return say(conn, "GET / HTTP/1.1\r\nhost: x\r\n\r\n")
	case "http2":
		return say(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	case "hello":
		first := &firstWrite{Conn: conn}
		tls.Client(first, &tls.Config{ServerName: strings.TrimPrefix(name, "-"), InsecureSkipVerify: true}).Handshake()
		return say(conn, first.said)
	}
	return "the app knows no " + verb
}

// say says something byte by byte to somebody who sends it back.
func say(conn net.Conn, text string) string {
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			break // what came until then tells more
		}
	}
	return hear(conn, text)
}

func hear(conn net.Conn, want string) string {
	got := make([]byte, len(want))
	n, err := io.ReadFull(conn, got)
	switch {
	case string(got) == want:
		return "answered"
	case n == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)):
		return "closed"
	}
	return fmt.Sprintf("heard %q, %v", got[:n], err)
}

// firstWrite keeps what is written first and lets nothing pass.
type firstWrite struct {
	net.Conn
	said string
}

func (f *firstWrite) Write(p []byte) (int, error) {
	f.said += string(p)
	return len(p), nil
}

func (*firstWrite) Read([]byte) (int, error) { return 0, io.EOF }
