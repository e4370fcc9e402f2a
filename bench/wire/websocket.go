package wire

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// The opcodes of WebSocket frames (RFC 6455 section 5.2) that generator and backend tell apart.
const (
	WSText   = 0x1
	WSBinary = 0x2
	WSClose  = 0x8
	WSPing   = 0x9
	WSPong   = 0xa
)

// ErrWebSocket ends a WebSocket connection.
var ErrWebSocket = errors.New("malformed or oversized WebSocket frame")

const maxMessage = 64 << 10

// AcceptKey is the answer to a handshake's key (RFC 6455 section 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AppendWSFrame appends one unfragmented frame; a client's is masked, with a mask of the caller's.
func AppendWSFrame(out []byte, opcode byte, mask *[4]byte, payload []byte) []byte {
	bit := byte(0)
	if mask != nil {
		bit = 0x80
	}
	out = append(out, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		out = append(out, bit|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, bit|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, bit|127), uint64(n))
	}
	if mask == nil {
		return append(out, payload...)
	}
	out = append(out, mask[:]...)
	for i, b := range payload {
		out = append(out, b^mask[i&3])
	}
	return out
}

// Messages cuts a connection's bytes into WebSocket frames. The zero value is ready.
type Messages struct{ partial []byte }

// Next returns the opcode and unmasked payload (64 KiB at most, good until the next call) of the frame that comes next, and what follows it.
// ok is false when there is no whole frame; the bytes are kept. It unmasks in place: p is written to.
func (m *Messages) Next(p []byte) (opcode byte, payload, rest []byte, ok bool, err error) {
	if len(m.partial) > 0 {
		m.partial = append(m.partial, p...)
		p, m.partial = m.partial, nil
	}
	if len(p) < 2 {
		m.partial = append([]byte(nil), p...)
		return 0, nil, nil, false, nil
	}
	opcode, masked, head := p[0]&0xf, p[1]&0x80 != 0, 2
	n := uint64(p[1] & 0x7f)
	more := lengthBytes(n)
	if len(p) < head+more {
		m.partial = append([]byte(nil), p...)
		return 0, nil, nil, false, nil
	}
	switch more {
	case 2:
		n = uint64(binary.BigEndian.Uint16(p[2:]))
	case 8:
		n = binary.BigEndian.Uint64(p[2:])
	}
	head += more
	if masked {
		head += 4
	}
	if n > maxMessage || opcode > WSPong || (opcode > WSBinary && opcode < WSClose) {
		return 0, nil, nil, false, ErrWebSocket
	}
	if whole := head + int(n); len(p) < whole {
		m.partial = append([]byte(nil), p...)
		return 0, nil, nil, false, nil
	}
	payload, rest = p[head:head+int(n)], p[head+int(n):]
	if masked {
		for i := range payload {
			payload[i] ^= p[head-4+(i&3)]
		}
	}
	return opcode, payload, rest, true, nil
}

// lengthBytes is how many bytes of length follow a short length (RFC 6455 section 5.2).
func lengthBytes(short uint64) int {
	switch short {
	case 126:
		return 2
	case 127:
		return 8
	}
	return 0
}
