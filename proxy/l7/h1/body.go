package h1

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Limits of what surrounds the bytes of a chunked body.
const (
	maxChunkLine  = 4 << 10  // one chunk's size and extensions
	maxExtensions = 16 << 10 // all extensions of a body
	maxTrailer    = 60 << 10
)

// ErrInterrupted is what a body gives after Interrupt.
var ErrInterrupted = errors.New("body interrupted")

// frame is how a message says where its body ends.
type frame uint8

const (
	frameNone frame = iota
	frameLength
	frameChunked
	frameClose // a response that ends with its connection
)

// body reads a message's body out of a receiver. It is reused from message to
// message; begin makes it ready.
type body struct {
	r          *receiver
	frame      frame
	step       chunkStep
	length     int64 // as announced; -1 unknown
	left       int64 // of the length, or of the current chunk
	extensions int
	trailer    l7.Header
	err        error // sticky; io.EOF at the end

	stop atomic.Bool
	// by bounds every read, idle each of them; on the sock clock, 0 is none.
	by   atomic.Int64
	idle time.Duration
}

// chunkStep is what a chunked body's decoder expects next.
type chunkStep uint8

const (
	chunkSize chunkStep = iota
	chunkData
	chunkEnd
	chunkTrailer
)

func (b *body) begin(r *receiver, f frame, length int64) {
	b.r, b.frame, b.step, b.length, b.left, b.extensions = r, f, chunkSize, length, length, 0
	b.trailer.Reset()
	b.err = nil
	b.by.Store(0)
	b.idle = 0
	if b.stop.Load() {
		b.stop.Store(false)
	}
	if f == frameNone || f == frameLength && length == 0 {
		b.err = io.EOF
	}
}

// Length is the announced length, or -1.
func (b *body) Length() int64 {
	if b.frame == frameNone {
		return 0
	}
	return b.length
}

// Trailer holds the trailer fields once the body has ended.
func (b *body) Trailer() *l7.Header { return &b.trailer }

// Interrupt ends the body for whoever reads it in another goroutine.
func (b *body) Interrupt() {
	b.stop.Store(true)
	b.r.conn.Wake()
}

// Resume makes an interrupted body readable again, from where it stopped.
func (b *body) Resume() { b.stop.Store(false) }

// Ended tells that the body was read to its end.
func (b *body) Ended() bool { return b.err == io.EOF }

// SetIdle bounds each read, in place of the server's own bound; 0 is none.
func (b *body) SetIdle(idle time.Duration) { b.idle = idle }

// Next waits for the next bytes.
func (b *body) Next() ([]byte, error) {
	for {
		p, err := b.Buffered()
		if p != nil || err != nil {
			return p, err
		}
		b.bound()
		if err := b.r.more(); err != nil {
			return nil, b.fail(err)
		}
	}
}

// bound sets the deadline of the next read.
func (b *body) bound() {
	by := time.Duration(b.by.Load())
	if b.idle > 0 {
		if t := sock.Now() + b.idle; by == 0 || t < by {
			by = t
		}
	}
	b.r.conn.ReadBy(by)
}

func (b *body) fail(err error) error {
	switch {
	case err == io.EOF && b.frame == frameClose:
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case errors.Is(err, sock.ErrCanceled) && b.stop.Load():
		return ErrInterrupted
	}
	b.err = err
	return err
}

// Buffered gives what has come already.
func (b *body) Buffered() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	switch b.frame {
	case frameLength:
		p := b.take()
		if b.left == 0 {
			b.err = io.EOF
		}
		return p, nil
	case frameClose:
		p := b.r.buffered()
		if len(p) == 0 {
			return nil, nil
		}
		b.r.cur.Consume(len(p))
		return p, nil
	}
	return b.chunk()
}

// Whole gives the rest of the body if all of it is here, consuming it. The
// bytes stay valid as long as the message's head (l7.Whole).
func (b *body) Whole() (p []byte, ok bool) {
	if b.err == io.EOF {
		return nil, true
	}
	if b.err != nil || b.frame != frameLength || b.r.cur != &b.r.head || int64(b.r.cur.Len()) < b.left {
		return nil, false
	}
	p = b.take()
	b.err = io.EOF
	return p, true
}

