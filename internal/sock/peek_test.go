package sock

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

func TestPeekShowsWhatComesAndConsumesNothing(t *testing.T) {
	c, peer := pair(t)
	peer.Write([]byte("GET / HTTP/1.1\r\n"))
	p := make([]byte, 8)
	for range 2 {
		if n, err := c.Peek(p, 3); err != nil || string(p[:n]) != "GET / HT" {
			t.Fatalf("Peek = %q, %v", p[:n], err)
		}
	}
	var b Buffer
	if c.Fill(&b); string(b.Bytes()) != "GET / HTTP/1.1\r\n" {
		t.Errorf("after Peek, Fill gave %q", b.Bytes())
	}
	b.Release()
}

func TestPeekWaitsForBytesThatComeOneByOne(t *testing.T) {
	c, peer := pair(t)
	peer.SetNoDelay(true)
	go func() {
		for i := range 24 {
			peer.Write([]byte{byte('a' + i)})
			for c.Quiet() == nil { // the first has arrived
			}
		}
	}()
	p := make([]byte, 24)
	if n, err := c.Peek(p, 24); n != 24 || err != nil || string(p) != "abcdefghijklmnopqrstuvwx" {
		t.Fatalf("Peek = %d, %v, %q", n, err, p)
	}
}

func TestPeekOfFewerBytesThanWantedEndsWithTheFIN(t *testing.T) {
	for name, sent := range map[string]string{"nothing": "", "one": "x", "some": "PRI *"} {
		for _, when := range []string{"before", "while waiting"} {
			c, peer := pair(t)
			speak := func() { peer.Write([]byte(sent)); peer.CloseWrite() }
			if when == "before" {
				speak()
				for !c.PeerGone() {
				}
			} else {
				go speak()
			}
			p := make([]byte, 24)
			if n, err := c.Peek(p, 24); err != io.EOF || string(p[:n]) != sent {
				t.Errorf("%s, %s: Peek = %q, %v; want %q and EOF", name, when, p[:n], err, sent)
			}
			if got, err := io.ReadAll(c); string(got) != sent || err != nil {
				t.Errorf("%s, %s: then ReadAll = %q, %v", name, when, got, err)
			}
		}
	}
}

func TestPeekOfNothingWantedDoesNotWait(t *testing.T) {
	c, peer := pair(t)
	p := make([]byte, 4)
	if n, err := c.Peek(p, 0); n != 0 || err != nil {
		t.Errorf("Peek = %d, %v on a silent connection", n, err)
	}
	peer.Write([]byte("hi"))
	for c.Quiet() == nil {
	}
	if n, err := c.Peek(p, 0); string(p[:n]) != "hi" || err != nil {
		t.Errorf("Peek = %q, %v", p[:n], err)
	}
}

func TestPeekEndsByItsDeadlineWithWhatIsThere(t *testing.T) {
	c, peer := pair(t)
	peer.Write([]byte("half"))
	c.ReadBy(Now() + 20*time.Millisecond)
	p := make([]byte, 24)
	for {
		n, err := c.Peek(p, 24)
		if !errors.Is(err, ErrTimeout) {
			t.Fatalf("Peek = %v, want ErrTimeout", err)
		}
		if string(p[:n]) == "half" {
			break
		}
		c.ReadBy(Now() + 20*time.Millisecond) // the kernel was slower than we
	}
	c.ReadBy(0)
	go peer.Write([]byte(" full"))
	if n, err := c.Peek(p, 9); string(p[:n]) != "half full" || err != nil {
		t.Errorf("after the deadline, Peek = %q, %v", p[:n], err)
	}
}

func TestPeekIsCanceledByItsFlag(t *testing.T) {
	c, _ := pair(t)
	var gone atomic.Bool
	c.Watch(&gone)
	errc := make(chan error)
	go func() {
		_, err := c.Peek(make([]byte, 4), 4)
		errc <- err
	}()
	gone.Store(true)
	c.Wake()
	if err := <-errc; !errors.Is(err, ErrCanceled) {
		t.Errorf("Peek = %v, want ErrCanceled", err)
	}
}

func TestOurOwnFINIsNotThePeersLeaving(t *testing.T) {
	c, peer := pair(t)
	c.CloseWrite()
	if io.Copy(io.Discard, peer); c.PeerGone() {
		t.Error("PeerGone after CloseWrite of our side alone")
	}
	peer.Write([]byte("xy"))
	go peer.Write([]byte("z"))
	p := make([]byte, 3)
	if n, err := c.Peek(p, 3); n != 3 || err != nil {
		t.Errorf("Peek = %d, %v", n, err)
	}
}

func TestPeekOfAPipeKeepsTheBytesAside(t *testing.T) {
	ours, theirs := net.Pipe()
	c := New(ours)
	defer c.Close()
	go func() {
		for _, s := range []string{"ab", "cd", "ef"} {
			theirs.Write([]byte(s))
		}
		theirs.Close()
	}()
	p := make([]byte, 8)
	if n, err := c.Peek(p[:3], 3); string(p[:n]) != "abc" || err != nil {
		t.Fatalf("Peek of 3 = %q, %v", p[:n], err)
	}
	if n, err := c.Peek(p[:5], 5); string(p[:n]) != "abcde" || err != nil {
		t.Fatalf("Peek of 5 = %q, %v", p[:n], err)
	}
	if n, err := c.Peek(p, 8); string(p[:n]) != "abcdef" || err != io.EOF {
		t.Fatalf("Peek of 8 = %q, %v; want what there is and EOF", p[:n], err)
	}
	if got, err := io.ReadAll(c); string(got) != "abcdef" || err != nil {
		t.Errorf("ReadAll = %q, %v", got, err)
	}
}
