package wire

import "bytes"

// body follows a message's body to its end. The zero value has ended.
type body struct {
	phase     phase
	remaining int64 // bytes of the body, or of the current chunk, still to come
	digits    int   // of the chunk size read so far
	line      int   // bytes of the current chunk-size or trailer line
}

type phase uint8

const (
	ended phase = iota
	counted
	toClose
	chunkSize
	chunkExtension
	chunkData
	chunkEnd
	trailer
)

func (b *body) begin(f framing) {
	*b = body{}
	switch {
	case f.chunked:
		b.phase = chunkSize
	case f.length > 0:
		b.phase, b.remaining = counted, f.length
	}
}

// feed takes what belongs to the body from p and returns what follows it.
func (b *body) feed(p []byte) ([]byte, error) {
	for len(p) > 0 && b.phase != ended {
		var err error
		switch b.phase {
		case toClose:
			return nil, nil
		case counted, chunkData:
			p = b.take(p)
		default:
			p, err = b.framingByte(p)
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// take consumes data bytes.
func (b *body) take(p []byte) []byte {
	n := min(int64(len(p)), b.remaining)
	b.remaining -= n
	if b.remaining == 0 {
		if b.phase == counted {
			b.phase = ended
		} else {
			b.phase = chunkEnd
		}
	}
	return p[n:]
}

// framingByte consumes one byte (or a run of ignored ones) of what stands around chunks.
func (b *body) framingByte(p []byte) ([]byte, error) {
	c := p[0]
	if b.line++; b.line > MaxHead {
		return nil, ErrHeadTooLong
	}
	switch b.phase {
	case chunkSize:
		if d, ok := hexDigit(c); ok {
			if b.digits++; b.digits > 15 {
				return nil, ErrChunk
			}
			b.remaining = b.remaining<<4 | int64(d)
			break
		}
		if b.digits == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t') {
			return nil, ErrChunk
		}
		b.phase = chunkExtension
	case chunkExtension:
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.line += len(p) - 1
			return nil, nil
		}
		p = p[i:]
		b.chunkBegins()
	case chunkEnd:
		if c != '\r' && c != '\n' {
			return nil, ErrChunk
		}
		if c == '\n' {
			b.phase, b.remaining, b.digits, b.line = chunkSize, 0, 0, 0
		}
	case trailer:
		// line counts the bytes since the last line feed: an empty line is at most "\r\n".
		if c == '\n' {
			if b.line <= 2 && b.digits == 0 {
				b.phase = ended
			}
			b.line, b.digits = 0, 0
		} else if c != '\r' {
			b.digits = 1 // the line has content
		}
	}
	return p[1:], nil
}

func (b *body) chunkBegins() {
	b.line, b.digits = 0, 0
	b.phase = chunkData
	if b.remaining == 0 {
		b.phase = trailer
	}
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
