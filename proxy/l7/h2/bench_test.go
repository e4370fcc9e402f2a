package h2_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// BenchmarkBridge is h2 to h2 over loopback, 1 KiB answers, on one connection
// each side with so many streams at once. Client and server are made of bytes
// prepared beforehand and allocate nothing, so that the allocations are the
// engine's; their processor time is in the result.
func BenchmarkBridge(b *testing.B) {
	for _, streams := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d streams", streams), func(b *testing.B) {
			c := newLoad(b, streams)
			c.run(1000) // pools fill
			b.ReportAllocs()
			b.ResetTimer()
			c.run(b.N)
		})
	}
}

// TestAForwardedRequestAllocatesLittle: two allocations at most, as the budget
// of the whole proxy says.
func TestAForwardedRequestAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget under the race detector")
	}
	c := newLoad(t, 10)
	c.run(5000)
	const each = 1000
	if n := testing.AllocsPerRun(5, func() { c.run(each) }) / each; n > 2 {
		t.Errorf("%.2f allocations per request", n)
	}
}

// load is a client that keeps so many streams open.
type load struct {
	t       testing.TB
	wire    *wire
	streams int
	next    uint32
	head    []byte // of the next request
	later   []byte // of those behind it
}

func newLoad(t testing.TB, streams int) *load {
	s := serve(t, forward(dialTo(t, config(t), canned(t))))
	nc := s.dial()
	t.Cleanup(func() { nc.Close() })
	c := &load{t: t, wire: newWire(nc), streams: streams, next: 1}
	c.head, c.later = blocks(get("user-agent", "load", "accept", "*/*", "x-request-id", "0123456789")...)
	io.WriteString(c.wire.w, http2.ClientPreface)
	c.wire.frame(http2.FrameSettings, 0, 0, nil)
	return c
}

// blocks encodes fields as they go out first, and ever after: by then the dynamic
// table has them, as with any client in use.
func blocks(fields ...string) (first, later []byte) {
	w := &sliceWriter{}
	enc := hpack.NewEncoder(w)
	for range 2 {
		first, later, w.b = later, nil, nil
		for i := 0; i < len(fields); i += 2 {
			enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		later = w.b
	}
	return first, later
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// run makes n requests.
func (c *load) run(n int) {
	asked, answered := 0, 0
	for answered < n {
		for ; asked < n && asked-answered < c.streams; asked++ {
			c.wire.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, c.next, c.head)
			c.head = c.later
			c.next += 2
		}
		kind, flags, id, _ := c.wire.next(c.t)
		switch {
		case kind == http2.FrameRSTStream || kind == http2.FrameGoAway:
			c.t.Fatalf("%v on stream %d", kind, id)
		case (kind == http2.FrameData || kind == http2.FrameHeaders) && flags.Has(http2.FlagDataEndStream):
			answered++
		}
	}
}

// canned is a server that gives everybody the same kilobyte.
func canned(t testing.TB) netip.AddrPort {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	go func() {
		defer close(done)
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		answerAll(nc)
	}()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func answerAll(nc net.Conn) {
	w := newWire(nc)
	w.r.Discard(len(http2.ClientPreface))
	w.frame(http2.FrameSettings, 0, 0, nil)
	head, later := blocks(":status", "200", "content-type", "text/plain", "content-length", "1024", "date", "Thu, 01 Jan 1970 00:00:00 GMT")
	var waiting []uint32
	window := int64(65535)
	for {
		kind, flags, id, granted := w.next(nil)
		switch {
		case kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndStream):
			waiting = append(waiting, id)
		case kind == http2.FrameWindowUpdate && id == 0:
			window += int64(granted)
		case kind == frameNone:
			return
		}
		answered := 0
		for ; answered < len(waiting) && window >= 1024; answered++ {
			window -= 1024
			w.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, waiting[answered], head)
			head = later
			w.frame(http2.FrameData, http2.FlagDataEndStream, waiting[answered], zeros[:1024])
		}
		waiting = waiting[:copy(waiting, waiting[answered:])]
	}
}

// wire reads and writes frames by hand; what is written leaves when nothing is
// left to read.
type wire struct {
	r     *bufio.Reader
	w     *bufio.Writer
	taken uint32 // DATA since credit was last given
	b     [9]byte
}

const frameNone http2.FrameType = 0xff

func newWire(nc net.Conn) *wire {
	return &wire{r: bufio.NewReaderSize(nc, 64<<10), w: bufio.NewWriterSize(nc, 64<<10)}
}

func (w *wire) frame(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte) {
	binary.BigEndian.PutUint32(w.b[:], uint32(len(payload))<<8|uint32(kind))
	w.b[4] = byte(flags)
	binary.BigEndian.PutUint32(w.b[5:], id)
	w.w.Write(w.b[:])
	w.w.Write(payload)
}

// next reads a frame, answers SETTINGS and PING, and gives credit for DATA on the
// connection.
func (w *wire) next(t testing.TB) (kind http2.FrameType, flags http2.Flags, id, value uint32) {
	if w.r.Buffered() < 9 {
		w.w.Flush()
	}
	h, err := w.r.Peek(9)
	if err != nil {
		if t != nil {
			t.Fatal(err)
		}
		return frameNone, 0, 0, 0
	}
	n := int(h[0])<<16 | int(h[1])<<8 | int(h[2])
	kind, flags, id = http2.FrameType(h[3]), http2.Flags(h[4]), binary.BigEndian.Uint32(h[5:])
	w.r.Discard(9)
	if w.r.Buffered() < n {
		w.w.Flush()
	}
	if n == 4 || n == 8 {
		if p, err := w.r.Peek(n); err == nil {
			value = binary.BigEndian.Uint32(p)
			if kind == http2.FramePing && flags == 0 {
				w.frame(http2.FramePing, http2.FlagPingAck, 0, p)
			}
		}
	}
	w.r.Discard(n)
	switch {
	case kind == http2.FrameSettings && flags == 0:
		w.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, nil)
	case kind == http2.FrameData:
		w.credit(uint32(n))
	}
	return kind, flags, id, value
}

func (w *wire) credit(n uint32) {
	if w.taken += n; w.taken < 16<<10 {
		return
	}
	binary.BigEndian.PutUint32(w.b[:], 4<<8|uint32(http2.FrameWindowUpdate))
	w.b[4] = 0
	binary.BigEndian.PutUint32(w.b[5:], 0)
	w.w.Write(w.b[:])
	binary.BigEndian.PutUint32(w.b[:], w.taken)
	w.w.Write(w.b[:4])
	w.taken = 0
}
