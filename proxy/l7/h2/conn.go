package h2

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// conn is what both sides of a connection have in common. One goroutine, the
// reader, takes what comes; whoever has a frame to send appends it to the
// output. The lock is held for a few instructions, never while anything waits,
// and never together with another connection's.
type conn struct {
	sock   *sock.Conn
	cfg    *Config
	limits *Limits
	stats  *stat.Group
	role   role
	// pushMost is what the peer may say of SETTINGS_ENABLE_PUSH: a server nothing
	// but 0 (RFC 9113 6.5.2).
	pushMost uint32

	// The reader's own.
	in      sock.Buffer
	block   headerBlock
	data    dataFrame
	floods  floodCount
	clock   time.Duration // when the last bytes came
	born    time.Duration
	yield   sock.Yielder
	moved   int // since it gave way last
	greeted bool

	mu      sync.Mutex
	streams streamTable // those that may still send or be sent to
	open    int         // streams whose owners have not finished with them
	err     error       // why the connection is over; nil: it is not
	last    uint32      // the highest stream of the peer's that was taken up
	output
	flow
	peer   peerSettings
	resets streamRing // that we have reset
	closed streamRing // that have ended
	going  goingAway

	idleSince time.Duration // when open became 0
	premature resetCount
	opened    atomic.Uint64 // streams
	dataSent  atomic.Uint64 // DATA frames
}

// role is what the two sides of a connection do differently.
type role interface {
	// head takes a header block that is complete: a request, a response or
	// trailers.
	head() *Error
	// goAway takes the peer's GOAWAY.
	goAway(last uint32, code Code)
	// known tells whether a stream of that number was ever opened, under the
	// lock.
	known(stream uint32) bool
	// heard is called after the peer's SETTINGS, without the lock.
	heard()
}

// peerSettings is what the peer's SETTINGS say.
type peerSettings struct {
	maxFrame   int
	window     int32 // of a new stream
	maxStreams uint32
	said       bool // its first SETTINGS have come
	acked      bool // it knows ours
}

func (c *conn) make(s *sock.Conn, cfg *Config, r role) {
	cfg.ready()
	c.sock, c.cfg, c.limits, c.stats, c.role = s, cfg, &cfg.limits, cfg.cells, r
	c.block.make(c.limits)
	// As many as may be under way when we reset them; of those that ended some.
	c.resets.most, c.closed.most = int(min(c.limits.MaxConcurrentStreams, 1<<12)), 32
	c.peer = peerSettings{maxFrame: defaultMaxFrame, window: defaultWindow, maxStreams: unheardStreams}
	c.flow = flow{send: defaultWindow, peak: defaultWindow, recv: int64(c.limits.InitialConnectionWindow), window: int64(c.limits.InitialConnectionWindow)}
	c.clock = sock.Now()
	c.born, c.idleSince = c.clock, c.clock
}

// unheardStreams is how many streams we open to a peer whose SETTINGS have not
// come yet: more might be refused.
const unheardStreams = 1

// greet appends our SETTINGS and the credit that makes the connection's window
// as large as we want it.
func (c *conn) greet(settings ...setting) {
	c.needOut()
	settings = append(settings, setting{http2.SettingInitialWindowSize, c.limits.InitialStreamWindow},
		setting{http2.SettingMaxHeaderListSize, c.limits.MaxHeaderBytes})
	c.out.b = appendSettings(c.out.b, settings...)
	c.outFrames++
	if more := c.limits.InitialConnectionWindow - defaultWindow; more > 0 {
		c.out.b = appendWindowUpdate(c.out.b, 0, more)
		c.outFrames++
	}
}

// yieldAfter is how much a goroutine moves before it gives way to others.
const yieldAfter = 64 << 10

// read takes frames until the connection is over, and says why: io.EOF for a
// FIN, sock.ErrTimeout by the deadline that bound gives, *Error for a breach.
func (c *conn) read(bound func() time.Duration) error {
	defer c.in.Release()
	defer c.yield.Close()
	for {
		err := c.consume()
		c.flushNow()
		if err != nil {
			return err
		}
		c.in.ReleaseIdle()
		c.in.MakeRoom(sock.BufferSize)
		c.sock.ReadBy(bound())
		if c.going.over.Load() { // after ReadBy: see maybeOver
			return sock.ErrTimeout
		}
		n, readErr := c.sock.Fill(&c.in)
		if readErr != nil {
			return readErr
		}
		c.clock = sock.Now()
		if c.cfg.Received != nil {
			c.cfg.Received.Add(uint64(n))
		}
		if c.moved += n; c.moved >= yieldAfter {
			c.moved = 0
			c.yield.Yield()
		}
	}
}

