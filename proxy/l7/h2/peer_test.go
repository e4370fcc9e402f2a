package h2_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// peer is the other end of a connection, client or server: it sends exactly
// what a test says, and keeps what it gets, by stream. It acknowledges SETTINGS
// and PING and returns flow-control credit, unless it is told not to. What it
// says leaves when it reads, or by flush. It belongs to the test's goroutine.
type peer struct {
	settled bool // SETTINGS were sent
	*http2.Framer
	t     testing.TB
	conn  net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	enc   *hpack.Encoder
	block bytes.Buffer

	server bool // it is the server: the other end says the preface first
	deaf   bool // it acknowledges nothing
	blind  bool // it has not read for long: a GOAWAY may have been given up
	mean   bool // it returns no credit at all
	hoard  map[uint32]bool
	// patience bounds each wait for the other end.
	patience time.Duration

	streams  map[uint32]*heard
	settings map[http2.SettingID]uint32
	acks     int
	pongs    int
	goaways  []goAway
	over     error // why reading ended

	granted, sent map[uint32]int64 // credit, by stream; 0 is the connection
	window        int64            // the largest stream window seen
}

// goAway is a GOAWAY that came.
type goAway struct {
	LastStreamID uint32
	ErrCode      h2.Code
	Debug        string
}

// heard is what came on a stream.
type heard struct {
	id       uint32
	informed []string // 1xx
	head     map[string]string
	data     []byte
	trailer  map[string]string
	fields   []hpack.HeaderField // of head
	ended    bool
	resets   []h2.Code
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	p := &peer{t: t, conn: conn, patience: testkit.Patience, w: bufio.NewWriterSize(conn, 64<<10),
		hoard: map[uint32]bool{}, streams: map[uint32]*heard{}, settings: map[http2.SettingID]uint32{},
		granted: map[uint32]int64{}, sent: map[uint32]int64{}}
	p.r = bufio.NewReader(conn)
	p.Framer = http2.NewFramer(p.w, p.r)
	p.AllowIllegalWrites = true
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.SetMaxReadFrameSize(1 << 20)
	p.enc = hpack.NewEncoder(&p.block)
	t.Cleanup(func() { conn.Close() })
	return p
}

// begin says the preface.
func (p *peer) begin(settings ...http2.Setting) {
	if !p.server {
		io.WriteString(p.w, http2.ClientPreface)
	}
	p.WriteSettings(settings...)
	p.settled = true
	p.flush()
}

func (p *peer) flush() error {
	p.conn.SetWriteDeadline(time.Now().Add(p.patience))
	return p.w.Flush()
}

// headers sends a header block of names and values by turns.
func (p *peer) headers(id uint32, end bool, fields ...string) {
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields...), EndStream: end, EndHeaders: true})
}

func (p *peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return p.block.Bytes()
}

// get and post are the heads of requests, with more fields behind them.
func get(more ...string) []string { return request("GET", more...) }

func post(more ...string) []string { return request("POST", more...) }

func request(method string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "http", ":path", "/", ":authority", "backend"}, more...)
}

func (p *peer) get(id uint32)  { p.headers(id, true, get()...) }
func (p *peer) post(id uint32) { p.headers(id, false, post()...) }

// data sends bytes and counts them; it does not look at the windows.
func (p *peer) data(id uint32, end bool, b []byte) {
	for {
		n := min(len(b), 16<<10)
		p.WriteData(id, end && n == len(b), b[:n])
		p.sent[id] += int64(n)
		p.sent[0] += int64(n)
		if b = b[n:]; len(b) == 0 {
			return
		}
	}
}

// left is what the windows allow to be sent on a stream.
func (p *peer) left(id uint32) int64 {
	initial := int64(65535)
	if n, ok := p.settings[http2.SettingInitialWindowSize]; ok {
		initial = int64(n)
	}
	of := initial + p.granted[id] - p.sent[id]
	p.window = max(p.window, of)
	return max(0, min(of, 65535+p.granted[0]-p.sent[0]))
}

// upload sends n bytes as the windows allow.
func (p *peer) upload(id uint32, end bool, n int64) {
	p.t.Helper()
	for n > 0 {
		p.until("window for an upload", func() bool { return p.left(id) > 0 })
		m := min(n, p.left(id), 16<<10)
		n -= m
		p.data(id, end && n == 0, zeros[:m])
	}
	p.flush()
}

var zeros = make([]byte, 1<<20)

// sync waits until all that was sent before has been read.
func (p *peer) sync() {
	p.t.Helper()
	want := p.pongs + 1
	p.WritePing(false, [8]byte{'s'})
	p.until("the answer to a PING", func() bool { return p.pongs >= want })
}

// settle sends SETTINGS and waits until they are in force.
func (p *peer) settle(settings ...http2.Setting) {
	p.t.Helper()
	want := p.acks + 1
	p.WriteSettings(settings...)
	p.until("the acknowledgment of SETTINGS", func() bool { return p.acks >= want })
}

// until reads until done says yes, and fails the test if the connection ends before.
func (p *peer) until(what string, done func() bool) {
	p.t.Helper()
	p.flush()
	for !done() {
		if !p.read() {
			p.t.Fatalf("it never came about: %s (%v, GOAWAYs: %v)", what, p.over, p.goaways)
		}
	}
}