// take consumes up to left bytes of what has come.
func (b *body) take() []byte {
	p := b.r.buffered()
	if len(p) == 0 {
		return nil
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	b.r.cur.Consume(len(p))
	b.left -= int64(len(p))
	return p
}

// chunk decodes as far as the bytes go (RFC 9112 7.1).
func (b *body) chunk() ([]byte, error) {
	for {
		switch b.step {
		case chunkSize:
			line, err := b.line(maxChunkLine)
			if line == nil || err != nil {
				return nil, err
			}
			if err := b.size(line); err != nil {
				return nil, b.fail(err)
			}
		case chunkData:
			if p := b.take(); p != nil {
				if b.left == 0 {
					b.step = chunkEnd
				}
				return p, nil
			}
			return nil, nil
		case chunkEnd:
			p := b.r.buffered()
			if len(p) > 0 && p[0] != '\r' || len(p) > 1 && p[1] != '\n' {
				return nil, b.fail(errChunk)
			}
			if len(p) < 2 {
				return nil, nil
			}
			b.r.cur.Consume(2)
			b.step = chunkSize
		case chunkTrailer:
			return nil, b.readTrailer()
		}
	}
}

// line consumes one line and gives it without its CRLF, or nil when it is not
// complete.
func (b *body) line(limit int) ([]byte, error) {
	p := b.r.buffered()
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		if len(p) > limit {
			return nil, b.fail(errChunkTooLong)
		}
		return nil, nil
	}
	if end > limit {
		return nil, b.fail(errChunkTooLong)
	}
	if end == 0 || p[end-1] != '\r' {
		return nil, b.fail(errBareLF)
	}
	b.r.cur.Consume(end + 1)
	return p[:end-1], nil
}

// size reads a chunk's size. Extensions are checked and dropped: a recipient
// ignores those it does not know, and a proxy need not pass them on.
func (b *body) size(line []byte) error {
	var n int64
	i := 0
	for ; i < len(line); i++ {
		d := hexDigit(line[i])
		if d < 0 {
			break
		}
		if i == 15 {
			return errChunkTooLong
		}
		n = n<<4 | int64(d)
	}
	if i == 0 {
		return errChunk
	}
	if ext := line[i:]; len(ext) > 0 {
		if trimmed := trim(ext); len(trimmed) == 0 || trimmed[0] != ';' || !l7.IsFieldValue(ext) {
			return errChunk
		}
		if b.extensions += len(ext); b.extensions > maxExtensions {
			return errChunkTooLong
		}
	}
	if b.left, b.step = n, chunkData; n == 0 {
		b.step = chunkTrailer
	}
	return nil
}

// readTrailer parses the trailer section when it is complete.
func (b *body) readTrailer() error {
	p := b.r.buffered()
	n, err := trailerEnd(p)
	if err != nil {
		return b.fail(err)
	}
	if n > maxTrailer || n == 0 && len(p) > maxTrailer {
		return b.fail(errHeadTooLong)
	}
	if n == 0 {
		return nil
	}
	b.r.cur.Consume(n)
	if n > 2 {
		if err := b.parseTrailer(p[:n]); err != nil {
			return b.fail(err)
		}
	}
	b.err = io.EOF
	return io.EOF
}

func (b *body) parseTrailer(p []byte) error {
	for len(p) > 2 {
		if len(b.trailer.Fields) == maxFields {
			return errTooMany
		}
		end := bytes.IndexByte(p, '\n')
		name, value, err := parseField(p[:end-1])
		if err != nil {
			return err
		}
		p = p[end+1:]
		if id := l7.ClassifyName(name); inTrailer(id) {
			b.trailer.Add(id, name, value)
		}
	}
	return nil
}

// inTrailer tells the fields that may stand in a trailer section: none that
// frame, route or authenticate the message (RFC 9110 6.5.1).
func inTrailer(id l7.Name) bool {
	switch id {
	case l7.NameOther, l7.NameGRPCStatus, l7.NameGRPCMessage, l7.NameXEnvoy, l7.NameDate, l7.NameXRequestID:
		return true
	}
	return false
}

// trailerEnd gives the length of a trailer section with its closing empty
// line, or 0 when it is not complete.
func trailerEnd(p []byte) (int, error) {
	line := 0
	for {
		i := bytes.IndexByte(p[line:], '\n')
		if i < 0 {
			return 0, nil
		}
		if i == 0 || p[line+i-1] != '\r' {
			return 0, errBareLF
		}
		line += i + 1
		if i == 1 {
			return line, nil
		}
	}
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
