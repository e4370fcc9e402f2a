package l4

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/relay"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two ends of a loopback connection.
func pair(t *testing.T) (ours *sock.Conn, peer *net.TCPConn) {
	t.Helper()
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours, peer = sock.New(accepted), nc.(*net.TCPConn)
	t.Cleanup(func() { ours.Close(); peer.Close() })
	return ours, peer
}

// hello is the ClientHello that crypto/tls sends for a name.
func hello(t *testing.T, name string) []byte {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- testkit.TLS(a, name).Handshake() }()
	p := make([]byte, 32<<10)
	n, err := b.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	<-done
	a.Close()
	return p[:n]
}

func TestOnlyNamesBelowAmazonawsPass(t *testing.T) {
	for name, want := range map[string]bool{
		"s3.amazonaws.com": true, "sqs.eu-west-1.amazonaws.com": true, "a.b.c.amazonaws.com": true,
		"amazonaws.com": false, "evilamazonaws.com": false, "s3.amazonaws.com.evil.org": false, "": false,
		"cognito-idp.eu-west-1.amazoncognito.com": false, "x.api.aws": false,
	} {
		if got := IsAWS(name); got != want {
			t.Errorf("IsAWS(%q) = %v", name, got)
		}
	}
}

func TestTheServerNameIsReadAndNothingLost(t *testing.T) {
	h := hello(t, "s3.eu-west-1.amazonaws.com")
	for what, write := range map[string]func(io.Writer){
		"at once":       func(w io.Writer) { w.Write(h) },
		"byte by byte":  func(w io.Writer) { writeEach(w, h) },
		"with the rest": func(w io.Writer) { w.Write(append(append([]byte(nil), h...), "rest"...)) },
	} {
		t.Run(what, func(t *testing.T) {
			c, peer := pair(t)
			peer.SetNoDelay(true)
			go write(peer)
			early, name, ok := ServerName(c, testkit.Patience)
			if !ok || name != "s3.eu-west-1.amazonaws.com" {
				t.Fatalf("ServerName = %q, %v", name, ok)
			}
			if what != "byte by byte" && len(early) > 0 {
				t.Errorf("%d bytes were consumed of a hello that is there", len(early))
			}
			p := append(early, make([]byte, len(h)-len(early))...)
			if _, err := io.ReadFull(c, p[len(early):]); err != nil || string(p) != string(h) {
				t.Errorf("bytes were lost: %v", err)
			}
		})
	}
}

func writeEach(w io.Writer, p []byte) {
	for i := range p {
		w.Write(p[i : i+1])
	}
}

func TestWhatIsNoTLSHasNoServerName(t *testing.T) {
	for what, sent := range map[string]string{
		"HTTP":             "GET / HTTP/1.1\r\nhost: s3.amazonaws.com\r\n\r\n",
		"half a hello":     string(hello(t, "s3.amazonaws.com")[:50]),
		"nothing":          "",
		"a record of zero": "\x16\x03\x01\x00\x00",
	} {
		t.Run(what, func(t *testing.T) {
			c, peer := pair(t)
			io.WriteString(peer, sent)
			peer.CloseWrite()
			if _, name, ok := ServerName(c, testkit.Patience); ok {
				t.Errorf("ServerName = %q", name)
			}
		})
	}
}

func TestAServerNameIsNotWaitedForForEver(t *testing.T) {
	c, peer := pair(t)
	peer.Write([]byte{0x16, 3, 1})
	if early, name, ok := ServerName(c, 20*time.Millisecond); ok || name != "" || len(early) != 3 && len(early) != 0 {
		t.Errorf("ServerName = %q, early %q", name, early)
	}
	// The deadline is taken back.
	go peer.Write([]byte("x"))
	if n, err := c.Read(make([]byte, 4)); n == 0 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
}

func TestReadServerNameReadsOnFromWhatIsThere(t *testing.T) {
	h := hello(t, "sts.amazonaws.com")
	for at := 1; at < len(h); at += 97 {
		c, peer := pair(t)
		go func() {
			peer.Write(h[at:])
			peer.CloseWrite()
		}()
		read, name := ReadServerName(c, append([]byte(nil), h[:at]...), testkit.Patience)
		if name != "sts.amazonaws.com" || string(read) != string(h) {
			t.Errorf("from byte %d: %q, %d of %d bytes", at, name, len(read), len(h))
		}
	}
	c, peer := pair(t)
	peer.CloseWrite()
	if read, name := ReadServerName(c, []byte{0x16}, testkit.Patience); name != "" || len(read) != 1 {
		t.Errorf("a FIN gave %q, %d bytes", name, len(read))
	}
}

func TestASplitSharesByWeight(t *testing.T) {
	a, b, none := new(upstream.Cluster), new(upstream.Cluster), new(upstream.Cluster)
	var s Split
	if s.Pick(7) != nil {
		t.Error("an empty split picked something")
	}
	s.Add(none, 0)
	if s.Pick(7) != nil {
		t.Error("a weight of zero was picked")
	}
	s.Add(a, 3)
	s.Add(none, 0)
	s.Add(b, 1)
	counts := make(map[*upstream.Cluster]int)
	for draw := range uint64(400) {
		counts[s.Pick(draw)]++
	}
	if counts[a] != 300 || counts[b] != 100 {
		t.Errorf("a %d, b %d of 400", counts[a], counts[b])
	}
}

func TestASessionCountsWhatPassed(t *testing.T) {
	down, client := pair(t)
	up, server := pair(t)
	s := Session{Down: down, Early: []byte("early "), Late: []byte("late ")}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.RelayConn(up)
	}()
	client.Write([]byte("up"))
	client.CloseWrite()
	server.Write([]byte("down!"))
	server.CloseWrite()
	got, err := io.ReadAll(server)
	if string(got) != "early up" || err != nil {
		t.Errorf("the server read %q, %v", got, err)
	}
	if got, err = io.ReadAll(client); string(got) != "late down!" || err != nil {
		t.Errorf("the client read %q, %v", got, err)
	}
	<-done
	if s.Received != 8 || s.Sent != 10 || s.End != relay.Complete || s.Upstream != up.Remote() {
		t.Errorf("session %+v", s)
	}
	if _, err := client.Write([]byte("x")); err == nil {
		if _, err = client.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("the connection is still open: %v", err)
		}
	}
}
