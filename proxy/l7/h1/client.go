package h1

import (
	"fmt"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// maxResponseHead is how many bytes a response's head may have (Envoy: HTTP/1
// takes 80 KiB from upstreams).
const maxResponseHead = 80 << 10

// maxInformational bounds the 1xx responses before a final one: a server may
// send 102 (Processing) as a heartbeat, but not for ever.
const maxInformational = 1000

// Client is the upstream side of one connection: it sends requests and reads
// their responses, one after the other. It belongs to the exchange it is
// leased to.
type Client struct {
	recv  receiver
	body  body
	crew  *l7.Crew
	pump  *pump // of the request under way; nil when it was sent whole
	spare *pump

	reuse   bool
	closing bool
	keepFor time.Duration
}

// NewClient uses a connection, which stays the caller's to close. Bodies that
// are not here yet when their request is sent are passed on by the crew.
func NewClient(conn *sock.Conn, crew *l7.Crew) *Client {
	c := &Client{crew: crew}
	c.recv.conn = conn
	c.recv.cur = &c.recv.head
	return c
}

// Conn is the connection.
func (c *Client) Conn() *sock.Conn { return c.recv.conn }

// Send sends a request and waits for the first bytes of its answer, until the
// deadline set by ReadBy on Conn. wrote tells whether any byte may have
// reached the peer: false makes a retry safe for every request.
//
// A body that is not here yet is passed on by a second goroutine, which ends
// when it has been sent, or by Abort.
func (c *Client) Send(r *l7.Outgoing) (wrote bool, err error) {
	c.recv.next()
	out := takeOutput()
	chunked := r.Body != nil && (r.Body.Length() < 0 || announcesTrailer(r.Head.Version, &r.Head.Header))
	if r.Head.Version == l7.HTTP2 {
		out.b = appendTranslated(out.b, r, chunked)
	} else {
		out.b = appendRequest(out.b, r.Head, chunked)
	}
	if r.Body == nil {
		_, wrote, err = c.recv.conn.Send(out.b, r.Whole, &c.recv.head)
		out.release()
		return wrote, err
	}
	if err := c.recv.conn.Quiet(); err != nil {
		out.release()
		return false, sock.ErrStale
	}
	c.startPump(out, chunked, r)
	_, err = c.recv.conn.Fill(&c.recv.head)
	return true, err
}

// ReadResponse reads the response's head into ex.Response, passing 1xx ones on
// to ex.Informer. io.EOF and io.ErrUnexpectedEOF say that the peer closed
// before a whole head; an *Error that it broke the protocol.
func (c *Client) ReadResponse(ex *l7.Exchange) error {
	c.reuse, c.closing = false, false
	resp := &ex.Response
	for range maxInformational {
		resp.Header.Reset()
		head, err := c.recv.readHead(maxResponseHead, beginsResponse)
		if err != nil {
			return err
		}
		f, err := parseResponse(head, resp)
		if err != nil {
			return err
		}
		c.recv.cur.Consume(len(head))
		if resp.Status >= 200 || resp.Status == 101 {
			return c.begin(ex, f)
		}
		if resp.Status != 100 && ex.Informer != nil {
			if err := ex.Informer.Inform(ex); err != nil {
				return fmt.Errorf("%w: %w", l7.ErrInform, err)
			}
			ex.Informed = true
		}
	}
	return malformed("too many informational responses")
}

// begin makes the response's body ready (RFC 9112 6.3).
func (c *Client) begin(ex *l7.Exchange, f framing) error {
	resp := &ex.Response
	switch {
	case resp.Status == 101:
		if !ex.Request.Upgrade {
			return malformed("101 to a request that asked for no upgrade")
		}
		resp.Upgraded, resp.Body = true, l7.Empty
		return nil
	case bodiless(resp.Status, ex.Request.Method):
		c.body.begin(&c.recv, frameNone, 0)
	case f.chunked:
		c.body.begin(&c.recv, frameChunked, -1)
	case f.length >= 0:
		c.body.begin(&c.recv, frameLength, f.length)
	default:
		c.body.begin(&c.recv, frameClose, -1)
	}
	c.reuse = c.body.frame != frameClose && !f.close && (resp.Version == l7.HTTP11 || f.keepAlive)
	c.closing = f.close
	c.keepFor = time.Duration(f.keepFor) * time.Second
	resp.Body = &c.body
	return nil
}

// Started bounds the reading of the whole response's body; another goroutine
// may call it, and must call Wake on Conn.
func (c *Client) Started(by time.Duration) { c.body.by.Store(int64(by)) }

// Silence bounds each read of the response's body.
func (c *Client) Silence(idle time.Duration) { c.body.idle = idle }

// BodyBroke tells, after Send or ReadResponse failed, that they did because
// the request's body could not be read to its end.
func (c *Client) BodyBroke() bool { return c.pump != nil && c.pump.broke.Load() }

// Sent tells whether the request's body was sent to its end; sent counts what
// was sent by the second goroutine.
func (c *Client) Sent() (n uint64, whole bool) {
	if c.pump == nil {
		return 0, true
	}
	return c.pump.sent()
}

// Finish ends the exchange: it stops the body's goroutine if it still runs
// (which closes the connection) and gives memory back. It tells whether the
// connection can take another request.
func (c *Client) Finish(complete bool) (reusable bool, pumped uint64) {
	reusable = complete && c.reuse && c.body.Ended() && len(c.recv.buffered()) == 0
	if p := c.pump; p != nil {
		c.pump = nil
		n, whole := p.sent()
		if !whole && reusable { // an answer overtakes the news that its request was written
			n, whole = p.await()
		}
		if !whole {
			reusable = false
			n = p.abort(c.recv.conn)
		}
		pumped = n
		p.release()
	}
	c.recv.release()
	c.recv.cur = &c.recv.head
	return reusable, pumped
}

// Closing tells that the last response announced the connection's end
// (Connection: close).
func (c *Client) Closing() bool { return c.closing }

// KeepFor is how long the peer said that it keeps an idle connection; 0 when
// it said nothing.
func (c *Client) KeepFor() time.Duration { return c.keepFor }

// Early gives the bytes that came behind a 101; they belong to the tunnel.
func (c *Client) Early() []byte { return c.recv.buffered() }
