//go:build linux

package closed

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/wire"
)

// HTTP2 asks for one path over and over: by prior knowledge, so many streams at a time on each connection.
type HTTP2 struct {
	Fields  []hpack.HeaderField // of the request, pseudo-headers first; no body
	Streams int                 // under way at once on a connection, 1 to MaxStreams
	Size    int                 // bytes that every answer must have
}

// MaxStreams bounds HTTP2.Streams: half of what fits into a connection's index of streams.
const MaxStreams = indexed / 2

const indexed = 4096

func (h HTTP2) check() error {
	if h.Streams < 1 || h.Streams > MaxStreams {
		return fmt.Errorf("streams %d: want 1 to %d", h.Streams, MaxStreams)
	}
	if len(h.Fields) == 0 {
		return errors.New("no request")
	}
	return nil
}

func (h HTTP2) begin() conversation {
	c := &http2{size: h.Size, most: h.Streams, next: 1, streams: make([]stream, h.Streams), request: wire.Block{Fields: h.Fields}}
	for i := range c.streams {
		c.free = append(c.free, int16(i))
	}
	return c
}

// http2 is the client's side of a connection.
type http2 struct {
	frames  wire.Frames
	fields  wire.Fields
	encoder *wire.Encoder // nil until the peer's SETTINGS
	request wire.Block
	size    int
	most    int // streams at once
	next    uint32
	streams []stream
	free    []int16
	index   [indexed]int16 // by half a stream's number, modulo: its place in streams and 1; 0: none
	head    []byte         // a header block that comes in pieces
	ends    bool           // its HEADERS frame ends the stream
	taken   uint32         // DATA received and not yet given back to the connection's window
	leaving bool           // after GOAWAY
}

// stream is one request.
type stream struct {
	id     uint32
	sent   int64
	got    int // bytes of DATA
	status string
}

const (
	window      = 1 << 30 // of the connection, from the start
	creditEvery = 1 << 28
)

func (c *http2) opened(t *turn) {
	t.out = append(t.out, wire.Preface...)
	t.out = wire.AppendSettings(t.out, wire.SettingEnablePush, 0)
	t.out = wire.AppendWindowUpdate(t.out, 0, window-wire.DefaultWindow)
}

func (c *http2) fill(t *turn) {
	if c.encoder == nil || c.leaving {
		return
	}
	for len(c.free) > len(c.streams)-c.most && t.ask() {
		for c.index[c.next>>1%indexed] != 0 { // an old stream has the place: skip the number
			c.next += 2
		}
		place := c.free[len(c.free)-1]
		c.free = c.free[:len(c.free)-1]
		c.streams[place] = stream{id: c.next, sent: t.now}
		c.index[c.next>>1%indexed] = place + 1
		t.out = wire.AppendFrame(t.out, wire.Headers, wire.EndHeaders|wire.EndStream, c.next, c.request.Bytes(c.encoder))
		c.next += 2
	}
}

func (c *http2) heard(t *turn, p []byte) error {
	for {
		f, rest, ok, err := c.frames.Next(p)
		if err != nil || !ok {
			return err
		}
		p = rest
		if err := c.frame(t, f); err != nil {
			return err
		}
		if c.leaving && t.on.busy == 0 {
			return errParted
		}
	}
}

func (c *http2) frame(t *turn, f wire.Frame) error {
	switch f.Kind {
	case wire.Data:
		return c.data(t, f)
	case wire.Headers, wire.Continuation:
		return c.headers(t, f)
	case wire.ResetStream:
		if s := c.find(f.Stream); s != nil {
			c.over(t, s, outcome{failed: true, failure: load.WasReset})
		}
	case wire.GoAway:
		return c.goAway(f)
	case wire.Settings:
		c.settings(f)
	}
	t.out = wire.AppendReply(t.out, f)
	return nil
}

func (c *http2) settings(f wire.Frame) {
	if f.Has(wire.Ack) {
		return
	}
	if c.encoder == nil {
		table, told := f.Setting(wire.SettingHeaderTableSize)
		if !told {
			table = wire.DefaultTable
		}
		c.encoder = wire.NewEncoder(table)
	}
	if most, told := f.Setting(wire.SettingMaxConcurrentStreams); told {
		c.most = min(len(c.streams), int(most))
	}
}

// goAway lets what the peer will still answer come to its end; an error code is the end at once.
func (c *http2) goAway(f wire.Frame) error {
	if len(f.Payload) < 8 || !bytes.Equal(f.Payload[4:8], make([]byte, 4)) {
		return fmt.Errorf("GOAWAY %x", f.Payload)
	}
	c.leaving = true
	return nil
}

func (c *http2) find(id uint32) *stream {
	if place := c.index[id>>1%indexed]; place != 0 && c.streams[place-1].id == id {
		return &c.streams[place-1]
	}
	return nil
}

func (c *http2) data(t *turn, f wire.Frame) error {
	content, err := f.Content()
	if err != nil {
		return err
	}
	if c.taken += uint32(len(f.Payload)); c.taken >= creditEvery {
		t.out = wire.AppendWindowUpdate(t.out, 0, c.taken)
		c.taken = 0
	}
	s := c.find(f.Stream)
	if s == nil || s.status == "" {
		return wire.ErrFrame // neither asked for nor begun
	}
	before := s.got / half
	if s.got += len(content); s.got/half > before && !f.Has(wire.EndStream) {
		t.out = wire.AppendWindowUpdate(t.out, f.Stream, half)
	}
	if f.Has(wire.EndStream) {
		c.answered(t, s)
	}
	return nil
}

const half = 32 << 10 // of a stream's window: given back each time so much has come

func (c *http2) headers(t *turn, f wire.Frame) error {
	block := f.Payload
	if f.Kind == wire.Headers {
		var err error
		if block, err = f.Content(); err != nil {
			return err
		}
		c.ends = f.Has(wire.EndStream)
	}
	if !f.Has(wire.EndHeaders) || f.Kind == wire.Continuation {
		if c.head = append(c.head, block...); len(c.head) > wire.MaxHead {
			return wire.ErrHeadTooLong
		}
		if !f.Has(wire.EndHeaders) {
			return nil
		}
		block, c.head = c.head, c.head[:0]
	}
	status, err := c.fields.Find(block, ":status")
	if err != nil {
		return err
	}
	s := c.find(f.Stream)
	if s == nil {
		return wire.ErrFrame
	}
	switch {
	case status == "" && s.status == "": // trailers of nothing
		return wire.ErrFields
	case status != "" && (len(status) != 3 || s.status != ""):
		return wire.ErrFields
	case status != "" && status[0] != '1': // interim answers are passed over
		s.status = status
	}
	if c.ends {
		c.answered(t, s)
	}
	return nil
}

func (c *http2) answered(t *turn, s *stream) {
	o := outcome{bytes: s.got, failed: true}
	switch {
	case s.status == "200" && s.got == c.size:
		o.failed = false
	case s.status >= "500":
		o.failure = load.Status5xx
	case s.status >= "400":
		o.failure = load.Status4xx
	default:
		o.failure = load.Malformed
	}
	c.over(t, s, o)
}

func (c *http2) over(t *turn, s *stream, o outcome) {
	t.answered(s.sent, o)
	place := c.index[s.id>>1%indexed]
	c.index[s.id>>1%indexed] = 0
	c.free = append(c.free, place-1)
	s.id = 0
}
