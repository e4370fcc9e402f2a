//go:build linux

package backend

import (
	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/epoll"
	"github.com/outrider-mesh/outrider/bench/wire"
)

// conn is one connection. It reads nothing while it has something to write, so what it holds is bounded by one read.
type conn struct {
	fd       int
	listener *listener
	request  wire.Request
	answer   answer // to the request being read: chosen at its head, begun at its end
	chosen   bool
	unsent   []byte // of an answer's prepared bytes; never written to
	owed     int64  // bulk bytes still to write after unsent
	kept     []byte // read, but behind an answer that is still being written
	closing  bool   // end the connection after the answer
	// What the connection speaks when it is not HTTP/1.1; the first bytes decide, or an upgrade.
	preface  int // bytes of HTTP/2's preface seen; -1: it is HTTP/1.1
	streams  *streams
	messages *wire.Messages
}

// behind tells whether an answer is still being written.
func (c *conn) behind() bool { return len(c.unsent) > 0 || c.owed > 0 }

func (c *conn) takeKept() []byte {
	p := c.kept
	c.kept = nil
	return p
}

// take hands p to what the connection speaks; false when the connection is over.
func (s *Server) take(c *conn, p []byte) bool {
	if c.preface >= 0 && c.streams == nil {
		n, fits := prefix(p, wire.Preface[c.preface:])
		switch {
		case !fits: // what was eaten of the preface was the beginning of a request
			p = append([]byte(wire.Preface[:c.preface]), p...)
			c.preface = -1
		case c.preface+n < len(wire.Preface):
			c.preface += n
			return true
		default:
			c.streams = newStreams(&c.listener.counters)
			s.out = c.streams.begin(s.out[:0])
			return s.exchange(c, p[n:])
		}
	}
	switch {
	case c.streams != nil, c.messages != nil:
		s.out = s.out[:0]
		return s.exchange(c, p)
	}
	return s.answerAll(c, p)
}

// prefix tells how much of p continues want, and whether p contradicts it.
func prefix(p []byte, want string) (n int, fits bool) {
	n = min(len(p), len(want))
	return n, string(p[:n]) == want[:n]
}

// exchange feeds p to an HTTP/2 or WebSocket connection and writes, at once, what that says to it, after what s.out holds already.
func (s *Server) exchange(c *conn, p []byte) bool {
	var err error
	if c.streams != nil {
		s.out, err = c.streams.feed(s.out, p)
	} else {
		s.out, c.closing, err = echo(s.out, p, c)
	}
	if err != nil {
		return false
	}
	c.unsent = s.out
	if len(s.out) > 0 && !s.flush(c) {
		return false
	}
	if c.behind() {
		c.unsent = append([]byte(nil), c.unsent...)
		return s.watch(c, epoll.Writable) == nil
	}
	return !c.closing
}

// echo answers WebSocket messages by themselves, pings by pongs, and a close by a close, after which the connection ends.
func echo(out, p []byte, c *conn) ([]byte, bool, error) {
	for {
		opcode, payload, rest, ok, err := c.messages.Next(p)
		if err != nil || !ok {
			return out, false, err
		}
		p = rest
		c.listener.counters.Requests++
		switch opcode {
		case wire.WSPing:
			out = wire.AppendWSFrame(out, wire.WSPong, nil, payload)
		case wire.WSPong:
		case wire.WSClose:
			return wire.AppendWSFrame(out, wire.WSClose, nil, payload), true, nil
		default:
			out = wire.AppendWSFrame(out, opcode, nil, payload)
		}
	}
}

// answerAll answers the HTTP/1.1 requests in p; false when the connection is over.
func (s *Server) answerAll(c *conn, p []byte) bool {
	for len(p) > 0 {
		rest, done, err := c.request.Feed(p)
		if err != nil {
			_, _ = epoll.Write(c.fd, badRequest)
			return false
		}
		if c.request.Headed() && !c.chosen {
			c.answer, c.chosen = choose(c), true
		}
		if !done {
			return true
		}
		if len(c.request.Key) > 0 {
			c.messages = new(wire.Messages)
			s.out = append(s.out[:0], switching(string(c.request.Key))...)
			return s.exchange(c, rest)
		}
		c.closing = c.request.Closes
		c.unsent, c.owed = c.answer.text, c.answer.bulk
		c.chosen = false
		c.request.Reset()
		c.listener.counters.Requests++
		if !s.flush(c) {
			return false
		}
		if c.behind() {
			c.kept = append([]byte(nil), rest...)
			return s.watch(c, epoll.Writable) == nil
		}
		if c.closing {
			return false
		}
		p = rest
	}
	return true
}

// flush writes what there is room for; false when the connection is over. Of a bulk answer it writes one piece, so
// that a fast reader does not keep the thread.
func (s *Server) flush(c *conn) bool {
	for len(c.unsent) > 0 {
		n, errno := epoll.Write(c.fd, c.unsent)
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return true
		}
		if errno != 0 {
			return false
		}
		c.unsent = c.unsent[n:]
	}
	if c.owed > 0 {
		n, errno := epoll.Write(c.fd, s.bulk[:min(c.owed, bulkSize)])
		if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
			return false
		}
		c.owed -= int64(n)
	}
	return true
}
