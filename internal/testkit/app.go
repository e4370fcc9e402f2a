package testkit

import (
	"bufio"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Patience bounds everything that a test waits for.
const Patience = 20 * time.Second

// App is an HTTP/1.1 server over raw sockets that answers each request with a
// step of its script; the last step goes on for ever.
type App struct {
	Addr netip.AddrPort

	t        testing.TB
	listener *net.TCPListener
	steps    []Step
	serving  sync.WaitGroup

	conns atomic.Int64
	calls atomic.Int64

	mu   sync.Mutex
	open map[net.Conn]struct{}
	seen []Request
}

// Request is a request as an App saw it.
type Request struct {
	Method, Target, Host string
	Header               http.Header
	Body                 string // what was read of it
	Conn                 int    // of the App's connections, counted from 1
}

// NewApp starts a server on a loopback port; it ends with the test. Without
// steps it answers 200.
func NewApp(t testing.TB, steps ...Step) *App {
	t.Helper()
	return NewAppAt(t, "127.0.0.1:0", steps...)
}

// NewAppAt is NewApp for an address of the caller's choice.
func NewAppAt(t testing.TB, addr string, steps ...Step) *App {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) == 0 {
		steps = []Step{Status(200)}
	}
	a := &App{
		Addr:     l.Addr().(*net.TCPAddr).AddrPort(),
		t:        t,
		listener: l.(*net.TCPListener),
		steps:    steps,
		open:     make(map[net.Conn]struct{}),
	}
	a.serving.Go(a.accept)
	t.Cleanup(a.Close)
	return a
}

// Close ends the server and its connections.
func (a *App) Close() {
	a.listener.Close()
	a.mu.Lock()
	for c := range a.open {
		c.Close()
	}
	a.mu.Unlock()
	a.serving.Wait()
}

// Refuse closes the listener: further connections are refused.
func (a *App) Refuse() { a.listener.Close() }

// Conns is how many connections were accepted, Calls how many requests came.
func (a *App) Conns() int { return int(a.conns.Load()) }

// Calls is how many requests came.
func (a *App) Calls() int { return int(a.calls.Load()) }

// Seen are the requests, in the order in which they were answered.
func (a *App) Seen() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Request(nil), a.seen...)
}

func (a *App) accept() {
	for {
		c, err := a.listener.AcceptTCP()
		if err != nil {
			return
		}
		n := int(a.conns.Add(1))
		a.mu.Lock()
		a.open[c] = struct{}{}
		a.mu.Unlock()
		a.serving.Go(func() { a.serve(c, n) })
	}
}

func (a *App) serve(c *net.TCPConn, number int) {
	defer func() {
		c.Close()
		a.mu.Lock()
		delete(a.open, c)
		a.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		n := int(a.calls.Add(1))
		call := &Call{app: a, Conn: c, Reader: r, Number: n, incoming: req, Request: Request{
			Method: req.Method, Target: req.RequestURI, Host: req.Host, Header: req.Header, Conn: number}}
		a.steps[min(n, len(a.steps))-1](call)
		call.record()
		if call.ended {
			return
		}
	}
}