// await waits for the end of a stream.
func (p *peer) await(id uint32) *heard {
	p.t.Helper()
	p.until("the end of a stream", func() bool { return p.stream(id).ended || len(p.stream(id).resets) > 0 })
	return p.stream(id)
}

// head waits for the head of a request, or of a response.
func (p *peer) head(id uint32) *heard {
	p.t.Helper()
	p.until("a head", func() bool { return p.stream(id).head != nil })
	return p.stream(id)
}

// ok expects a stream to end with a status.
func (p *peer) ok(id uint32, status string) *heard {
	p.t.Helper()
	h := p.await(id)
	if h.head[":status"] != status || !h.ended {
		p.t.Fatalf("stream %d: %v, resets %v, want a whole response %s", id, h.head, h.resets, status)
	}
	return h
}

// reset expects a stream to be reset with a code.
func (p *peer) reset(id uint32, code h2.Code) *heard {
	p.t.Helper()
	p.until("a reset", func() bool { return len(p.stream(id).resets) > 0 })
	if h := p.stream(id); h.resets[0] != code {
		p.t.Errorf("stream %d was reset with %v, want %v", id, h.resets[0], code)
	}
	return p.stream(id)
}

// closed waits for the end of the connection and gives the code of the last
// GOAWAY.
func (p *peer) closed() h2.Code {
	p.t.Helper()
	p.flush()
	for p.read() {
	}
	if e, ok := p.over.(net.Error); ok && e.Timeout() {
		p.t.Fatal("the connection was not closed")
	}
	p.conn.Close()
	if len(p.goaways) == 0 {
		return noGoAway
	}
	return p.goaways[len(p.goaways)-1].ErrCode
}

// noGoAway stands for a connection that ended without GOAWAY.
const noGoAway h2.Code = 0xffff

// wantClosed expects the connection to end with GOAWAY and a code.
func (p *peer) wantClosed(code h2.Code) {
	p.t.Helper()
	if got := p.closed(); got != code {
		p.t.Errorf("the connection ended with %v, want %v (%v)", got, code, p.over)
	}
}

// stream is what was heard of a stream so far.
func (p *peer) stream(id uint32) *heard {
	h := p.streams[id]
	if h == nil {
		h = &heard{id: id}
		p.streams[id] = h
	}
	return h
}

// read takes one frame in.
func (p *peer) read() bool {
	if p.over != nil {
		return false
	}
	p.flush()
	p.conn.SetReadDeadline(time.Now().Add(p.patience))
	if p.server && !p.preface() {
		return false
	}
	f, err := p.ReadFrame()
	if err != nil {
		p.over = err
		return false
	}
	p.take(f)
	return true
}

func (p *peer) preface() bool {
	p.server = false
	b := make([]byte, len(http2.ClientPreface))
	_, p.over = io.ReadFull(p.r, b)
	if p.over == nil && string(b) != http2.ClientPreface {
		p.t.Fatalf("the connection begins with %q", b)
	}
	return p.over == nil
}

func (p *peer) take(f http2.Frame) {
	id := f.Header().StreamID
	switch f := f.(type) {
	case *http2.SettingsFrame:
		p.takeSettings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			p.pongs++
		} else if !p.deaf {
			p.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		p.goaways = append(p.goaways, goAway{f.LastStreamID, f.ErrCode, string(f.DebugData())})
	case *http2.WindowUpdateFrame:
		p.granted[id] += int64(f.Increment)
	case *http2.RSTStreamFrame:
		p.stream(id).resets = append(p.stream(id).resets, f.ErrCode)
	case *http2.MetaHeadersFrame:
		p.stream(id).takeHead(f)
	case *http2.DataFrame:
		p.takeData(f)
	}
}

func (p *peer) takeSettings(f *http2.SettingsFrame) {
	if f.IsAck() {
		p.acks++
		return
	}
	f.ForeachSetting(func(s http2.Setting) error {
		p.settings[s.ID] = s.Val
		return nil
	})
	if !p.deaf {
		p.WriteSettingsAck()
	}
}

func (p *peer) takeData(f *http2.DataFrame) {
	h, n := p.stream(f.StreamID), f.Length
	h.data = append(h.data, f.Data()...)
	h.ended = f.StreamEnded()
	if p.mean || n == 0 {
		return
	}
	p.WriteWindowUpdate(0, n)
	if !h.ended && !p.hoard[f.StreamID] {
		p.WriteWindowUpdate(f.StreamID, n)
	}
}

func (h *heard) takeHead(f *http2.MetaHeadersFrame) {
	fields := map[string]string{}
	for _, field := range f.Fields {
		if have, ok := fields[field.Name]; ok {
			field.Value = have + ", " + field.Value
		}
		fields[field.Name] = field.Value
	}
	h.ended = h.ended || f.StreamEnded()
	switch status := fields[":status"]; {
	case h.head != nil:
		h.trailer = fields
	case strings.HasPrefix(status, "1"):
		h.informed = append(h.informed, status)
	default:
		h.head, h.fields = fields, f.Fields
	}
}
