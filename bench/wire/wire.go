// Package wire reads as much of HTTP/1.1 as a load generator and its backend need: where a message begins, which
// answer or which request it is, where it ends. Nothing is kept of header fields but their effect on framing.
//
// It is fed whatever bytes arrive and keeps its place between calls, so that a reader needs one buffer for all its
// connections; only a head cut in two by a read is kept, up to MaxHead bytes. It trusts its peer to mean well: it refuses what it
// cannot frame, but is no judge of strictness (the proxy's own codec is).
package wire

import (
	"bytes"
	"errors"
)

// MaxHead is the most bytes a message head, or the line of a chunk size, may have.
const MaxHead = 64 << 10

// The reasons a message is refused; each ends the connection.
var (
	ErrHeadTooLong = errors.New("message head exceeds 64 KiB")
	ErrStartLine   = errors.New("malformed start line")
	ErrLength      = errors.New("malformed or contradicting content length")
	ErrChunk       = errors.New("malformed chunk")
	ErrUpgrade     = errors.New("unasked protocol switch")
)

var headEnd = []byte("\r\n\r\n")

// splitHead returns the head that starts p, blank line included, and what follows it. Bytes of an unfinished head are
// kept in partial and completed by later calls; the head returned is then good until the next call.
func splitHead(partial *[]byte, p []byte) (head, rest []byte, whole bool, err error) {
	if len(*partial) == 0 {
		if i := bytes.Index(p, headEnd); i >= 0 {
			return p[:i+4], p[i+4:], true, tooLong(i + 4)
		}
		*partial = append((*partial)[:0], p...)
		return nil, nil, false, tooLong(len(p))
	}
	kept := len(*partial)
	joined := append(*partial, p...)
	from := max(kept-3, 0)
	i := bytes.Index(joined[from:], headEnd)
	if i < 0 {
		*partial = joined
		return nil, nil, false, tooLong(len(joined))
	}
	end := from + i + 4
	*partial = joined[:0]
	return joined[:end], p[end-kept:], true, tooLong(end)
}

func tooLong(n int) error {
	if n > MaxHead {
		return ErrHeadTooLong
	}
	return nil
}

// framing is what the header fields say about the body and the connection.
type framing struct {
	length  int64 // -1: none given
	chunked bool
	close   bool
	keep    bool
	key     []byte // of a WebSocket handshake
}

// scan reads the fields of a head after its start line.
func scan(fields []byte) (framing, error) {
	f := framing{length: -1}
	for len(fields) > 2 {
		end := bytes.IndexByte(fields, '\n')
		if end < 0 {
			break
		}
		line := bytes.TrimRight(fields[:end], "\r")
		fields = fields[end+1:]
		// Four fields matter; their first letters spare the rest a comparison.
		if len(line) < 4 {
			continue
		}
		switch line[0] | 0x20 {
		case 'c':
			if v, ok := value(line, "content-length"); ok {
				n, valid := decimal(v)
				if !valid || (f.length >= 0 && f.length != n) {
					return f, ErrLength
				}
				f.length = n
			} else if v, ok := value(line, "connection"); ok {
				f.close = f.close || bytes.EqualFold(v, []byte("close"))
				f.keep = f.keep || bytes.EqualFold(v, []byte("keep-alive"))
			}
		case 't':
			if v, ok := value(line, "transfer-encoding"); ok {
				if !bytes.EqualFold(v, []byte("chunked")) {
					return f, ErrLength
				}
				f.chunked = true
			}
		case 's':
			if v, ok := value(line, "sec-websocket-key"); ok {
				f.key = v
			}
		}
	}
	if f.chunked && f.length >= 0 {
		return f, ErrLength
	}
	return f, nil
}

// value returns the value of line if its name is name (lower case).
func value(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		if line[i]|0x20 != name[i]|0x20 {
			return nil, false
		}
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// decimal reads an unsigned number of at most 18 digits.
func decimal(p []byte) (int64, bool) {
	if len(p) == 0 || len(p) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
