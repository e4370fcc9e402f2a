//go:build linux

// Package backend is the server behind the proxies of a benchmark: as cheap as it can be, because it shares a core with the load
// generator. One thread, one poller, answers made in advance.
//
//	/1k /16k /ping32    1,024, 16,384 and 32 bytes
//	/bulk?bytes=N       N bytes as fast as they are taken; without N a stream of 2^50 bytes
//	/stats              this listener's counters, as JSON
//	any with a body     the body is read and dropped, then "ok"
//	a WebSocket upgrade every message comes back
//	anything else       404
//
// HTTP/2 by prior knowledge is spoken on the same listeners: /1k, /16k, /ping32, /sink for bodies, and /hold, whose streams get 32 bytes and stay open.
//
// Each peer under test is given a listener of its own, so that connections can be counted per peer.
package backend

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/epoll"
)

const (
	readSize = 64 << 10
	bulkSize = 64 << 10 // written to one connection before another has its turn
)

// Server answers on its listeners. It is made by Listen and belongs to the goroutine that calls Serve.
type Server struct {
	poller    *epoll.Poller
	listeners []*listener
	conns     []*conn // by descriptor; nil: none
	buffer    []byte
	bulk      []byte
	out       []byte // what one HTTP/2 or WebSocket connection is to be sent now
}

// listener counts what came in through one address.
type listener struct {
	fd       int
	addr     netip.AddrPort
	counters Counters
}

// Counters are a listener's, since it began, the connection and request that ask for them not included.
type Counters struct {
	Accepted int64 `json:"accepted"` // connections
	Open     int64 `json:"open"`     // connections now
	Requests int64 `json:"requests"` // answered or begun to be
}

// Listen opens a listener on each address; port 0 picks a free one.
func Listen(addrs ...netip.AddrPort) (*Server, error) {
	poller, err := epoll.Open(512)
	if err != nil {
		return nil, err
	}
	s := &Server{poller: poller, buffer: make([]byte, readSize), bulk: make([]byte, bulkSize)}
	for _, want := range addrs {
		fd, got, err := epoll.Listen(want)
		if err == nil {
			s.listeners = append(s.listeners, &listener{fd: fd, addr: got})
			err = poller.Add(fd, fd, epoll.Readable)
		}
		if err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// Addrs are the listeners' addresses, in the order they were asked for.
func (s *Server) Addrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, l := range s.listeners {
		addrs = append(addrs, l.addr)
	}
	return addrs
}

// Serve answers until ctx ends, then closes everything. It wants a thread of its own.
func (s *Server) Serve(ctx context.Context) error {
	defer s.close()
	for ctx.Err() == nil {
		events, err := s.poller.Wait(100 * time.Millisecond)
		if err != nil {
			return fmt.Errorf("backend: %w", err)
		}
		for i := range events {
			s.handle(epoll.Token(&events[i]), events[i].Events)
		}
	}
	return nil
}

func (s *Server) handle(fd int, events uint32) {
	if fd < len(s.conns) && s.conns[fd] != nil {
		c := s.conns[fd]
		if !s.serve(c, events) {
			c.listener.counters.Open--
			s.conns[fd] = nil
			epoll.Close(fd)
		}
		return
	}
	for _, l := range s.listeners {
		if l.fd == fd {
			s.accept(l)
		}
	}
}

// accept takes all that wait, up to a bound: the others get their turn in between.
func (s *Server) accept(l *listener) {
	for range 64 {
		fd, err := epoll.Accept(l.fd)
		if err != nil {
			return // none left, or no descriptor for it: the poller asks again
		}
		if s.poller.Add(fd, fd, epoll.Readable) != nil {
			epoll.Close(fd)
			continue
		}
		for fd >= len(s.conns) {
			s.conns = append(s.conns, nil)
		}
		s.conns[fd] = &conn{fd: fd, listener: l}
		l.counters.Accepted++
		l.counters.Open++
	}
}

// serve deals with what happened on a connection; false when it is over.
func (s *Server) serve(c *conn, events uint32) bool {
	if c.behind() {
		if events&(epoll.Hangup|epoll.Failed) != 0 {
			return false
		}
		if !s.flush(c) {
			return false
		}
		if c.behind() {
			return true
		}
		if c.closing || s.watch(c, epoll.Readable) != nil {
			return false
		}
		return s.take(c, c.takeKept())
	}
	n, errno := epoll.Read(c.fd, s.buffer)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return true
	}
	if errno != 0 || n == 0 {
		return false
	}
	return s.take(c, s.buffer[:n])
}

func (s *Server) watch(c *conn, events uint32) error {
	return s.poller.Change(c.fd, c.fd, events)
}

func (s *Server) close() {
	for fd, c := range s.conns {
		if c != nil {
			epoll.Close(fd)
		}
	}
	for _, l := range s.listeners {
		epoll.Close(l.fd)
	}
	_ = s.poller.Close()
}
