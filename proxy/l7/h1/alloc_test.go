//go:build !race

package h1

import (
	"io"
	"net"
	"testing"
)

// A request and its response through Server and Client, over real sockets,
// allocate nothing once memory and goroutines are there. (Under the race
// detector pools drop things at random.)
func TestAnExchangeAllocatesNothing(t *testing.T) {
	for _, test := range []struct{ what, request, answer string }{
		{"a GET", get + "Accept: */*\r\nUser-Agent: test\r\n\r\n", ok + "Content-Length: 1024\r\nDate: now\r\n\r\n" + string(make([]byte, 1024))},
		{"a POST whose body is there", post + "Content-Length: 1024\r\n\r\n" + string(make([]byte, 1024)), ok + "Content-Length: 0\r\n\r\n"},
		{"a POST of several reads", post + "Content-Length: 65536\r\n\r\n" + string(make([]byte, 65536)), ok + "Content-Length: 0\r\n\r\n"},
		{"chunks both ways", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			p, answer := make([]byte, len(test.request)), []byte(test.answer)
			for { // what goes upstream is as long as what came
				if _, err := io.ReadFull(c, p); err != nil {
					return
				}
				c.Write(answer)
			}
		}()
		addr, _ := startProxy(t, l.Addr().String())
		c := dial(t, addr)
		request, p := []byte(test.request), make([]byte, len(test.answer))
		round := func() {
			c.Write(request)
			if _, err := io.ReadFull(c, p); err != nil {
				t.Fatal(test.what, err)
			}
		}
		for range 10 {
			round()
		}
		if n := testing.AllocsPerRun(300, round); n > 0.05 {
			t.Errorf("%s: %v allocations per exchange", test.what, n)
		}
		c.Close()
		l.Close()
		<-done
	}
}
