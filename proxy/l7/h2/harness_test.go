package h2_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config is a configuration with cells and a budget of its own. When the test
// is over, nothing may be left in either.
func config(t testing.TB) *h2.Config {
	const budget = 64 << 20
	own := h2.NewBudget(budget)
	cfg := &h2.Config{Crew: l7.NewCrew(), Budget: own, Stats: new(stat.Set).Group("http2.", &h2.Layout)}
	t.Cleanup(func() {
		testkit.Eventually(t, "the budget is whole again", func() bool { return own.Left() == budget })
		for i, name := range h2.Layout.Gauges {
			testkit.Eventually(t, name+" is 0 again", func() bool { return cfg.Stats.Gauge(i).Value() == 0 })
		}
		cfg.Crew.Close()
	})
	return cfg
}

// count is the value of a counter of the configuration's cells.
func count(t testing.TB, cfg *h2.Config, name string) uint64 {
	t.Helper()
	for i, n := range cfg.Stats.Layout().Counters {
		if n == name {
			return cfg.Stats.Counter(i).Value()
		}
	}
	t.Errorf("there is no counter http2.%s", name)
	return 0
}

func wantCounted(t testing.TB, cfg *h2.Config, name string) {
	t.Helper()
	if count(t, cfg, name) == 0 {
		t.Errorf("http2.%s was not counted", name)
	}
}

// served is a listener whose connections are Servers; each stream is answered
// by the handler. An error of the handler resets the stream.
type served struct {
	t       testing.TB
	addr    netip.AddrPort
	cfg     *h2.Config
	handler l7.Handler

	servers chan *h2.Server // each connection's
	ends    chan error      // what Run gave
	wrong   chan error      // what ReadRequest and bodies gave
	wg      sync.WaitGroup
	// active is how many handlers run; most how many ran at once.
	active, most atomic.Int64
}

func serve(t testing.TB, handler l7.Handler) *served { return serveWith(t, config(t), handler) }

