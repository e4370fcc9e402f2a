package h2_test

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// upstream is a Client, the server it is connected to, which the test plays,
// and how often changed was called.
type upstream struct {
	*h2.Client
	t       testing.TB
	cfg     *h2.Config
	server  *peer
	changes atomic.Int64
}

// dialed connects a Client with a server that has said its SETTINGS.
func dialed(t testing.TB) *upstream { return dialedWith(t, config(t)) }

func dialedWith(t testing.TB, cfg *h2.Config) *upstream {
	near, far := pair(t)
	return between(t, cfg, near, far)
}

// pair is the two ends of a connection over loopback.
func pair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err == nil {
		far, err = ln.Accept()
	}
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

func between(t testing.TB, cfg *h2.Config, near, far net.Conn) *upstream {
	u := &upstream{t: t, cfg: cfg, server: newPeer(t, far)}
	u.server.server = true
	u.Client = h2.NewClient(sock.New(near), cfg, func(*h2.Client) { u.changes.Add(1) })
	t.Cleanup(func() {
		u.Close()
		<-u.Done()
	})
	return u
}

// dialTo connects a Client with a real server.
func dialTo(t testing.TB, cfg *h2.Config, addr netip.AddrPort) *h2.Client {
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	settled := make(chan struct{}, 1)
	c := h2.NewClient(sock.New(nc), cfg, func(*h2.Client) {
		select {
		case settled <- struct{}{}:
		default:
		}
	})
	t.Cleanup(func() {
		c.Close()
		<-c.Done()
	})
	testkit.Wait(t, "the server's SETTINGS", settled)
	return c
}

// answer is what came of one request.
type answer struct {
	err      error // of Send or ReadResponse
	wrote    bool
	informed []int
	status   int
	header   l7.Header
	body     []byte
	bodyErr  error
	trailer  l7.Header
}

// call is a request under way.
type call struct {
	t      testing.TB
	stream *h2.ClientStream
	ex     *l7.Exchange
	out    l7.Outgoing
	headed chan struct{} // closed when the head of the response is there
	goOn   chan struct{} // closed when the body may be read
	done   chan answer
	got    answer
}

// send sends a GET with more fields and reads the answer as it comes.
func (u *upstream) send(fields ...string) *call { return u.sends("GET", nil, fields...) }

// sends sends any request. The answer's body is read at once.
func (u *upstream) sends(method string, body l7.Body, fields ...string) *call {
	u.t.Helper()
	c := u.holds(method, body, fields...)
	close(c.goOn)
	return c
}

// holds sends a request and leaves the answer's body unread until read is called.
func (u *upstream) holds(method string, body l7.Body, fields ...string) *call {
	u.t.Helper()
	st := u.Open()
	if st == nil && !u.Settled() && u.server.settled { // one stream before SETTINGS, more behind them
		for !u.Settled() {
			runtime.Gosched()
		}
		st = u.Open()
	}
	if st == nil {
		u.t.Fatal("the connection takes no stream")
	}
	c := newCall(u.t, st, method, body, fields...)
	go c.run()
	return c
}

func newCall(t testing.TB, st *h2.ClientStream, method string, body l7.Body, fields ...string) *call {
	ex := &l7.Exchange{}
	ex.Reset()
	r := &ex.Request
	r.Method, r.Scheme, r.Target, r.Authority = []byte(method), []byte("http"), []byte("/"), []byte("backend")
	r.Version, r.Body = l7.HTTP2, l7.Empty
	add(&r.Header, fields...)
	c := &call{t: t, stream: st, ex: ex, headed: make(chan struct{}), goOn: make(chan struct{}), done: make(chan answer, 1)}
	c.out.Head = r
	if body != nil {
		r.Body, c.out.Body = body, body
	}
	ex.Informer = c
	return c
}

// Inform keeps a 1xx.
func (c *call) Inform(ex *l7.Exchange) error {
	c.got.informed = append(c.got.informed, ex.Response.Status)
	return nil
}

func (c *call) run() {
	defer func() { c.done <- c.got }()
	st, got := c.stream, &c.got
	st.ReadBy(within())
	st.WriteBy(within())
	if got.wrote, got.err = st.Send(&c.out); got.err == nil {
		got.err = st.ReadResponse(c.ex)
	}
	close(c.headed)
	if got.err != nil {
		st.Finish()
		return
	}
	got.status, got.header = c.ex.Response.Status, clone(&c.ex.Response.Header)
	<-c.goOn
	got.body, got.trailer, got.bodyErr = readAll(c.ex.Response.Body)
	st.Finish()
}

// read lets the answer's body be read.
func (c *call) read() { close(c.goOn) }

// wait waits for the whole answer.
func (c *call) wait() answer {
	c.t.Helper()
	return testkit.Wait(c.t, "an answer", c.done)
}

// fails is wait, and gives the error that there must be.
func (c *call) fails() error {
	c.t.Helper()
	got := c.wait()
	switch {
	case got.err != nil:
		return got.err
	case got.bodyErr != nil:
		return got.bodyErr
	}
	c.t.Fatalf("the request was answered: %d %q", got.status, got.body)
	return nil
}

// ok expects a whole answer.
func (c *call) ok() answer {
	c.t.Helper()
	got := c.wait()
	if got.err != nil || got.bodyErr != nil || got.status != 200 {
		c.t.Fatalf("status %d, error %v, body error %v; want a whole 200", got.status, got.err, got.bodyErr)
	}
	return got
}

// answerTo answers a request without body.
func (p *peer) answer(id uint32, body string) {
	p.headers(id, false, ":status", "200")
	p.data(id, true, []byte(body))
	p.flush()
}

// forward makes a handler that forwards to a Client, passing bodies through, as
// the proxy does.
func forward(c *h2.Client) l7.Handler {
	return func(ex *l7.Exchange) error {
		st := c.Open()
		if st == nil {
			return io.ErrShortBuffer // none is free
		}
		l := leases.Get().(*lease)
		l.use(st, ex)
		ex.Lease = l
		l.out = l7.Outgoing{Head: &ex.Request}
		if p, whole := l7.Whole(ex.Request.Body); whole {
			l.out.Whole = p
		} else {
			l.out.Body = ex.Request.Body
		}
		if _, err := st.Send(&l.out); err != nil {
			return err
		}
		return st.ReadResponse(ex)
	}
}
