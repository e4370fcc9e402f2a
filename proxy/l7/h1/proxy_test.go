package h1

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/relay"
)

// proxy is the smallest one that Server and Client make: every downstream
// connection has an upstream one of its own.
type proxy struct {
	upstream netip.AddrPort
	crew     *l7.Crew
	dials    atomic.Int64
	conns    sync.WaitGroup
}

// startProxy serves on loopback until the test ends.
func startProxy(t testing.TB, upstream string) (addr string, p *proxy) {
	t.Helper()
	p = &proxy{upstream: netip.MustParseAddrPort(upstream), crew: l7.NewCrew()}
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	p.conns.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[nc] = true
			mu.Unlock()
			p.conns.Go(func() {
				p.serve(sock.New(nc))
				mu.Lock()
				delete(open, nc)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for nc := range open { // idle keep-alive connections
			nc.Close()
		}
		mu.Unlock()
		p.conns.Wait()
		p.crew.Close()
	})
	return l.Addr().String(), p
}

func (p *proxy) serve(down *sock.Conn) {
	s, ex, up := NewServer(down), &l7.Exchange{}, (*Client)(nil)
	defer func() {
		s.Release()
		down.Close()
		if up != nil {
			up.Conn().Close()
		}
	}()
	for s.Await(0) == nil {
		ex.Reset()
		if err := s.ReadRequest(ex); err != nil {
			if e, bad := err.(*Error); bad {
				p.reply(s, ex, e.Status)
			}
			return
		}
		if up == nil && p.dial(&up) != nil {
			p.reply(s, ex, 503)
			return
		}
		if p.exchange(s, ex, up) {
			continue
		}
		if up.Conn().Close(); !s.Keep() {
			return
		}
		up = nil
	}
}

func (p *proxy) dial(up **Client) error {
	p.dials.Add(1)
	conn, err := sock.Dial(context.Background(), p.upstream, 0)
	if err == nil {
		*up = NewClient(conn, p.crew)
	}
	return err
}

// exchange tells whether both connections can go on.
func (p *proxy) exchange(s *Server, ex *l7.Exchange, up *Client) bool {
	r := l7.Outgoing{Head: &ex.Request}
	var here bool
	if r.Whole, here = l7.Whole(ex.Request.Body); !here {
		if r.Body = ex.Request.Body; ex.Request.Continue != nil {
			ex.Request.Continue()
		}
	}
	_, err := up.Send(&r)
	if err == nil {
		err = up.ReadResponse(ex)
	}
	if err != nil {
		up.Finish(false)
		if !up.BodyBroke() && !errors.Is(err, l7.ErrInform) {
			p.reply(s, ex, 502)
		}
		return false
	}
	bodyErr, err := s.WriteResponse(ex)
	if ex.Response.Upgraded {
		relay.Run(relay.Side{Conn: s.recv.conn, Early: s.Early()}, relay.Side{Conn: up.Conn(), Early: up.Early()}, 0)
	}
	reusable, _ := up.Finish(bodyErr == nil && err == nil)
	if bodyErr != nil {
		s.recv.conn.Reset()
	} else if err == nil && !s.Keep() {
		s.Linger()
	}
	return reusable && s.Keep()
}

func (p *proxy) reply(s *Server, ex *l7.Exchange, status int) {
	ex.Response.Header.Reset()
	ex.Response.Status, ex.Response.Reason, ex.Response.Close = status, nil, true
	ex.Response.Body = l7.NewBytes([]byte("proxy error"))
	if _, err := s.WriteResponse(ex); err == nil {
		s.Linger()
	}
}
