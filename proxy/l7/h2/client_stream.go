package h2

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// ClientStream is one request under way. It belongs to the exchange that opened
// it, until Finish.
type ClientStream struct {
	stream
	client   *Client
	status   int
	isHead   bool
	informed []informational // 1xx responses that were not passed on yet
	gone     *atomic.Bool

	pump    pump
	pumping bool
}

type informational struct {
	status int
	fields []l7.Field
}

func newClientStream() *ClientStream {
	st := new(ClientStream)
	st.make()
	st.owner = st
	st.pump.st = st
	st.pump.done = make(chan struct{}, 1)
	return st
}

// bodiless tells responses that have no body whatever they say of its length.
func (st *ClientStream) bodiless() bool {
	return st.isHead || st.status == 204 || st.status == 304
}

// Deadlines and cancellation, as those of sock.Conn and h1.Client: ReadBy bounds
// the wait for the response's head, WriteBy the wait for windows, Started the
// response's body as a whole, Silence each wait for it. Another goroutine that
// moves one earlier must call Wake.
func (st *ClientStream) ReadBy(t time.Duration) { st.reader.bound(t) }

// WriteBy bounds the wait for windows.
func (st *ClientStream) WriteBy(t time.Duration) { st.writer.bound(t) }

// Started bounds the reading of the response's body.
func (st *ClientStream) Started(by time.Duration) { st.body.by.Store(int64(by)) }

// Silence bounds each wait for the response's body.
func (st *ClientStream) Silence(idle time.Duration) { st.body.idle = idle }

// Watch makes what waits on the stream fail with sock.ErrCanceled once flag is
// raised and Wake was called; nil ends it.
func (st *ClientStream) Watch(flag *atomic.Bool) { st.gone, st.body.gone = flag, flag }

// Wake makes whoever waits on the stream look at its deadlines and flag again.
// It never blocks and takes no lock.
func (st *ClientStream) Wake() {
	st.reader.wake()
	st.writer.wake()
}

// Send sends a request and waits for the first news of its answer, until the
// deadline set by ReadBy. wrote tells whether any of it may have reached the
// peer. sock.ErrStale says that the connection takes no more streams: nothing was
// written. Other errors: *Error, sock.ErrTimeout, sock.ErrCanceled, io.EOF or
// io.ErrUnexpectedEOF when the connection has ended.
//
// A body that is not here yet, or does not fit in the windows, is passed on by a
// second goroutine, which ends when it has been sent, or by Finish.
func (st *ClientStream) Send(r *l7.Outgoing) (wrote bool, err error) {
	st.isHead = string(r.Head.Method) == "HEAD"
	rest, err := st.open(r)
	if err != nil {
		return false, err
	}
	if r.Body == nil && len(rest) == 0 {
		st.c.unlockAndFlush()
		return true, st.awaitNews()
	}
	st.c.mu.Unlock()
	body := r.Body
	if len(rest) > 0 {
		body = l7.NewBytes(rest)
	}
	if body != nil {
		st.startPump(body, r.Idle)
	}
	st.c.flush()
	return true, st.awaitNews()
}

// open opens the stream: whether the connection is alive, the number, the head
// and its place in the output are one step. rest is what of a whole body did not
// fit. Unless it fails, it returns with the lock.
func (st *ClientStream) open(r *l7.Outgoing) (rest []byte, err error) {
	c := st.client
	by := st.writer.by.Swap(st.reader.by.Load())
	err = st.awaitRoom(st.gone)
	st.writer.by.Store(by)
	if err != nil {
		return nil, err
	}
	if !c.usable() {
		c.mu.Unlock()
		return nil, sock.ErrStale
	}
	st.enter(c.next)
	c.next += 2
	c.opened.Add(1)
	at := c.beginHeaders()
	c.out.b = appendRequest(c.out.b, r.Head)
	if r.Body == nil && len(r.Whole) == 0 {
		c.endHeaders(at, st.id, flagEndStream)
		st.endSend()
		return nil, nil
	}
	c.endHeaders(at, st.id, 0)
	whole := r.Whole
	for len(whole) > 0 {
		n := st.room(len(whole))
		if n == 0 {
			break
		}
		st.appendData(whole[:n], n == len(whole))
		whole = whole[n:]
	}
	return whole, nil
}

