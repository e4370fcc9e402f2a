package h2

import (
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// ServerStream is one request and its response, on a goroutine of its own.
type ServerStream struct {
	stream
	server *Server
	peer   l7.Peer
	head   pseudo
	start  time.Duration
	bad    *Error
	isHead bool // the method is HEAD
	noBody bool // the request ended with its head
}

func newServerStream() *ServerStream {
	st := new(ServerStream)
	st.make()
	st.leave = func() { st.peer.Leave() }
	return st
}

// take moves the request out of the header block. Nobody knows the stream yet but
// the reader.
func (st *ServerStream) take(b *headerBlock) {
	st.head, st.bad = b.pseudo, b.bad
	if b.end && b.length > 0 && b.bad == nil {
		st.bad = errLength
	}
	st.fields, b.fields = b.fields, st.fields[:0]
	st.arena, b.arena = b.arena, st.arena[:0]
	st.length, st.headCame = b.length, true
	st.recvEnd, st.noBody = b.end, b.end
}

// Run serves the stream (l7.Task).
func (st *ServerStream) Run() {
	server := st.server
	server.serve(st)
	server.ended(st)
	cfg := server.cfg
	st.clear()
	st.server, st.head, st.start, st.bad, st.isHead = nil, pseudo{}, 0, nil, false
	st.peer.Reset()
	cfg.servers.Put(st)
}

// ReadRequest moves the request into ex; Downstream and Local stay the caller's
// to set. An *Error says that the request is malformed: the stream has been
// reset, and there is nobody to answer. It never blocks.
func (st *ServerStream) ReadRequest(ex *l7.Exchange) error {
	req := &ex.Request
	ex.Start, ex.Clock, ex.Peer = st.start, st.start, &st.peer
	req.Version, req.Body = l7.HTTP2, l7.Empty
	req.Method, req.Target, req.Authority, req.Scheme = st.head.method, st.head.path, st.head.authority, st.head.scheme
	req.Header.Fields, st.fields = st.fields, req.Header.Fields[:0]
	st.isHead = string(req.Method) == "HEAD"
	if st.bad != nil {
		return st.bad
	}
	ex.Informer = st
	if st.noBody {
		ex.RequestEnd = ex.Clock
		return nil
	}
	st.body.idle = st.c.cfg.StreamIdle
	req.Body = &st.body
	st.expect(req)
	return nil
}

// expect treats Expect: 100-continue as h1 does: it is answered here, when the
// body is wanted, and not passed on.
func (st *ServerStream) expect(req *l7.Request) {
	f := req.Header.Find(l7.NameExpect)
	if f == nil || !l7.EqualFold(f.Value, "100-continue") {
		return
	}
	f.Name = nil
	req.Continue = func() error { return st.inform(&l7.Response{Status: 100}) }
}

// Inform passes an informational response on (l7.Informer).
func (st *ServerStream) Inform(ex *l7.Exchange) error { return st.inform(&ex.Response) }

func (st *ServerStream) inform(resp *l7.Response) error {
	c := st.c
	st.boundWriter()
	if err := st.awaitRoom(nil); err != nil {
		return err
	}
	if err := st.broken(); err != nil {
		c.mu.Unlock()
		return err
	}
	at := c.beginHeaders()
	c.out.b = appendResponse(c.out.b, resp)
	c.endHeaders(at, st.id, 0)
	c.mu.Unlock()
	c.flush()
	return nil
}

// WriteResponse writes ex.Response, head, body and trailers. bodyErr says that
// the body broke off after the head was sent: Reset must follow, since the client
// must not take what it got for the whole. err says that the client could not be
// written to. What is written leaves at the latest when serve returns.
func (st *ServerStream) WriteResponse(ex *l7.Exchange) (bodyErr, err error) {
	resp := &ex.Response
	none := st.isHead || resp.Status == 204 || resp.Status == 304
	settleLength(ex, none)
	var whole []byte
	all := none
	if !none {
		whole, all = l7.Whole(resp.Body)
	}
	rest, err := st.writeHead(resp, whole, all)
	if err != nil {
		return nil, err
	}
	ex.BytesSent += uint64(len(whole) - len(rest))
	if len(rest) > 0 {
		st.boundWriter()
		if err := st.write(rest, true, nil); err != nil {
			return nil, err
		}
		ex.BytesSent += uint64(len(rest))
	}
	if all {
		return nil, nil
	}
	n, bodyErr, err := st.sendBody(resp.Body, st.c.cfg.StreamIdle, nil)
	ex.BytesSent += n
	return bodyErr, err
}

// settleLength says how long a body is that did not say so itself, as h1 does.
func settleLength(ex *l7.Exchange, none bool) {
	resp := &ex.Response
	if n := resp.Body.Length(); !none && n > 0 && resp.Header.Find(l7.NameContentLength) == nil {
		at := len(ex.Scratch)
		ex.Scratch = strconv.AppendInt(ex.Scratch, n, 10)
		resp.Header.Add(l7.NameContentLength, contentLength, ex.Scratch[at:])
	}
}

var contentLength = []byte("content-length")

// writeHead appends the head, and of a body that is here as a whole what the
// windows allow; rest is what they did not.
func (st *ServerStream) writeHead(resp *l7.Response, whole []byte, all bool) (rest []byte, err error) {
	c := st.c
	if err := st.awaitRoom(nil); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	if err := st.broken(); err != nil {
		return nil, err
	}
	at := c.beginHeaders()
	c.out.b = appendResponse(c.out.b, resp)
	st.answered = true
	if all && len(whole) == 0 {
		c.endHeaders(at, st.id, flagEndStream)
		st.endSend()
		return nil, nil
	}
	c.endHeaders(at, st.id, 0)
	for len(whole) > 0 {
		n := st.room(len(whole))
		if n == 0 {
			break
		}
		st.appendData(whole[:n], n == len(whole))
		whole = whole[n:]
	}
	return whole, nil
}

func (st *ServerStream) boundWriter() {
	if idle := st.c.cfg.StreamIdle; idle > 0 {
		st.writer.bound(sock.Now() + idle)
	}
}

// Responded tells whether a final response's head was written.
func (st *ServerStream) Responded() bool { return st.answered }

// Reset resets the stream, if it has not ended (Envoy 1.37: INTERNAL_ERROR).
func (st *ServerStream) Reset() {
	c := st.c
	c.mu.Lock()
	if st.listed && !st.sendEnd {
		c.appendReset(st.id, InternalError)
		c.cut(&st.stream, errOurReset)
	}
	c.mu.Unlock()
}

// Err is why the stream broke: an *Error for a reset by the client or for a
// breach, of the stream or of its connection; io.ErrUnexpectedEOF when the
// connection was closed. Nil: it has not broken.
func (st *ServerStream) Err() error {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.err
}

var errOurReset = streamError(InternalError, "we have reset the stream")

var _ l7.Informer = (*ServerStream)(nil)
