//go:build !race

package proxy_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// The whole way of a request that comes by HTTP/2 allocates nothing once it has
// warmed up, to an app of HTTP/1. Streams come one after the other; client and
// app use plain sockets and fixed bytes.
func TestAStreamAllocatesNothing(t *testing.T) {
	body := strings.Repeat("x", 1021) + "END"
	response := fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
	size := make(chan int, 1)
	app := testkit.NewTCP(t, func(c *net.TCPConn) { answerFixed(c, size, response) })
	snap := sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(sidecar.Cluster("c", app))))
	snap.AccessLog = nil
	s := sidecar.Start(t, snap)
	f := newFramer(t, s.Egress)
	f.head(f.get("/path?q=1", "user-agent", "test"))
	testkit.Wait(t, "the size of a request", size)
	f.until("the end of the answer", ended)
	request := headersFrame(f)
	buf := make([]byte, 64<<10)
	exchange := func(times int) {
		for range times {
			request.send(t, f)
			readUntilEnd(t, f, buf)
		}
	}
	exchange(500)
	const round = 1000
	best := 1e9
	for range 5 {
		best = min(best, mallocs(func() { exchange(round) })/round)
	}
	if best > 0.05 {
		t.Errorf("%.4f allocations per exchange", best)
	}
}

func ended(fr http2.Frame) bool {
	d, ok := fr.(*http2.DataFrame)
	return ok && d.StreamEnded()
}

// fixed is a request whose stream number alone changes.
type fixed struct{ frame []byte }

func headersFrame(f *framer) *fixed {
	block := f.block(":method", "GET", ":scheme", "http", ":path", "/path?q=1", ":authority", "svc", "user-agent", "test")
	frame := []byte{0, 0, byte(len(block)), byte(http2.FrameHeaders), byte(http2.FlagHeadersEndHeaders | http2.FlagHeadersEndStream), 0, 0, 0, 0}
	return &fixed{append(frame, block...)}
}

func (r *fixed) send(t *testing.T, f *framer) {
	id := f.next
	f.next += 2
	r.frame[5], r.frame[6], r.frame[7], r.frame[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
	if _, err := f.conn.Write(r.frame); err != nil {
		t.Fatal(err)
	}
}

// windowUpdate gives the connection 1 KiB back.
var windowUpdate = []byte{0, 0, 4, byte(http2.FrameWindowUpdate), 0, 0, 0, 0, 0, 0, 0, 4, 0}

// readUntilEnd reads frames until a DATA frame ends its stream.
func readUntilEnd(t *testing.T, f *framer, buf []byte) {
	for {
		if _, err := io.ReadFull(f.conn, buf[:9]); err != nil {
			t.Fatal(err)
		}
		n := int(buf[0])<<16 | int(buf[1])<<8 | int(buf[2])
		kind, flags := http2.FrameType(buf[3]), http2.Flags(buf[4])
		if _, err := io.ReadFull(f.conn, buf[9:9+n]); err != nil {
			t.Fatal(err)
		}
		if kind == http2.FrameData && flags.Has(http2.FlagDataEndStream) {
			if _, err := f.conn.Write(windowUpdate); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}