// consume takes all frames that are here as a whole; of DATA, also what is here
// of one.
func (c *conn) consume() *Error {
	for {
		if c.data.active {
			if !c.moreData() {
				return nil
			}
			continue
		}
		b := c.in.Bytes()
		if len(b) < frameHeaderLen {
			return nil
		}
		f := parseFrame(b)
		if f.length > defaultMaxFrame {
			return errFrameSize
		}
		if err := c.expect(f); err != nil {
			return err
		}
		if f.kind == http2.FrameData {
			if f.flags&flagPadded != 0 && f.length > 0 && len(b) == frameHeaderLen {
				return nil // the length of the padding is to come
			}
			if err := c.beginData(f, b[frameHeaderLen:]); err != nil {
				return err
			}
			continue
		}
		if len(b) < frameHeaderLen+f.length {
			return nil
		}
		err := c.take(f, b[frameHeaderLen:frameHeaderLen+f.length])
		if err != nil && err.Conn {
			return err
		}
		if err != nil {
			c.breach(f.stream, err)
		}
		c.in.Consume(frameHeaderLen + f.length)
		if err := c.outboundFlood(); err != nil {
			return err
		}
	}
}

// expect tells whether a frame may come now.
func (c *conn) expect(f frame) *Error {
	switch {
	case c.block.stream != 0 && (f.kind != http2.FrameContinuation || f.stream != c.block.stream):
		return errContinuation
	case !c.greeted && (f.kind != http2.FrameSettings || f.flags&flagAck != 0):
		return errNoSettings
	}
	c.greeted = true
	return nil
}

// take takes one frame other than DATA.
func (c *conn) take(f frame, p []byte) *Error {
	switch f.kind {
	case http2.FrameHeaders:
		return c.headers(f, p)
	case http2.FrameContinuation:
		return c.continuation(f, p)
	case http2.FrameWindowUpdate:
		return c.windowUpdate(f, p)
	case http2.FrameRSTStream:
		return c.reset(f, p)
	case http2.FrameSettings:
		return c.settings(f, p)
	case http2.FramePing:
		return c.ping(f, p)
	case http2.FrameGoAway:
		return c.goneAway(f, p)
	case http2.FramePriority:
		return c.priority(f, p)
	case http2.FramePushPromise:
		return errPush
	}
	return nil // RFC 9113 5.5: unknown ones are passed over
}

// fail ends all streams. It is called once, by the reader.
func (c *conn) fail(err error) {
	c.mu.Lock()
	c.err = err
	c.streams.each(func(st *stream) {
		st.listed = false // first: nothing more is said of it
		st.breakOff(streamErr(err))
	})
	c.streams.clear()
	waiting := append(called(&c.waiting), called(&c.flow.windowless)...)
	c.mu.Unlock()
	wakeWriters(waiting)
}

// streamErr is what the end of its connection means to a stream.
func streamErr(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// breach resets a stream for what its peer did wrong.
func (c *conn) breach(id uint32, err *Error) {
	c.countError(err)
	c.mu.Lock()
	st := c.streams.get(id)
	c.appendReset(id, err.Code)
	if st != nil {
		c.cut(st, err)
	}
	c.mu.Unlock()
}

// cut breaks a stream off that is in the table, under the lock. It is taken out
// first: of a stream that has been reset nothing more is said, no credit either.
func (c *conn) cut(st *stream, err error) {
	c.forget(st)
	st.breakOff(err)
}

// forget takes a stream out, under the lock: nothing more comes or goes. Its
// owner has not finished with it.
func (c *conn) forget(st *stream) {
	st.listed = false
	c.streams.remove(st)
	c.closed.add(st.id)
	if c.streams.n == 1 && len(c.flow.windowless) > 0 { // it need not share any more: see room
		wakeWriters(called(&c.flow.windowless))
	}
}

// lingerFor is how long a connection that has ended is kept, so that the peer
// can read what was written last (Envoy: delayed_close_timeout, 1 s).
const lingerFor = time.Second

// linger sends a FIN behind what is still to be written, and meanwhile throws
// away what comes, for so long at most.
func (c *conn) linger(most time.Duration) {
	by := sock.Now() + most
	c.sock.WatchRead(nil)
	c.sock.WriteBy(by)
	c.finish()
	c.in.Release()
	c.sock.ReadBy(by)
	defer c.yield.Close()
	for {
		n, err := c.sock.Fill(&c.in)
		if err != nil {
			break
		}
		c.in.Consume(n)
		if c.moved += n; c.moved >= yieldAfter {
			c.moved = 0
			c.yield.Yield()
		}
	}
	c.in.Release()
	c.sock.WriteBy(longAgo)
	c.sock.Wake()
	c.drained.Wait()
}

// finish ends the output: the FIN is sent, or left to who drains. What others
// append from now on goes nowhere.
func (c *conn) finish() {
	c.mu.Lock()
	for c.writing && !c.stuck { // somebody writes, which takes no time
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	c.ending, c.ended = true, !c.writing
	done := c.ended
	c.mu.Unlock()
	if done {
		c.sock.CloseWrite()
	}
}
