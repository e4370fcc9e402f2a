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
}

// behind tells whether an answer is still being written.
func (c *conn) behind() bool { return len(c.unsent) > 0 || c.owed > 0 }

func (c *conn) takeKept() []byte {
	p := c.kept
	c.kept = nil
	return p
}

// answerAll answers the requests in p; false when the connection is over.
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
