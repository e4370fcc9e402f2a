package h1

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestNothingIsLeftAfterTwoThousandRandomDisconnects has clients and servers
// leave at any point, by FIN or RST. Goroutines are counted by TestMain.
func TestNothingIsLeftAfterTwoThousandRandomDisconnects(t *testing.T) {
	const clients, each = 8, 250
	descriptors := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("descriptors cannot be counted here: %v", err)
		}
		return len(names)
	}
	before := descriptors()
	t.Run("disconnects", func(t *testing.T) {
		upstream := startMoody(t)
		addr, _ := startProxy(t, upstream)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				dice := rand.New(rand.NewPCG(1, uint64(i)))
				for range each {
					disconnect(t, addr, dice)
				}
			})
		}
		wg.Wait()
	})
	if after := descriptors(); after > before+2 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

var messages = []string{
	get + "\r\n",
	strings.Repeat(get+"\r\n", 5),
	post + "Content-Length: 30000\r\n\r\n" + strings.Repeat("x", 30000),
	post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("y", 4096)+"\r\n", 10) + "0\r\n\r\n",
	post + "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n0123456789",
	get + "Upgrade: websocket\r\nConnection: upgrade\r\n\r\nframes",
	post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
}

// disconnect says a part of something, perhaps all, listens a while, perhaps to
// the end, and leaves in one way or another.
func disconnect(t *testing.T, addr string, dice *rand.Rand) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	c := nc.(*net.TCPConn)
	message := messages[dice.IntN(len(messages))]
	if dice.IntN(2) == 0 {
		message = message[:dice.IntN(len(message))]
	}
	io.WriteString(c, message)
	if dice.IntN(3) == 0 {
		c.CloseWrite()
		io.CopyN(io.Discard, c, dice.Int64N(20000))
	}
	leave(c, dice)
}

func leave(c *net.TCPConn, dice *rand.Rand) {
	if dice.IntN(2) == 0 {
		c.SetLinger(0)
	}
	c.Close()
}

// startMoody starts a server that answers well, badly, in part or not at all.
func startMoody(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := uint64(0); ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { moody(nc.(*net.TCPConn), rand.New(rand.NewPCG(2, n))) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

var answers = []string{
	ok + "Content-Length: 2\r\n\r\nhi",
	ok + "Content-Length: 20000\r\n\r\n" + strings.Repeat("z", 20000),
	ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
	"HTTP/1.0 200 OK\r\n\r\nuntil the end",
	"HTTP/1.1 101 Switching Protocols\r\n\r\nframes",
	"nonsense\r\n\r\n",
}

func moody(c *net.TCPConn, dice *rand.Rand) {
	defer leave(c, dice)
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil || dice.IntN(8) == 0 {
			return
		}
		answer := answers[dice.IntN(len(answers))]
		switch dice.IntN(4) {
		case 0:
			io.WriteString(c, answer[:dice.IntN(len(answer))])
			return
		case 1:
			io.CopyN(io.Discard, req.Body, dice.Int64N(40000))
		default:
			io.Copy(io.Discard, req.Body)
		}
		io.WriteString(c, answer)
		if strings.HasPrefix(answer, "HTTP/1.0") {
			return
		}
	}
}