func serveWith(t testing.TB, cfg *h2.Config, handler l7.Handler) *served {
	s := newServed(t, cfg, handler)
	ln, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().(*net.TCPAddr).AddrPort()
	var mu sync.Mutex
	var conns []net.Conn
	s.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, nc)
			mu.Unlock()
			s.wg.Go(func() { s.run(sock.New(nc)) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, nc := range conns {
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}
		mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func newServed(t testing.TB, cfg *h2.Config, handler l7.Handler) *served {
	return &served{t: t, cfg: cfg, handler: handler,
		servers: make(chan *h2.Server, 16), ends: make(chan error, 16), wrong: make(chan error, 4096)}
}

// run serves one connection.
func (s *served) run(conn *sock.Conn) {
	server := h2.NewServer(conn, s.cfg, s.stream)
	tell(s.servers, server)
	err := server.Run()
	conn.Close()
	tell(s.ends, err)
}

func tell[T any](to chan T, v T) {
	select {
	case to <- v:
	default:
	}
}

var exchanges = sync.Pool{New: func() any { return &l7.Exchange{} }}

// stream serves one exchange as the proxy does.
func (s *served) stream(st *h2.ServerStream) {
	now := s.active.Add(1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	defer s.active.Add(-1)
	ex := exchanges.Get().(*l7.Exchange)
	ex.Reset()
	s.exchange(st, ex)
	ex.End(false)
	ex.Peer = nil
	exchanges.Put(ex)
}

func (s *served) exchange(st *h2.ServerStream, ex *l7.Exchange) {
	ex.Response.Body = l7.Empty
	if err := st.ReadRequest(ex); err != nil {
		tell(s.wrong, err)
		return
	}
	if err := s.handler(ex); err != nil {
		tell(s.wrong, err)
		st.Reset()
		return
	}
	bodyErr, err := st.WriteResponse(ex)
	ex.End(bodyErr == nil && err == nil)
	if bodyErr != nil {
		st.Reset()
	}
	if err := errors.Join(bodyErr, err); err != nil {
		tell(s.wrong, err)
	}
}

// connect is a client of the server; it has said its preface and settings.
func (s *served) connect() *peer {
	s.t.Helper()
	p := newPeer(s.t, s.dial())
	p.begin()
	return p
}

func (s *served) dial() net.Conn {
	s.t.Helper()
	nc, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(s.addr))
	if err != nil {
		s.t.Fatal(err)
	}
	return nc
}

// gone is closed when the client has left the exchange.
func gone(ex *l7.Exchange) <-chan struct{} {
	left := make(chan struct{})
	var once sync.Once
	ex.Peer.Wait(&l7.Waiter{Wake: func() {
		if ex.Peer.Gone().Load() {
			once.Do(func() { close(left) })
		}
	}})
	if ex.Peer.Gone().Load() {
		once.Do(func() { close(left) })
	}
	return left
}

// hang is a handler that answers nothing until the client has gone.
func hang(ex *l7.Exchange) error {
	peer := ex.Peer
	defer peer.Wait(nil)
	<-gone(ex)
	return errors.New("the client has gone")
}

// echo is a handler that answers with the request's body, and its trailer.
func echo(ex *l7.Exchange) error {
	ex.Response.Status = 200
	ex.Response.Body = l7.Empty
	p, trailer, err := readAll(ex.Request.Body)
	if err == nil {
		ex.Response.Body = &blob{left: p, size: int64(len(p)), trailer: trailer}
	}
	return err
}

// readAll reads a body to its end and copies what it got.
func readAll(b l7.Body) (p []byte, trailer l7.Header, err error) {
	for {
		part, err := b.Next()
		p = append(p, part...)
		if err == io.EOF {
			return p, clone(b.Trailer()), nil
		}
		if err != nil {
			return p, trailer, err
		}
	}
}

func clone(h *l7.Header) (c l7.Header) {
	if h != nil {
		for _, f := range h.Fields {
			c.Add(f.ID, []byte(string(f.Name)), []byte(string(f.Value)))
		}
	}
	return c
}

// answers is a handler that reads nothing and answers with a body.
func answers(body string, fields ...string) l7.Handler {
	return func(ex *l7.Exchange) error {
		ex.Response.Status = 200
		ex.Response.Body = l7.NewBytes([]byte(body))
		add(&ex.Response.Header, fields...)
		return nil
	}
}

func add(h *l7.Header, fields ...string) {
	for i := 0; i < len(fields); i += 2 {
		h.Add(l7.ClassifyName([]byte(fields[i])), []byte(fields[i]), []byte(fields[i+1]))
	}
}

// blob is a body that is here, with a trailer behind it.
type blob struct {
	left    []byte
	size    int64
	trailer l7.Header
}

func (b *blob) Length() int64 {
	if len(b.trailer.Fields) > 0 {
		return -1
	}
	return b.size
}

func (b *blob) Buffered() ([]byte, error) {
	if len(b.left) == 0 {
		return nil, io.EOF
	}
	p := b.left
	b.left = nil
	return p, nil
}

func (b *blob) Next() ([]byte, error) { return b.Buffered() }
func (b *blob) Whole() ([]byte, bool) { return nil, false }
func (b *blob) Ended() bool           { return len(b.left) == 0 }
func (b *blob) SetIdle(time.Duration) {}
func (b *blob) Interrupt()            {}
func (b *blob) Resume()               {}
func (b *blob) Trailer() *l7.Header   { return &b.trailer }

// source is a body that makes its bytes as it is read, and then ends with an
// error or, if that is nil, well.
type source struct {
	blob
	size  int64
	made  atomic.Int64
	fails error
}

func (s *source) Length() int64 { return -1 }

func (s *source) Buffered() ([]byte, error) {
	n := min(s.size-s.made.Load(), 16<<10)
	if n == 0 {
		if s.fails != nil {
			return nil, s.fails
		}
		return nil, io.EOF
	}
	s.made.Add(n)
	return zeros[:n], nil
}

func (s *source) Next() ([]byte, error) { return s.Buffered() }
func (s *source) Ended() bool           { return s.fails == nil && s.made.Load() == s.size }

// slow is a body whose parts a test gives out; closing them ends it.
type slow struct {
	blob
	parts chan string
	stop  chan struct{}
	once  sync.Once
	ended bool
}

func newSlow() *slow { return &slow{parts: make(chan string, 16), stop: make(chan struct{})} }

var errStopped = errors.New("body interrupted")

func (s *slow) Length() int64 { return -1 }
func (s *slow) Ended() bool   { return s.ended }
func (s *slow) Interrupt()    { s.once.Do(func() { close(s.stop) }) }

func (s *slow) Buffered() ([]byte, error) {
	select {
	case part, open := <-s.parts:
		return s.give(part, open)
	default:
		if s.ended {
			return nil, io.EOF
		}
		return nil, nil
	}
}

func (s *slow) Next() ([]byte, error) {
	select {
	case part, open := <-s.parts:
		return s.give(part, open)
	case <-s.stop:
		return nil, errStopped
	}
}

func (s *slow) give(part string, open bool) ([]byte, error) {
	if !open {
		s.ended = true
		return nil, io.EOF
	}
	return []byte(part), nil
}

// within is how long tests let the engine wait.
func within() time.Duration { return sock.Now() + testkit.Patience }

// pipe is connect without a network, for bubbles of testing/synctest.
func (s *served) pipe() *peer {
	near, far := net.Pipe()
	go s.run(sock.New(near))
	q := &queued{Conn: far, parts: make(chan []byte, 64), done: make(chan struct{})}
	go q.drain()
	p := newPeer(s.t, q)
	p.patience = time.Hour
	p.begin()
	return p
}

// queued lets a client write to a net.Pipe, which has no buffer, without
// waiting for the server.
type queued struct {
	net.Conn
	parts chan []byte
	done  chan struct{}
	once  sync.Once
}

func (q *queued) Write(p []byte) (int, error) {
	select {
	case q.parts <- bytes.Clone(p):
		return len(p), nil
	case <-q.done:
		return 0, net.ErrClosed
	}
}

func (q *queued) drain() {
	for {
		select {
		case part := <-q.parts:
			if _, err := q.Conn.Write(part); err != nil {
				q.Close()
			}
		case <-q.done:
			return
		}
	}
}

func (q *queued) Close() error {
	q.once.Do(func() { close(q.done) })
	return q.Conn.Close()
}
