package h1

import (
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// output is memory for a head and for small pieces of a body, so that a whole
// message leaves in one write. It is taken for as long as a message is written.
type output struct{ b []byte }

var outputs = sync.Pool{New: func() any { return &output{make([]byte, 0, 8<<10)} }}

// maxOutput keeps a rare giant head from staying in the pool.
const maxOutput = 64 << 10

func takeOutput() *output { return outputs.Get().(*output) }

func (o *output) release() {
	if cap(o.b) <= maxOutput {
		o.b = o.b[:0]
		outputs.Put(o)
	}
}

// appendFields appends the fields that were not removed, in their order and
// spelling.
func appendFields(b []byte, h *l7.Header) []byte {
	for i := range h.Fields {
		if f := &h.Fields[i]; f.Name != nil {
			b = appendField(b, f)
		}
	}
	return b
}

func appendField(b []byte, f *l7.Field) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}

// appendRequest appends a request's head as it goes upstream.
func appendRequest(b []byte, req *l7.Request, chunked bool) []byte {
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, req.Target...)
	b = append(b, " HTTP/1.1\r\n"...)
	if req.Header.Find(l7.NameHost) == nil {
		b = append(b, "host: "...)
		b = append(b, req.Authority...)
		b = append(b, "\r\n"...)
	}
	b = appendFields(b, &req.Header)
	if chunked {
		b = append(b, "transfer-encoding: chunked\r\n"...)
	}
	switch te := req.Header.Find(l7.NameTE) != nil; {
	case req.Upgrade:
		b = append(b, "connection: upgrade\r\n"...)
	case te:
		b = append(b, "connection: te\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendResponse appends a response's head as it goes downstream. connection
// is the Connection field's value, or empty for none.
func appendResponse(b []byte, resp *l7.Response, f frame, connection string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(resp.Status), 10)
	b = append(b, ' ')
	if resp.Reason != nil {
		b = append(b, resp.Reason...)
	} else {
		b = append(b, reason(resp.Status)...)
	}
	b = append(b, "\r\n"...)
	b = appendFields(b, &resp.Header)
	if f == frameChunked {
		b = append(b, "transfer-encoding: chunked\r\n"...)
	}
	if connection != "" {
		b = append(b, "connection: "...)
		b = append(b, connection...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

const (
	// copyMost is how much of a body is copied behind a head, to leave with it
	// in one plain write.
	copyMost = 4 << 10
	// yieldAfter is how much a copying loop moves before it gives way.
	yieldAfter = 64 << 10
)

// copier passes a body on to a connection. The zero value copies nothing.
type copier struct {
	conn    *sock.Conn
	out     *output // the head, not yet written
	chunked bool
	idle    time.Duration // bounds each write; 0 is no bound
	now     time.Duration // a reading of the clock for the first write; 0 is none
	n       uint64        // body bytes passed on
	yield   *sock.Yielder // made when enough was moved to need it
	last    *atomic.Bool  // raised before the last write begins; nil: nobody asks
}

// run writes the head and the body. readErr is why the body ended early,
// writeErr why the connection did; both nil when all went well.
func (c *copier) run(body l7.Body) (readErr, writeErr error) {
	moved := 0
	defer c.stopYielding()
	for {
		p, err := body.Buffered()
		if p == nil && err == nil {
			if writeErr := c.write(nil); writeErr != nil {
				return nil, writeErr
			}
			p, err = body.Next()
		}
		if err == io.EOF || int64(c.n)+int64(len(p)) == body.Length() {
			c.beginLast()
		}
		if err == io.EOF {
			if c.chunked {
				c.end(body.Trailer())
			}
			return nil, c.write(nil)
		}
		if err != nil {
			return err, c.write(nil)
		}
		if moved >= yieldAfter { // and never after the last piece, which may be answered by then
			moved = 0
			c.giveWay()
		}
		if err := c.piece(p); err != nil {
			return nil, err
		}
		moved += len(p)
	}
}

func (c *copier) beginLast() {
	if c.last != nil {
		c.last.Store(true)
	}
}

// giveWay lets everybody else have their turn.
func (c *copier) giveWay() {
	if c.yield == nil {
		c.yield = new(sock.Yielder)
	}
	c.yield.Yield()
}

func (c *copier) stopYielding() {
	if c.yield != nil {
		c.yield.Close()
	}
}

// piece passes one piece on: a small one joins the output, a large one is
// written at once, behind it.
func (c *copier) piece(p []byte) error {
	c.n += uint64(len(p))
	if c.chunked {
		c.out.b = strconv.AppendUint(c.out.b, uint64(len(p)), 16)
		c.out.b = append(c.out.b, "\r\n"...)
	}
	if len(p) > copyMost {
		return c.write(p)
	}
	c.out.b = append(c.out.b, p...)
	if c.chunked {
		c.out.b = append(c.out.b, "\r\n"...)
	}
	if len(c.out.b) > 2*copyMost {
		return c.write(nil)
	}
	return nil
}

// write flushes the output and p behind it.
func (c *copier) write(p []byte) error {
	if len(c.out.b) == 0 && len(p) == 0 {
		return nil
	}
	var tail []byte
	if c.chunked && len(p) > 0 {
		tail = crlf
	}
	if c.idle > 0 {
		if c.now == 0 {
			c.now = sock.Now()
		}
		c.conn.WriteBy(c.now + c.idle)
		c.now = 0
	}
	err := c.conn.WriteAll(c.out.b, p, tail)
	c.out.b = c.out.b[:0]
	return err
}

var crlf = []byte("\r\n")

// end closes a chunked body.
func (c *copier) end(trailer *l7.Header) {
	c.out.b = append(c.out.b, "0\r\n"...)
	if trailer != nil {
		for i := range trailer.Fields {
			if f := &trailer.Fields[i]; f.Name != nil && inTrailer(f.ID) {
				c.out.b = appendField(c.out.b, f)
			}
		}
	}
	c.out.b = append(c.out.b, "\r\n"...)
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
