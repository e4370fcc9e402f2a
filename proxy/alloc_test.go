//go:build !race

package proxy_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// The whole way of a request, from the downstream socket to the upstream one
// and back, allocates nothing once it has warmed up. All allocations of the
// process are counted; client and app use plain sockets and fixed buffers.
func TestAnExchangeAllocatesNothing(t *testing.T) {
	body := strings.Repeat("x", 1021) + "END"
	response := fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
	large := strings.Repeat("y", 16<<10)
	for _, tt := range []struct {
		what, request string
		most          float64
	}{
		{"GET", "GET /path?q=1 HTTP/1.1\r\nhost: svc\r\nuser-agent: test\r\naccept: */*\r\n\r\n", 0.05},
		{"POST of 16 KiB", fmt.Sprintf("POST /path HTTP/1.1\r\nhost: svc\r\ncontent-length: %d\r\n\r\n%s", len(large), large), 0.05},
		// A body that is passed on while it comes: to tell the reader of the
		// response of its deadline wakes it, which makes package net an error
		// for the read and one for the write.
		{"chunked POST", "POST /path HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n400\r\n" + large[:1024] + "\r\n0\r\n\r\n", 2.05},
	} {
		t.Run(tt.what, func(t *testing.T) {
			// The app counts the bytes of a request, which the first one shows.
			size := make(chan int, 1)
			app := testkit.NewTCP(t, func(c *net.TCPConn) { answerFixed(c, size, response) })
			snap := sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(sidecar.Cluster("c", app))))
			snap.AccessLog = nil
			s := sidecar.Start(t, snap)
			c := testkit.Dial(t, s.Egress)
			request, buf := []byte(tt.request), make([]byte, 8<<10)
			learn(t, c, request, size)
			readAnswer(t, c, buf)
			exchange := func(times int) {
				for range times {
					if _, err := c.TCPConn.Write(request); err != nil {
						t.Fatal(err)
					}
					readAnswer(t, c, buf)
				}
			}
			exchange(500)
			// A collection empties pools, and the machine's timers allocate now
			// and then: the best of a few rounds counts.
			const round = 1000
			best := 1e9
			for range 5 {
				best = min(best, mallocs(func() { exchange(round) })/round)
			}
			if best > tt.most {
				t.Errorf("%.4f allocations per exchange, want at most %v", best, tt.most)
			}
		})
	}
}

// readAnswer reads until the answer's last bytes.
func readAnswer(t *testing.T, c *testkit.Client, buf []byte) {
	for n := 0; n < 3 || string(buf[n-3:n]) != "END"; {
		m, err := c.TCPConn.Read(buf[n:])
		if n += m; err != nil {
			t.Fatal(err)
		}
	}
}

// learn sends the first request; the app tells its size by what comes until
// nothing more does, which only the first request can afford.
func learn(t *testing.T, c *testkit.Client, request []byte, size chan int) {
	t.Helper()
	if _, err := c.TCPConn.Write(request); err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, "the size of a request", size)
}

// answerFixed answers requests of one size, which it learns from the first:
// what has come when nothing more does for a while.
func answerFixed(c *net.TCPConn, learned chan<- int, response string) {
	buf, answer := make([]byte, 64<<10), []byte(response)
	n := 0
	for {
		c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		m, err := c.Read(buf[n:])
		n += m
		if err != nil && n > 0 {
			break
		}
	}
	c.SetReadDeadline(time.Time{})
	learned <- n
	for {
		if _, err := c.Write(answer); err != nil {
			return
		}
		if _, err := io.ReadFull(c, buf[:n]); err != nil {
			return
		}
	}
}

func mallocs(work func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs)
}
