package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// Frames are taken apart and put together by hand, in the connection's own
// buffers: the x/net Framer costs three times as much, since it reads through an
// io.Reader and hands out a value for each frame. Names and numbers are its own.

const (
	frameHeaderLen = 9

	flagEndStream  = http2.FlagDataEndStream // also of HEADERS
	flagAck        = http2.FlagPingAck       // also of SETTINGS
	flagEndHeaders = http2.FlagHeadersEndHeaders
	flagPadded     = http2.FlagDataPadded // also of HEADERS
	flagPriority   = http2.FlagHeadersPriority
)

// frame is a frame's header (RFC 9113 4.1).
type frame struct {
	length int
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

func parseFrame(b []byte) frame {
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   http2.FrameType(b[3]),
		flags:  http2.Flags(b[4]),
		stream: binary.BigEndian.Uint32(b[5:]) & maxStreamID,
	}
}

func appendFrame(b []byte, kind http2.FrameType, flags http2.Flags, stream uint32, length int) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func appendReset(b []byte, stream uint32, code Code) []byte {
	b = appendFrame(b, http2.FrameRSTStream, 0, stream, 4)
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

func appendWindowUpdate(b []byte, stream, n uint32) []byte {
	b = appendFrame(b, http2.FrameWindowUpdate, 0, stream, 4)
	return binary.BigEndian.AppendUint32(b, n)
}

func appendPing(b []byte, flags http2.Flags, payload []byte) []byte {
	b = appendFrame(b, http2.FramePing, flags, 0, 8)
	return append(b, payload[:8]...)
}

func appendGoAway(b []byte, last uint32, code Code, debug string) []byte {
	b = appendFrame(b, http2.FrameGoAway, 0, 0, 8+len(debug))
	b = binary.BigEndian.AppendUint32(b, last)
	b = binary.BigEndian.AppendUint32(b, uint32(code))
	return append(b, debug...)
}

// setting is one of a SETTINGS frame.
type setting struct {
	id    http2.SettingID
	value uint32
}

func appendSettings(b []byte, list ...setting) []byte {
	b = appendFrame(b, http2.FrameSettings, 0, 0, 6*len(list))
	for _, s := range list {
		b = binary.BigEndian.AppendUint16(b, uint16(s.id))
		b = binary.BigEndian.AppendUint32(b, s.value)
	}
	return b
}

// unpad takes the padding off a frame's payload (RFC 9113 6.1, 6.2).
func unpad(f frame, p []byte) ([]byte, *Error) {
	if f.flags&flagPadded == 0 {
		return p, nil
	}
	if len(p) == 0 {
		return nil, errFrameLength
	}
	pad := int(p[0])
	if p = p[1:]; pad > len(p) {
		return nil, errPadding
	}
	return p[:len(p)-pad], nil
}
