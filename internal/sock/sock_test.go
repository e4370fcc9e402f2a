package sock

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two ends of a loopback TCP connection; both are closed by the test.
func pair(t testing.TB) (ours *Conn, theirs *net.TCPConn) {
	t.Helper()
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = New(nc), peer.(*net.TCPConn)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

func TestFillReadsWhatComesAndHoldsNoMemoryWhileWaiting(t *testing.T) {
	c, peer := pair(t)
	peer.Write([]byte("hello"))
	var b Buffer
	if n, err := c.Fill(&b); n != 5 || err != nil || string(b.Bytes()) != "hello" {
		t.Fatalf("Fill = %d, %v, %q", n, err, b.Bytes())
	}
	b.Consume(5)
	c.ReadBy(Now() + 20*time.Millisecond)
	if _, err := c.Fill(&b); !errors.Is(err, ErrTimeout) {
		t.Fatalf("Fill with nothing to read: %v, want ErrTimeout", err)
	}
	if b.mem != nil {
		t.Error("an idle buffer holds memory")
	}
	c.ReadBy(0)
	peer.Close()
	if _, err := c.Fill(&b); err != io.EOF {
		t.Fatalf("Fill after FIN: %v, want EOF", err)
	}
}

func TestDataAndFINInOneSegmentAreBothSeen(t *testing.T) {
	c, peer := pair(t)
	peer.Write([]byte("bye"))
	peer.CloseWrite()
	got, err := io.ReadAll(c)
	if string(got) != "bye" || err != nil {
		t.Fatalf("ReadAll = %q, %v", got, err)
	}
}

func TestSendWritesAndWaitsForTheAnswer(t *testing.T) {
	c, peer := pair(t)
	go func() {
		p := make([]byte, 8) // in two pieces under the race detector
		io.ReadFull(peer, p)
		peer.Write([]byte("re:" + string(p)))
	}()
	var b Buffer
	n, wrote, err := c.Send([]byte("head"), []byte("body"), &b)
	if !wrote || err != nil || string(b.Bytes()) != "re:headbody" {
		t.Fatalf("Send = %d, %v, %v, %q", n, wrote, err, b.Bytes())
	}
}

func TestSendRefusesAConnectionWithStrayBytesOrAClose(t *testing.T) {
	for name, spoil := range map[string]func(*net.TCPConn){
		"bytes": func(p *net.TCPConn) { p.Write([]byte("HTTP/1.1 408")) },
		"close": func(p *net.TCPConn) { p.Close() },
	} {
		c, peer := pair(t)
		spoil(peer)
		for c.Quiet() == nil { // the kernel's hand-over to us; loopback, at once
		}
		var b Buffer
		_, wrote, err := c.Send([]byte("request"), nil, &b)
		if wrote || !errors.Is(err, ErrStale) {
			t.Errorf("%s: Send wrote %v, err %v; want nothing written and ErrStale", name, wrote, err)
		}
	}
}

func TestSendOfMoreThanTheSocketHoldsIsWrittenWhole(t *testing.T) {
	c, peer := pair(t)
	const size = 8 << 20
	go func() {
		io.CopyN(io.Discard, peer, size)
		peer.Write([]byte("ok"))
	}()
	var b Buffer
	_, wrote, err := c.Send([]byte(strings.Repeat("x", size-3)), []byte("end"), &b)
	if !wrote || err != nil || string(b.Bytes()) != "ok" {
		t.Fatalf("Send = %v, %v, %q", wrote, err, b.Bytes())
	}
}

func TestWriteAllJoinsPartsAcrossPartialWrites(t *testing.T) {
	c, peer := pair(t)
	big := strings.Repeat("y", 3<<20)
	done := make(chan string)
	go func() {
		all, _ := io.ReadAll(peer)
		done <- string(all)
	}()
	if err := c.WriteAll([]byte("a"), []byte(big), []byte("z")); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	if got := <-done; got != "a"+big+"z" {
		t.Fatalf("peer read %d bytes, want %d", len(got), len(big)+2)
	}
}

func TestWakeWithARaisedFlagCancelsAParkedRead(t *testing.T) {
	c, _ := pair(t)
	var gone atomic.Bool
	c.Watch(&gone)
	errc := make(chan error)
	go func() {
		var b Buffer
		_, err := c.Fill(&b)
		errc <- err
	}()
	gone.Store(true)
	c.Wake()
	if err := <-errc; !errors.Is(err, ErrCanceled) {
		t.Fatalf("Fill = %v, want ErrCanceled", err)
	}
}

func TestAWakeForSomebodyElseIsHarmless(t *testing.T) {
	c, peer := pair(t)
	c.ReadBy(Now() + time.Hour)
	c.Wake()
	peer.Write([]byte("x"))
	var b Buffer
	if n, err := c.Fill(&b); n != 1 || err != nil {
		t.Fatalf("Fill = %d, %v", n, err)
	}
}

func TestALaterDeadlineIsKeptWhenTheEarlierTimerFires(t *testing.T) {
	c, peer := pair(t)
	var b Buffer
	c.ReadBy(Now() + 5*time.Millisecond)
	c.Fill(&b)
	c.ReadBy(Now() + time.Hour)
	go peer.Write([]byte("late"))
	if _, err := c.Fill(&b); err != nil {
		t.Fatalf("Fill = %v; the old timer must not end the new wait", err)
	}
}

func TestPeerGoneSeesAFINBehindUnreadBytes(t *testing.T) {
	c, peer := pair(t)
	if c.PeerGone() {
		t.Fatal("PeerGone on an open connection")
	}
	peer.Write([]byte("GET / pipelined"))
	peer.CloseWrite()
	for !c.PeerGone() {
		if _, ok := c.OriginalDst(); ok {
			t.Fatal("OriginalDst on a direct connection")
		}
	}
}

func TestYieldReturnsAndCloses(t *testing.T) {
	var y Yielder
	for range 3 {
		y.Yield()
	}
	y.Close()
	y.Yield()
	y.Close()
}

func TestReadAndWriteAllocateNothing(t *testing.T) {
	c, peer := pair(t)
	var b Buffer
	p := make([]byte, 16)
	ping, po, ng := []byte("ping"), []byte("po"), []byte("ng")
	n := testing.AllocsPerRun(200, func() {
		peer.Write(ping)
		c.Fill(&b)
		b.Consume(b.Len())
		c.WriteAll(po, ng, nil)
		peer.Read(p)
	})
	if n > 0.1 {
		t.Errorf("%v allocations per round", n)
	}
}
