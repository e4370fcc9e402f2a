package sock

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

var loopbacks = []string{"127.0.0.1:0", "[::1]:0"}

// listen is a listener of ours; without the address family the test is skipped.
func listen(t *testing.T, addr string) *Listener {
	t.Helper()
	tcp, err := Listen(netip.MustParseAddrPort(addr))
	if err != nil && NoIPv6(err) {
		t.Skipf("this host has no %s: %v", addr, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewListener(tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (l *Listener) port() netip.AddrPort { return addrPort(l.Addr()) }

func TestBothEndsOfADialKnowTheirAddressesAndSendAtOnce(t *testing.T) {
	for _, addr := range loopbacks {
		t.Run(addr, func(t *testing.T) {
			l := listen(t, addr)
			a, err := Dial(context.Background(), l.port(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if a.Local() != b.Remote() || a.Remote() != b.Local() || a.Remote() != l.port() {
				t.Errorf("dialed %v to %v, accepted %v from %v", a.Local(), a.Remote(), b.Local(), b.Remote())
			}
			if a.LocalAddr().String() != b.RemoteAddr().String() {
				t.Errorf("as net.Addr: %v and %v", a.LocalAddr(), b.RemoteAddr())
			}
			for what, c := range map[string]*Conn{"dialed": a, "accepted": b} {
				if !hasNoDelay(c) {
					t.Errorf("the %s end delays small writes", what)
				}
			}
			a.Write([]byte("hello"))
			a.CloseWrite()
			if got, err := io.ReadAll(b); string(got) != "hello" || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
			b.Write([]byte("and back"))
			b.Close()
			if got, err := io.ReadAll(a); string(got) != "and back" || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

func hasNoDelay(c *Conn) (on bool) {
	c.raw.Control(func(fd uintptr) {
		n, _ := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
		on = n != 0
	})
	return on
}

func TestADialThatNobodyAnswersSaysSo(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	addr := l.port()
	l.Close()
	_, err := Dial(context.Background(), addr, time.Minute)
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "dial tcp "+addr.String()+": connect: ") {
		t.Errorf("a port that nobody listens on: %v", err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Timeout() {
		t.Errorf("%T is no *net.OpError, or a timeout", err)
	}
}

// full is an address whose kernel answers no SYN: its accept queue is full.
func full(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, _ := syscall.Getsockname(fd)
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port))
	for range 8 {
		c, err := Dial(context.Background(), addr, 20*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this kernel's accept queue does not fill")
	return addr
}

func TestADialEndsByItsTimeoutOrItsContext(t *testing.T) {
	addr := full(t)
	_, err := Dial(context.Background(), addr, 10*time.Millisecond)
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := Dial(ctx, addr, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestAClosedConnOfOursGivesNetErrClosed(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	a, err := Dial(context.Background(), l.port(), 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { _, err := a.Read(make([]byte, 1)); done <- err }()
	a.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a parked read: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

func TestAListenerStopsByDeadlineAndByClose(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	l.SetDeadline(time.Now().Add(time.Millisecond))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	l.SetDeadline(time.Time{})
	done := make(chan error)
	go func() { _, err := l.Accept(); done <- err }()
	l.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestAResetIsSeenAsOne(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	a, err := Dial(context.Background(), l.port(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a.Reset()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
}
