package h2

import (
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// Server is the downstream side of one connection.
type Server struct {
	conn
	serve  func(*ServerStream)
	active sync.WaitGroup // streams whose serve has not returned
	flag   error          // breach by the count of resets, found by another goroutine
}

// NewServer serves a connection, which stays the caller's to close. serve is
// called on a goroutine of the crew for each stream; it must call ReadRequest,
// and WriteResponse or Reset, and not keep the stream.
func NewServer(sc *sock.Conn, cfg *Config, serve func(*ServerStream)) *Server {
	s := &Server{serve: serve}
	s.make(sc, cfg, s)
	s.pushMost = 1
	return s
}

// Prefill hands over bytes that were read from the connection before, the
// preface or its beginning among them.
func (s *Server) Prefill(p []byte) { s.in.Append(p) }

// Run serves until the connection is over and serve has returned for all
// streams. It gives nil for an orderly end: the peer has left, or we have, and
// no stream was cut. Otherwise io.ErrUnexpectedEOF, sock.ErrTimeout after
// ConnIdle, or an *Error for a breach; the peer was told then. When the flag of
// WatchRead on the connection is raised it does what Shutdown does.
func (s *Server) Run() error {
	err := s.preface()
	if err == nil {
		s.mu.Lock()
		s.greet(setting{http2.SettingMaxConcurrentStreams, s.limits.MaxConcurrentStreams})
		s.mu.Unlock()
		err = s.read(s.patience)
		for s.goOn(err) {
			err = s.read(s.patience)
		}
	}
	err = s.verdict(err)
	cut := s.cut()
	var breach *Error
	if errors.As(err, &breach) {
		s.countError(breach)
		s.mu.Lock()
		s.appendGoAway(s.last, breach.Code, breach.Reason)
		s.mu.Unlock()
	}
	s.fail(cutBy(err))
	s.stopTimer()
	s.flushNow()
	s.active.Wait()
	s.flushNow()
	s.linger(lingerFor)
	s.cfg.Budget.give(s.flow.grown)
	if err == io.EOF {
		if err = nil; cut {
			err = io.ErrUnexpectedEOF
		}
	}
	return err
}

// preface reads the client's connection preface (RFC 9113 3.4).
func (s *Server) preface() error {
	for {
		b := s.in.Bytes()
		n := min(len(b), len(http2.ClientPreface))
		if string(b[:n]) != http2.ClientPreface[:n] {
			return errPreface
		}
		if n == len(http2.ClientPreface) {
			s.in.Consume(n)
			return nil
		}
		s.in.MakeRoom(sock.BufferSize)
		s.sock.ReadBy(s.patience())
		if _, err := s.sock.Fill(&s.in); err != nil {
			return err
		}
	}
}

// patience is how long to wait for more bytes: a header block or a preface that
// stops in the middle holds the connection up.
func (s *Server) patience() time.Duration {
	switch {
	case s.block.stream != 0 && s.cfg.StreamIdle > 0:
		return s.block.begun + s.cfg.StreamIdle
	case !s.greeted && s.cfg.StreamIdle > 0:
		return s.born + s.cfg.StreamIdle
	case s.cfg.ConnIdle > 0:
		return s.clock + s.cfg.ConnIdle
	}
	return 0
}

// goOn decides whether a read that ended without bytes is to be tried again.
func (s *Server) goOn(err error) bool {
	switch {
	case errors.Is(err, sock.ErrCanceled):
		s.sock.WatchRead(nil)
		s.shutdown()
		return true
	case !errors.Is(err, sock.ErrTimeout), s.going.over.Load(), s.block.stream != 0, !s.greeted:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock = sock.Now(); s.open > 0 {
		return true
	}
	if idle := s.cfg.ConnIdle; s.clock-s.idleSince < idle {
		s.clock = s.idleSince // the next bound is what is left
		return true
	}
	return false
}

// verdict says why the connection ended.
func (s *Server) verdict(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.flag != nil:
		return s.flag
	case s.going.over.Load():
		return io.EOF
	case errors.Is(err, sock.ErrTimeout):
		s.appendGoAway(s.last, NoError, "")
	}
	return err
}

// cutBy is what the end of the connection means to its streams.
func cutBy(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// cut tells whether a stream is under way.
func (s *Server) cut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open > 0
}

// Shutdown announces by GOAWAY that no more streams are taken; Run returns when
// those under way have ended. It may be called by any goroutine, and again.
func (s *Server) Shutdown() { s.shutdown() }

// head takes a request, or the trailers of one (role).
func (s *Server) head() *Error {
	b := &s.block
	id := b.of
	s.mu.Lock()
	if st := s.streams.get(id); st != nil {
		defer s.mu.Unlock()
		return s.trailers(st)
	}
	if id <= s.last && s.last != 0 {
		defer s.mu.Unlock()
		switch {
		case s.resets.has(id):
			return nil
		case s.closed.has(id):
			return errClosedHeaders
		}
		return errStreamID // RFC 9113 5.1.1; or one that ended long ago
	}
	if id%2 == 0 {
		s.mu.Unlock()
		return errStreamID
	}
	if s.going.step == leaving { // RFC 9113 6.8: it was told, and what it sent meanwhile is passed over
		s.resets.add(id)
		s.mu.Unlock()
		return nil
	}
	s.last = id
	s.opened.Add(1)
	if s.open >= int(s.limits.MaxConcurrentStreams) {
		s.mu.Unlock()
		return errRefusing
	}
	st := s.cfg.servers.Get().(*ServerStream)
	st.begin(&s.conn)
	st.server, st.start = s, s.clock
	s.open++
	st.born = s.clock
	st.enter(id)
	s.mu.Unlock()
	if b.bad == nil {
		b.bad = b.request()
	}
	st.take(b)
	if st.bad != nil {
		s.breach(id, st.bad)
	}
	s.active.Add(1)
	s.cfg.Crew.Do(st)
	return nil
}

// trailers takes the trailers of a request, under the lock.
func (c *conn) trailers(st *stream) *Error {
	b := &c.block
	switch {
	case st.recvEnd:
		return errStreamClosed
	case b.bad != nil:
		return b.bad
	case !b.end:
		return errTrailerEnd
	case b.pseudo.seen != 0:
		return errTrailerPseudo
	case st.length >= 0 && st.came != st.length:
		return errLength
	}
	st.trailer.Fields, b.fields = b.fields, st.trailer.Fields[:0]
	st.tail, b.arena = b.arena, st.tail[:0]
	c.stats.Counter(trailers).Inc()
	st.endRecv()
	st.reader.wake()
	return nil
}

// ended takes note that a stream's serve has returned.
func (s *Server) ended(st *ServerStream) {
	s.mu.Lock()
	now := st.born
	if !st.answered || s.open == 1 {
		now = sock.Now()
	}
	code := NoError
	if !st.sendEnd {
		code = InternalError
	}
	st.end(code)
	if s.open--; s.open == 0 {
		s.idleSince = now
	}
	if s.premature.close(s.limits, now-st.born, st.answered) && s.flag == nil && s.err == nil {
		s.flag = errPrematureResets
		s.sock.ReadBy(longAgo)
		s.going.over.Store(true)
		s.sock.Wake()
	}
	s.maybeOver()
	s.unlockAndFlush()
	s.active.Done()
}

// goAway of a client means nothing to us (role; Envoy ignores it).
func (s *Server) goAway(uint32, Code) {}

// heard (role): what a client says is for its own streams.
func (s *Server) heard() {}

// known (role).
func (s *Server) known(id uint32) bool {
	return id%2 == 1 && (id <= s.last || s.going.step == leaving)
}
