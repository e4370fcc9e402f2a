//go:build linux

package backend

import (
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/bench/wire"
)

// streams is an HTTP/2 connection by prior knowledge. What the frames of one read ask for is answered with one write.
// It keeps flow control in both directions; a stream exists here only while it uploads, is held, or waits for its window.
type streams struct {
	counters *Counters
	frames   wire.Frames
	fields   wire.Fields
	encoder  *wire.Encoder // nil until the peer's SETTINGS
	blocks   [len(pages)]wire.Block
	head     []byte // a header block that comes in pieces
	ends     bool   // its HEADERS frame ended the stream
	open     map[uint32]*stream
	window   int64 // what the connection may still be sent
	initial  int64 // what a new stream may be sent
	taken    uint32
}

// stream is an exchange that is not over.
type stream struct {
	page   int
	window int64
	owed   []byte // DATA that waits for a window
	headed bool   // answered, owed may be left
}

// page is an answer to an HTTP/2 request. Held streams are not ended after it.
type page struct {
	path   string
	status string
	body   string
	held   bool
}

var pages = [...]page{
	{path: "", status: "404", body: "no such path"},
	{path: "/1k", status: "200", body: strings.Repeat("x", 1<<10)},
	{path: "/16k", status: "200", body: strings.Repeat("x", 16<<10)},
	{path: "/ping32", status: "200", body: strings.Repeat("x", 32)},
	{path: "/sink", status: "200", body: "ok"},
	{path: "/hold", status: "200", body: strings.Repeat("x", 32), held: true},
}

const (
	maxStreams  = 4096
	creditEvery = 256 << 10 // of connection credit given back at once
)

func newStreams(counters *Counters) *streams {
	s := &streams{counters: counters, open: map[uint32]*stream{}, window: wire.DefaultWindow, initial: wire.DefaultWindow}
	for i, p := range pages {
		s.blocks[i].Fields = []hpack.HeaderField{{Name: ":status", Value: p.status}, {Name: "content-type", Value: "text/plain"},
			{Name: "cache-control", Value: "no-cache"}}
		if !p.held {
			s.blocks[i].Fields = append(s.blocks[i].Fields, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(p.body))})
		}
	}
	return s
}

// begin appends what a server says first.
func (s *streams) begin(out []byte) []byte {
	out = wire.AppendSettings(out, wire.SettingMaxConcurrentStreams, maxStreams)
	return wire.AppendWindowUpdate(out, 0, wire.MaxWindow-wire.DefaultWindow)
}

// feed takes what has arrived and appends the answers to out.
func (s *streams) feed(out, p []byte) ([]byte, error) {
	for {
		f, rest, ok, err := s.frames.Next(p)
		if err != nil || !ok {
			return out, err
		}
		p = rest
		if out, err = s.frame(out, f); err != nil {
			return out, err
		}
	}
}

func (s *streams) frame(out []byte, f wire.Frame) ([]byte, error) {
	switch f.Kind {
	case wire.Headers, wire.Continuation:
		return s.headers(out, f)
	case wire.Data:
		return s.data(out, f)
	case wire.WindowUpdate:
		return s.credit(out, f), nil
	case wire.Settings:
		return s.settings(out, f), nil
	case wire.ResetStream:
		delete(s.open, f.Stream)
	}
	return wire.AppendReply(out, f), nil
}

func (s *streams) settings(out []byte, f wire.Frame) []byte {
	if f.Has(wire.Ack) {
		return out
	}
	if s.encoder == nil {
		table, told := f.Setting(wire.SettingHeaderTableSize)
		if !told {
			table = wire.DefaultTable
		}
		s.encoder = wire.NewEncoder(table)
	}
	out = wire.AppendReply(out, f)
	if initial, told := f.Setting(wire.SettingInitialWindowSize); told {
		more := int64(initial) - s.initial
		s.initial = int64(initial)
		for id, one := range s.open {
			one.window += more
			out = s.send(out, id, one)
		}
	}
	return out
}

