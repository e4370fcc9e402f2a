package wire

import (
	"encoding/binary"
	"errors"
)

// What HTTP/2 is made of (RFC 9113 sections 6 and 7), as far as a load generator and its backend meet it.
const (
	Data         = 0x0
	Headers      = 0x1
	ResetStream  = 0x3
	Settings     = 0x4
	Ping         = 0x6
	GoAway       = 0x7
	WindowUpdate = 0x8
	Continuation = 0x9

	EndStream  = 0x1 // of Data and Headers
	Ack        = 0x1 // of Settings and Ping
	EndHeaders = 0x4
	padded     = 0x8
	priority   = 0x20

	SettingHeaderTableSize      = 0x1
	SettingEnablePush           = 0x2
	SettingMaxConcurrentStreams = 0x3
	SettingInitialWindowSize    = 0x4
)

// Preface is what a client's side of a connection begins with.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	frameHead = 9
	maxFrame  = 16 << 10 // no endpoint here allows its peer more

	// DefaultWindow is what either side may send before any update, of a stream and of a connection.
	DefaultWindow = 65535
	// MaxWindow is the most it may ever be allowed.
	MaxWindow = 1<<31 - 1
)

// The reasons an HTTP/2 connection is refused.
var (
	ErrFrame  = errors.New("malformed or oversized HTTP/2 frame")
	ErrFields = errors.New("malformed HTTP/2 header block")
)

// Frame is one frame; Payload is good until the next call of Frames.Next.
type Frame struct {
	Kind, Flags byte
	Stream      uint32
	Payload     []byte
}

// Has tells whether a flag is set.
func (f Frame) Has(flag byte) bool { return f.Flags&flag != 0 }

// Content is the payload of Data or Headers without padding and priority.
func (f Frame) Content() ([]byte, error) {
	p := f.Payload
	pad := 0
	if f.Has(padded) {
		if len(p) == 0 {
			return nil, ErrFrame
		}
		pad, p = int(p[0]), p[1:]
	}
	if f.Kind == Headers && f.Has(priority) {
		if len(p) < 5 {
			return nil, ErrFrame
		}
		p = p[5:]
	}
	if pad > len(p) {
		return nil, ErrFrame
	}
	return p[:len(p)-pad], nil
}

// Number is the payload's 31-bit number at its start: a window increment, an error code of ResetStream.
func (f Frame) Number() uint32 {
	if len(f.Payload) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(f.Payload) & (1<<31 - 1)
}

// Setting returns the value of a setting that the frame contains.
func (f Frame) Setting(id uint16) (uint32, bool) {
	value, found := uint32(0), false
	for p := f.Payload; len(p) >= 6; p = p[6:] {
		if binary.BigEndian.Uint16(p) == id {
			value, found = binary.BigEndian.Uint32(p[2:]), true
		}
	}
	return value, found
}

// Frames cuts a connection's bytes into frames. The zero value is ready.
type Frames struct {
	partial []byte
	given   bool // partial was the last frame returned
}

// Next returns the frame that p begins with (or ends: what came before is kept) and what follows it; ok is false when
// p holds no more whole frame.
func (f *Frames) Next(p []byte) (frame Frame, rest []byte, ok bool, err error) {
	if f.given {
		f.partial, f.given = f.partial[:0], false
	}
	if len(f.partial) == 0 && len(p) >= frameHead {
		n, err := wholeSize(p)
		if err != nil {
			return Frame{}, nil, false, err
		}
		if n <= len(p) {
			return parseFrame(p[:n]), p[n:], true, nil
		}
	}
	for len(p) > 0 {
		need := frameHead
		if len(f.partial) >= frameHead {
			need, _ = wholeSize(f.partial) // checked when its head was whole
		}
		n := min(need-len(f.partial), len(p))
		f.partial, p = append(f.partial, p[:n]...), p[n:]
		if len(f.partial) < frameHead {
			continue
		}
		whole, err := wholeSize(f.partial)
		if err != nil {
			return Frame{}, nil, false, err
		}
		if len(f.partial) == whole {
			f.given = true
			return parseFrame(f.partial), p, true, nil
		}
	}
	return Frame{}, nil, false, nil
}

func wholeSize(p []byte) (int, error) {
	n := int(p[0])<<16 | int(p[1])<<8 | int(p[2])
	if n > maxFrame {
		return 0, ErrFrame
	}
	return frameHead + n, nil
}

func parseFrame(p []byte) Frame {
	return Frame{Kind: p[3], Flags: p[4], Stream: binary.BigEndian.Uint32(p[5:]) & (1<<31 - 1), Payload: p[frameHead:]}
}

// AppendFrame appends a frame; the payload is at most 16 KiB.
func AppendFrame(out []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	out = AppendFrameHead(out, len(payload), kind, flags, stream)
	return append(out, payload...)
}

// AppendFrameHead appends the nine bytes before a payload of n.
func AppendFrameHead(out []byte, n int, kind, flags byte, stream uint32) []byte {
	return append(out, byte(n>>16), byte(n>>8), byte(n), kind, flags, byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// AppendSettings appends a SETTINGS frame of pairs: a setting, its value, and so on.
func AppendSettings(out []byte, pairs ...uint32) []byte {
	out = AppendFrameHead(out, len(pairs)*3, Settings, 0, 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		out = binary.BigEndian.AppendUint16(out, uint16(pairs[i]))
		out = binary.BigEndian.AppendUint32(out, pairs[i+1])
	}
	return out
}

// AppendWindowUpdate allows the peer so many bytes more; stream 0 is the connection.
func AppendWindowUpdate(out []byte, stream, bytes uint32) []byte {
	out = AppendFrameHead(out, 4, WindowUpdate, 0, stream)
	return binary.BigEndian.AppendUint32(out, bytes)
}

// AppendReply appends what the frame wants to be answered with at once: the acknowledgement of SETTINGS or PING, else nothing.
func AppendReply(out []byte, f Frame) []byte {
	if f.Has(Ack) {
		return out
	}
	switch f.Kind {
	case Settings:
		return AppendFrameHead(out, 0, Settings, Ack, 0)
	case Ping:
		return AppendFrame(out, Ping, Ack, 0, f.Payload)
	}
	return out
}
