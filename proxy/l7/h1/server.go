package h1

import (
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// maxRequestHead is how many bytes a request's head may have (Envoy:
// max_request_headers_kb).
const maxRequestHead = 60 << 10

// lingerMost bounds what is read and thrown away of a request whose answer was
// given before its end, so that the answer is not lost to an RST.
const lingerMost = 1 << 20

// Server is the downstream side of one connection: it reads requests and
// writes their responses, one after the other. Pipelined requests wait in the
// socket. It belongs to one goroutine, but for the request's body, which a
// Client may read in a second one until the exchange's lease has ended.
type Server struct {
	recv receiver
	body body
	// Idle bounds the silence on a stream (Envoy: stream_idle_timeout), each
	// read of a request and each write of a response. 0 is no bound.
	Idle time.Duration

	version l7.Version
	head    bool // the request's method is HEAD
	close   bool // no request can follow this one
	respond bool // the final response's head has been written
}

// NewServer serves a connection, which stays the caller's to close.
func NewServer(conn *sock.Conn) *Server {
	s := &Server{}
	s.recv.conn = conn
	s.recv.cur = &s.recv.head
	return s
}

// Prefill hands over bytes that were read from the connection before.
func (s *Server) Prefill(p []byte) { s.recv.head.Append(p) }

// Await waits until the first bytes of a request are here, holding no memory
// meanwhile, until by on the sock clock; 0 is for ever. io.EOF says that the
// peer has closed between two requests.
func (s *Server) Await(by time.Duration) error {
	s.recv.next()
	if s.recv.head.Len() > 0 {
		return nil
	}
	s.recv.conn.ReadBy(by)
	_, err := s.recv.conn.Fill(&s.recv.head)
	return err
}

// ReadRequest reads a request's head into ex.Request, from ex.Start on (now, if
// that is 0), and makes its body ready.
// An *Error tells what is wrong with the request and what to answer; any other
// error means that there is nobody to answer.
func (s *Server) ReadRequest(ex *l7.Exchange) error {
	if ex.Start == 0 {
		ex.Start = sock.Now()
	}
	ex.Clock = ex.Start
	s.version, s.close, s.head, s.respond = l7.HTTP11, true, false, false
	ex.Request.Body = l7.Empty
	s.recv.conn.ReadBy(s.bound(ex.Start))
	before, _ := s.recv.conn.Traffic()
	head, err := s.recv.readHead(maxRequestHead, beginsRequest)
	if err != nil {
		return err
	}
	if now, _ := s.recv.conn.Traffic(); now != before { // the head came in pieces
		ex.Clock = sock.Now()
	}
	f, err := parseRequest(head, &ex.Request)
	s.recv.head.Consume(len(head))
	if err != nil {
		return err
	}
	s.begin(ex, f)
	return nil
}

// begin makes the body ready and decides whether another request may follow.
func (s *Server) begin(ex *l7.Exchange, f framing) {
	req := &ex.Request
	s.version, s.head = req.Version, string(req.Method) == "HEAD"
	s.close = f.close || req.Version == l7.HTTP10 && !f.keepAlive
	switch {
	case f.chunked:
		s.body.begin(&s.recv, frameChunked, -1)
	case f.length > 0:
		s.body.begin(&s.recv, frameLength, f.length)
	default:
		s.body.begin(&s.recv, frameNone, 0)
		ex.RequestEnd = ex.Clock
	}
	s.body.idle = s.Idle
	s.recv.conn.WatchRead(&s.body.stop)
	req.Body = &s.body
	if req.Version == l7.HTTP11 {
		ex.Informer = s
		if f.expect && !s.body.Ended() {
			req.Continue = s.writeContinue
		}
	}
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// writeContinue tells the client to send the body (Envoy answers Expect:
// 100-continue itself and does not pass it on).
func (s *Server) writeContinue() error { return s.write(continueLine) }

// Inform passes an informational response on.
func (s *Server) Inform(ex *l7.Exchange) error {
	out := takeOutput()
	defer out.release()
	out.b = appendResponse(out.b, &ex.Response, frameNone, "")
	return s.write(out.b)
}

func (s *Server) write(p []byte) error {
	s.recv.conn.WriteBy(s.bound(sock.Now()))
	return s.recv.conn.WriteAll(p, nil, nil)
}

// bound is when a silence that begins now lasts too long; 0 is never.
func (s *Server) bound(now time.Duration) time.Duration {
	if s.Idle > 0 {
		return now + s.Idle
	}
	return 0
}

// WriteResponse writes ex.Response, head and body. bodyErr says that the body
// broke off after the head was sent: the connection must then be reset, since
// the client must not take what it got for the whole. err says that the client
// could not be written to.
func (s *Server) WriteResponse(ex *l7.Exchange) (bodyErr, err error) {
	resp := &ex.Response
	if resp.Close {
		s.close = true
	}
	f := s.frame(resp)
	out := takeOutput()
	defer out.release()
	out.b = appendResponse(out.b, resp, f, s.connection(resp))
	s.respond = true
	c := copier{conn: s.recv.conn, out: out, chunked: f == frameChunked, idle: s.Idle, now: ex.Clock}
	if f == frameNone {
		return nil, c.write(nil)
	}
	bodyErr, err = c.run(resp.Body)
	ex.BytesSent += c.n
	return bodyErr, err
}

// frame decides how the response says where its body ends.
func (s *Server) frame(resp *l7.Response) frame {
	switch {
	case resp.Upgraded, s.head, bodiless(resp.Status, nil):
		return frameNone
	case s.version != l7.HTTP10 && announcesTrailer(resp.Version, &resp.Header):
		resp.Header.Remove(l7.NameContentLength)
		return frameChunked
	case resp.Body.Length() >= 0:
		if resp.Header.Find(l7.NameContentLength) == nil {
			resp.Header.Add(l7.NameContentLength, contentLength, appendInt(nil, resp.Body.Length()))
		}
		return frameLength
	case s.version == l7.HTTP10:
		s.close = true
		return frameClose
	}
	return frameChunked
}

var contentLength = []byte("content-length")

// connection is the response's Connection field.
func (s *Server) connection(resp *l7.Response) string {
	switch {
	case resp.Upgraded:
		if resp.Status == 101 {
			return "upgrade"
		}
		return ""
	case s.close:
		return "close"
	case s.version == l7.HTTP10:
		return "keep-alive"
	}
	return ""
}

// Keep tells, after the exchange, whether another request can be read: both
// messages were complete and neither asked to close.
func (s *Server) Keep() bool { return !s.close && s.respond && s.body.Ended() }

// Responded tells whether a final response's head has been written.
func (s *Server) Responded() bool { return s.respond }

// Linger closes so that the peer can still read what was written last: it
// sends a FIN and throws away what comes for a moment (Envoy:
// delayed_close_timeout, 1 s).
func (s *Server) Linger() {
	conn := s.recv.conn
	s.recv.release()
	conn.WatchRead(nil)
	if conn.CloseWrite() != nil {
		return
	}
	var b sock.Buffer
	conn.ReadBy(sock.Now() + time.Second)
	for n := 0; n < lingerMost; {
		m, err := conn.Fill(&b)
		if err != nil {
			break
		}
		b.Consume(m)
		n += m
	}
	b.Release()
}

// Release gives all memory back.
func (s *Server) Release() { s.recv.release() }

// Early gives the bytes that came behind an upgrade request; they belong to
// the tunnel.
func (s *Server) Early() []byte { return s.recv.buffered() }

var _ l7.Informer = (*Server)(nil)