// awaitNews waits for a head or a 1xx.
func (st *ClientStream) awaitNews() error {
	for {
		st.c.mu.Lock()
		news := st.headCame || len(st.informed) > 0 // also if it was reset right behind
		err := st.err
		st.c.mu.Unlock()
		switch {
		case news:
			return nil
		case err != nil:
			return err
		}
		if err := st.reader.park(st.gone); err != nil {
			return err
		}
	}
}

// ReadResponse reads the response's head into ex.Response, passing 1xx ones on
// to ex.Informer. Errors are those of Send, and l7.ErrInform.
func (st *ClientStream) ReadResponse(ex *l7.Exchange) error {
	for !st.takeHead(&ex.Response) {
		if err := st.awaitNews(); err != nil {
			return err
		}
		if err := st.passOn(ex); err != nil {
			return err
		}
	}
	return nil
}

// takeHead moves the final head into resp, if it is here and nothing before it.
func (st *ClientStream) takeHead(resp *l7.Response) bool {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !st.headCame || len(st.informed) > 0 {
		return false
	}
	resp.Status, resp.Reason, resp.Version = st.status, nil, l7.HTTP2
	resp.Header.Fields, st.fields = st.fields, resp.Header.Fields[:0]
	if st.status == 204 {
		resp.Header.Remove(l7.NameContentLength) // RFC 9110 8.6: it must not be there
	}
	if resp.Body = &st.body; st.bodiless() || st.recvEnd && st.came == 0 && len(st.trailer.Fields) == 0 {
		resp.Body = l7.Empty
	}
	return true
}

// passOn passes the informational responses on that have come.
func (st *ClientStream) passOn(ex *l7.Exchange) error {
	for {
		one, ok := st.nextInformational()
		if !ok {
			return nil
		}
		if one.status == 100 || ex.Informer == nil {
			continue
		}
		ex.Response.Status, ex.Response.Reason = one.status, nil
		ex.Response.Header.Fields = append(ex.Response.Header.Fields[:0], one.fields...)
		if err := ex.Informer.Inform(ex); err != nil {
			return fmt.Errorf("%w: %w", l7.ErrInform, err)
		}
		ex.Informed = true
	}
}

// nextInformational takes the oldest 1xx that waits.
func (st *ClientStream) nextInformational() (one informational, ok bool) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if len(st.informed) == 0 {
		return one, false
	}
	one = st.informed[0]
	st.informed = append(st.informed[:0], st.informed[1:]...)
	return one, true
}

// BodyBroke tells, after Send or ReadResponse failed, that they did because the
// request's body could not be read to its end.
func (st *ClientStream) BodyBroke() bool { return st.pumping && st.pump.broke.Load() }

// Sent tells whether the request's body was sent to its end; n counts what was
// sent by the second goroutine.
func (st *ClientStream) Sent() (n uint64, whole bool) {
	if !st.pumping {
		return 0, true
	}
	return st.pump.sent()
}

// Finish ends the use of the stream: it is reset if either direction has not
// ended, and its place is free again. n counts body bytes sent by the second
// goroutine. The stream must not be used afterwards, but for Wake.
func (st *ClientStream) Finish() (n uint64) {
	c := st.client
	if st.pumping {
		n = st.stopPump()
	}
	c.ended(st, Cancel)
	st.clear()
	clear(st.informed)
	st.client, st.status, st.isHead, st.gone, st.informed = nil, 0, false, nil, st.informed[:0]
	c.cfg.clients.Put(st)
	return n
}
