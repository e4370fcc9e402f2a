package h1

import (
	"bytes"
	"io"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// receiver is the receiving half of a connection. The head of a message stays
// where it was read until the exchange ends, since fields are slices of it;
// what comes after the first reads goes to a second buffer. Neither holds
// memory while the connection waits for a message.
type receiver struct {
	conn *sock.Conn
	head sock.Buffer // the head being served, and what came with it
	rest sock.Buffer // what came after
	cur  *sock.Buffer
}

// next makes the receiver ready for the next message: bytes that have come
// already are kept, the memory of the last message is not.
func (r *receiver) next() {
	if r.cur == &r.rest {
		r.head.Release()
		r.head, r.rest = r.rest, sock.Buffer{}
	}
	r.cur = &r.head
}

// buffered are the bytes that have come and were not consumed.
func (r *receiver) buffered() []byte { return r.cur.Bytes() }

// more waits for more body bytes. Unconsumed ones are kept; slices of the body
// given out before are lost, slices of the head are not.
func (r *receiver) more() error {
	if r.cur == &r.head {
		r.rest = sock.Buffer{}
		if tail := r.head.Bytes(); len(tail) > 0 {
			r.rest.Append(tail)
			r.head.Consume(len(tail))
		}
		r.cur = &r.rest
	}
	r.rest.MakeRoom(2 * maxTrailer) // only a trailer section outgrows a buffer
	_, err := r.conn.Fill(&r.rest)
	return err
}

// release gives all memory back; bytes that were not consumed are lost.
func (r *receiver) release() {
	r.head.Release()
	r.rest.Release()
}

// headScan finds the end of a head in bytes that come piece by piece, without
// looking at any byte twice.
type headScan struct {
	line int // where the current line begins
	seen int // how far was searched
}

// find gives the length of the head, with its closing empty line, or 0 when it
// is not complete. A line that does not end in CRLF is an error at once.
func (s *headScan) find(b []byte) (int, error) {
	for {
		i := bytes.IndexByte(b[s.seen:], '\n')
		if i < 0 {
			s.seen = len(b)
			return 0, nil
		}
		end := s.seen + i
		if end == s.line || b[end-1] != '\r' {
			return 0, errBareLF
		}
		empty := end-1 == s.line
		first := s.line == 0
		s.line, s.seen = end+1, end+1
		if empty && !first {
			return end + 1, nil
		}
	}
}

// whole gives the length of the head that b begins with, or 0 while it is not
// complete. A head over limit is an error. While it is not complete, begins looks
// at what has come: who speaks another protocol, and may never send an empty
// line, is not waited for.
func (s *headScan) whole(b []byte, limit int, begins func(b []byte) error) (int, error) {
	n, err := s.find(b)
	if len(b) > 0 && (n == 0 || n > limit) {
		if err := begins(b); err != nil {
			return 0, err // whatever is wrong behind it, and however it was cut into reads
		}
	}
	if err != nil {
		return 0, err
	}
	if n > limit || n == 0 && len(b) >= limit {
		return 0, errHeadTooLong
	}
	return n, nil
}

// readHead waits until a whole head has come and gives it, still unconsumed.
// At most limit bytes are taken.
func (r *receiver) readHead(limit int, begins func(b []byte) error) ([]byte, error) {
	var scan headScan
	for {
		b := r.cur.Bytes()
		n, err := scan.whole(b, limit, begins)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return b[:n], nil
		}
		if r.cur.Full() {
			r.cur.Grow(min(limit, roomFor(len(b))))
		}
		if _, err := r.conn.Fill(r.cur); err != nil {
			if err == io.EOF && len(b) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// roomFor is how large a buffer should be in which a head of n bytes so far has
// come to the end. A short one began behind others (pipelining): there is room
// enough once it is moved to the front.
func roomFor(n int) int {
	if n <= sock.BufferSize/2 {
		return sock.BufferSize
	}
	return 4*n + sock.BufferSize
}
