package h1

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a connection whose peer has said everything beforehand: each read
// gives one part at most, and then comes a FIN. What is written is kept.
type script struct {
	parts [][]byte
	wrote bytes.Buffer
}

func says(parts ...string) *script {
	s := &script{}
	for _, p := range parts {
		s.parts = append(s.parts, []byte(p))
	}
	return s
}

func (s *script) Read(p []byte) (int, error) {
	for len(s.parts) > 0 && len(s.parts[0]) == 0 {
		s.parts = s.parts[1:]
	}
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.parts[0])
	s.parts[0] = s.parts[0][n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.wrote.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) CloseWrite() error                { return nil }
func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// heard is what came of one request: an error, or what goes upstream of it.
type heard struct {
	err       error
	status    int    // of an *Error
	forwarded string // head and body as they go upstream
	bodyErr   error
	keep      bool // but for the response, another request may follow
	asked     l7.Request
}

// hear reads the first request that is said.
func hear(parts ...string) heard { return hearOn(NewServer(sock.New(says(parts...)))) }

func hearOn(s *Server) heard {
	ex := &l7.Exchange{}
	err := s.Await(0)
	if err == nil {
		err = s.ReadRequest(ex)
	}
	h := heard{err: err, status: statusOf(err)}
	if err != nil {
		return h
	}
	out := takeOutput()
	conn := says()
	c := copier{conn: sock.New(conn), out: out, chunked: ex.Request.Body.Length() < 0}
	out.b = appendRequest(out.b, &ex.Request, c.chunked)
	h.bodyErr, _ = c.run(ex.Request.Body)
	out.release()
	h.forwarded = conn.wrote.String()
	s.respond = true
	h.keep = s.Keep()
	h.asked = ex.Request
	return h
}

func statusOf(err error) int {
	if e, ok := err.(*Error); ok {
		return e.Status
	}
	return 0
}

// answered is what came of one response.
type answered struct {
	err       error
	informed  []int  // 1xx that were passed on
	forwarded string // head and body as they go downstream
	bodyErr   error
	reusable  bool // the upstream connection
	keep      bool // the downstream connection
	upgraded  bool
}

// ask sends a request (its text) to an upstream that says its answer in parts,
// and passes the answer on to the client of that request.
func ask(request string, parts ...string) answered {
	down := says(request)
	s := NewServer(sock.New(down))
	ex := &l7.Exchange{}
	if err := s.Await(0); err != nil {
		return answered{err: err}
	}
	if err := s.ReadRequest(ex); err != nil {
		return answered{err: err}
	}
	whole, _ := l7.Whole(ex.Request.Body)
	up := NewClient(sock.New(says(parts...)), nil)
	if _, err := up.Send(&l7.Outgoing{Head: &ex.Request, Whole: whole}); err != nil {
		return answered{err: err}
	}
	informed := &informer{}
	ex.Informer = informed
	if err := up.ReadResponse(ex); err != nil {
		return answered{err: err, informed: informed.codes}
	}
	a := answered{informed: informed.codes, upgraded: ex.Response.Upgraded}
	a.bodyErr, _ = s.WriteResponse(ex)
	a.forwarded = down.wrote.String()
	a.reusable, _ = up.Finish(a.bodyErr == nil)
	a.keep = s.Keep()
	return a
}

type informer struct{ codes []int }

func (i *informer) Inform(ex *l7.Exchange) error {
	i.codes = append(i.codes, ex.Response.Status)
	return nil
}
