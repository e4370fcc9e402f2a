package testkit

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// NewEcho starts a TCP server that sends greeting and then back what it gets;
// it passes a FIN on, and ends with the test.
func NewEcho(t testing.TB, greeting string) netip.AddrPort {
	return NewTCP(t, func(c *net.TCPConn) {
		io.WriteString(c, greeting)
		io.Copy(c, c)
		c.CloseWrite()
	})
}

// NewTCP starts a TCP server; it and its connections end with the test.
func NewTCP(t testing.TB, serve func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var serving sync.WaitGroup
	open := make(map[net.Conn]struct{})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = struct{}{}
			mu.Unlock()
			serving.Go(func() {
				serve(c.(*net.TCPConn))
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// Refused is an address that refuses connections.
func Refused(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// Full is an address whose accept queue is full: a connection to it is neither
// accepted nor refused.
func Full(t testing.TB) netip.AddrPort {
	t.Helper()
	return full(t)
}
