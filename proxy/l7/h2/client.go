package h2

import (
	"errors"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Client is the upstream side of one connection, shared by its streams.
type Client struct {
	conn
	changed  func(*Client)
	next     uint32 // the next stream's number
	retiring bool   // no more streams
	done     chan struct{}
}

// NewClient takes a connection over, which it closes in the end, and starts the
// goroutine that reads. Preface and SETTINGS leave with the first stream. changed
// is called by that goroutine, without a lock held, when the connection takes no
// more streams (GOAWAY, closed, broken) and when it may take more than before
// (SETTINGS). It must not block.
func NewClient(sc *sock.Conn, cfg *Config, changed func(*Client)) *Client {
	c := &Client{changed: changed, next: 1, done: make(chan struct{})}
	c.make(sc, cfg, c)
	c.needOut()
	c.out.b = append(c.out.b, http2.ClientPreface...)
	c.greet(setting{http2.SettingEnablePush, 0})
	go c.run()
	return c
}

func (c *Client) run() {
	defer close(c.done)
	err := c.read(func() time.Duration { return 0 })
	for errors.Is(err, sock.ErrTimeout) && !c.going.over.Load() {
		err = c.read(func() time.Duration { return 0 })
	}
	var breach *Error
	if errors.As(err, &breach) {
		c.countError(breach)
		c.mu.Lock()
		c.appendGoAway(0, breach.Code, breach.Reason)
		c.mu.Unlock()
	}
	c.fail(err)
	c.flushNow()
	c.changed(c)
	if breach != nil {
		c.linger(lingerFor / 10) // the peer is to learn why
	} else {
		c.sock.WriteBy(sock.Now() + lingerFor)
		c.sock.Wake()
		c.finish()
		c.drained.Wait()
	}
	c.sock.Close()
	c.cfg.Budget.give(c.flow.grown)
}

// Done is closed when the connection is over and its goroutine has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Conn is the connection, for addresses and, after Done, for Traffic.
func (c *Client) Conn() *sock.Conn { return c.sock }

// Open takes a place for a stream; nil when none is free or the connection takes
// no more. It never blocks. The stream must be given back by Finish.
func (c *Client) Open() *ClientStream {
	c.mu.Lock()
	if !c.usable() || uint32(c.open) >= min(c.limits.MaxConcurrentStreams, c.peer.maxStreams) {
		c.mu.Unlock()
		return nil
	}
	c.open++
	st := c.cfg.clients.Get().(*ClientStream)
	st.begin(&c.conn)
	c.mu.Unlock()
	st.client = c
	return st
}

// Settled tells whether the peer's SETTINGS have come. Until then Open gives one
// stream: nobody knows how many the peer takes.
func (c *Client) Settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer.said
}

// MaxStreams is how many streams the connection takes at once: what the peer says
// (SETTINGS_MAX_CONCURRENT_STREAMS), and not more than our own limit.
func (c *Client) MaxStreams() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(c.limits.MaxConcurrentStreams, c.peer.maxStreams)
}

// Err is why the connection has ended; nil while it has not. A *Error is a breach
// of the protocol.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Usable tells whether the connection still takes streams, if not now because
// it is full.
func (c *Client) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usable()
}

func (c *Client) usable() bool { return !c.retiring && c.err == nil && c.next <= maxStreamID-2 }

// Leaving tells whether the peer has said that it takes no more streams
// (GOAWAY), or Retire has, and the connection is not over yet.
func (c *Client) Leaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retiring && c.err == nil
}

// Streams is how many streams are open, and when the last one ended.
func (c *Client) Streams() (open int, idleSince time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.idleSince
}

// Retire takes no more streams; the connection is closed when those under way
// have ended. It does not wait.
func (c *Client) Retire() {
	c.mu.Lock()
	if !c.retiring && c.err == nil {
		c.retiring = true
		c.appendGoAway(0, NoError, "")
	}
	c.going.step = leaving
	c.maybeOver()
	c.mu.Unlock()
	c.flushNow()
}

// Close closes at once: streams under way fail.
func (c *Client) Close() { c.sock.Close() }

// goAway takes the server's GOAWAY: streams above last were not processed
// (role; RFC 9113 6.8).
func (c *Client) goAway(last uint32, code Code) {
	c.mu.Lock()
	c.retiring = true
	var refused []*stream
	c.streams.each(func(st *stream) {
		if st.id > last {
			refused = append(refused, st)
		}
	})
	for _, st := range refused {
		c.cut(st, ErrRefused)
	}
	c.going.step = leaving
	c.maybeOver()
	c.mu.Unlock()
	c.changed(c)
}

// heard (role): the server may take more streams than before.
func (c *Client) heard() { c.changed(c) }

// known (role).
func (c *Client) known(id uint32) bool { return id%2 == 1 && id < c.next }

// head takes the head of a response, or trailers (role).
func (c *Client) head() *Error {
	b := &c.block
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams.get(b.of)
	if st == nil {
		return c.stranger(b.of)
	}
	if st.headCame {
		return c.trailers(st)
	}
	if b.bad != nil {
		return b.bad
	}
	status, bad := b.response()
	if bad != nil {
		return bad
	}
	cs := st.owner
	if status < 200 {
		return cs.informational(status, b)
	}
	cs.status = status
	st.fields, b.fields = b.fields, st.fields[:0]
	st.arena, b.arena = b.arena, st.arena[:0]
	st.headCame = true
	if st.length = b.length; cs.bodiless() {
		st.length = -1
	}
	if b.end {
		if st.length > 0 {
			return errLength
		}
		st.endRecv()
	}
	st.reader.wake()
	return nil
}

// informationalMost bounds the 1xx responses that wait to be passed on.
const informationalMost = 4

// informational keeps a 1xx response, under the lock.
func (st *ClientStream) informational(status int, b *headerBlock) *Error {
	if b.end {
		return errEndOf1xx
	}
	if len(st.informed) == informationalMost {
		return errTooMany1xx
	}
	st.informed = append(st.informed, informational{status, append([]l7.Field(nil), b.fields...)})
	b.arena = nil // they point into it
	st.reader.wake()
	return nil
}

// ended takes note that the owner of a stream has finished with it.
func (c *Client) ended(st *ClientStream, code Code) {
	c.mu.Lock()
	st.end(code)
	if c.open--; c.open == 0 {
		c.idleSince = sock.Now()
	}
	if c.going.step == leaving {
		c.maybeOver()
	}
	c.unlockAndFlush()
}