func (s *streams) headers(out []byte, f wire.Frame) ([]byte, error) {
	block := f.Payload
	if f.Kind == wire.Headers {
		s.ends = f.Has(wire.EndStream)
		var err error
		if block, err = f.Content(); err != nil {
			return out, err
		}
	}
	if !f.Has(wire.EndHeaders) || f.Kind == wire.Continuation {
		if s.head = append(s.head, block...); len(s.head) > wire.MaxHead {
			return out, wire.ErrHeadTooLong
		}
		if !f.Has(wire.EndHeaders) {
			return out, nil
		}
		block = s.head
		s.head = s.head[:0]
	}
	if s.encoder == nil {
		return out, wire.ErrFrame // a request before SETTINGS
	}
	path, err := s.fields.Find(block, ":path")
	if err != nil {
		return out, err
	}
	one := s.open[f.Stream]
	if one == nil { // else these are trailers
		which := find(path)
		if n := int64(len(prepared[which])); s.ends && !pages[which].held && n <= s.window && n <= s.initial {
			return s.atOnce(out, f.Stream, which), nil
		}
		if len(s.open) >= maxStreams {
			return out, wire.ErrFrame
		}
		one = &stream{page: which, window: s.initial}
		s.open[f.Stream] = one
	}
	if s.ends || pages[one.page].held {
		return s.answer(out, f.Stream, one), nil
	}
	return out, nil
}

// atOnce answers a request that is over, and whose answer fits into both windows: nearly all of them.
func (s *streams) atOnce(out []byte, id uint32, which int) []byte {
	s.counters.Requests++
	out = wire.AppendFrame(out, wire.Headers, wire.EndHeaders, id, s.blocks[which].Bytes(s.encoder))
	s.window -= int64(len(prepared[which]))
	return wire.AppendFrame(out, wire.Data, wire.EndStream, id, prepared[which])
}

func find(path string) int {
	for i := range pages {
		if pages[i].path == path && path != "" {
			return i
		}
	}
	return 0
}

// data drops an upload and gives its credit back; at its end comes the answer.
func (s *streams) data(out []byte, f wire.Frame) ([]byte, error) {
	n := uint32(len(f.Payload))
	if s.taken += n; s.taken >= creditEvery {
		out, s.taken = wire.AppendWindowUpdate(out, 0, s.taken), 0
	}
	one := s.open[f.Stream]
	switch {
	case one == nil:
	case f.Has(wire.EndStream):
		return s.answer(out, f.Stream, one), nil
	case n > 0:
		out = wire.AppendWindowUpdate(out, f.Stream, n)
	}
	return out, nil
}

func (s *streams) answer(out []byte, id uint32, one *stream) []byte {
	if one.headed { // a held stream that its client has ended
		delete(s.open, id)
		return out
	}
	s.counters.Requests++
	out = wire.AppendFrame(out, wire.Headers, wire.EndHeaders, id, s.blocks[one.page].Bytes(s.encoder))
	one.headed, one.owed = true, prepared[one.page]
	return s.send(out, id, one)
}

// prepared are the bodies as bytes.
var prepared = func() (all [len(pages)][]byte) {
	for i, p := range pages {
		all[i] = []byte(p.body)
	}
	return all
}()

// send appends as much of what the stream owes as both windows allow, and forgets the stream when it is over.
func (s *streams) send(out []byte, id uint32, one *stream) []byte {
	for len(one.owed) > 0 {
		n := min(int64(len(one.owed)), s.window, one.window)
		if n <= 0 {
			return out
		}
		flags := byte(0)
		if n == int64(len(one.owed)) && !pages[one.page].held {
			flags = wire.EndStream
		}
		out = wire.AppendFrame(out, wire.Data, flags, id, one.owed[:n])
		one.owed = one.owed[n:]
		s.window -= n
		one.window -= n
	}
	if one.headed && !pages[one.page].held {
		delete(s.open, id)
	}
	return out
}

func (s *streams) credit(out []byte, f wire.Frame) []byte {
	if f.Stream != 0 {
		if one := s.open[f.Stream]; one != nil {
			one.window += int64(f.Number())
			return s.send(out, f.Stream, one)
		}
		return out
	}
	s.window += int64(f.Number())
	for id, one := range s.open {
		out = s.send(out, id, one)
	}
	return out
}
