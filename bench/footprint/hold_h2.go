//go:build linux

package footprint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/bench/peers"
)

// heldHTTP2 is many connections, idle or with idle streams.
type heldHTTP2 struct{ conns []*client }

// client is one connection. It reads only what it waits for.
type client struct {
	conn   net.Conn
	framer *http2.Framer
	next   uint32
	block  bytes.Buffer
	hpack  *hpack.Encoder
}

// holdHTTP2 opens n connections, one after the other, and has each serve a request with 2 KB of headers. What has been opened is returned in every case.
func holdHTTP2(ctx context.Context, addr netip.AddrPort, n int) (holder, error) {
	fields := peers.HTTP2Fields("/1k")
	for i := range 10 {
		fields = append(fields, hpack.HeaderField{Name: fmt.Sprintf("x-padding-%d", i), Value: strings.Repeat("p", 190)})
	}
	return openAll(ctx, addr, n, func(_ int, c *client) error { return c.ask(fields, 1, 1<<10, true) })
}

// holdStreams opens n streams, at most each of them on a connection, that are asked for, answered with some bytes, and not ended.
func holdStreams(ctx context.Context, addr netip.AddrPort, n, each int) (holder, error) {
	fields := peers.HTTP2Fields("/hold")
	return openAll(ctx, addr, (n+each-1)/each, func(i int, c *client) error { return c.ask(fields, min(each, n-i*each), 32, false) })
}

func openAll(ctx context.Context, addr netip.AddrPort, n int, use func(i int, c *client) error) (holder, error) {
	h := new(heldHTTP2)
	var dialer net.Dialer
	for i := range n {
		conn, err := dialer.DialContext(ctx, "tcp", addr.String())
		if err == nil {
			c := &client{conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
			c.hpack = hpack.NewEncoder(&c.block)
			h.conns = append(h.conns, c)
			if err = c.begin(); err == nil {
				err = use(i, c)
			}
		}
		if err != nil {
			return h, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return h, nil
}

func (c *client) begin() error {
	if err := c.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	return c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
}

// ask makes n requests and waits until each has been answered with so many bytes, and ended if it is to be.
func (c *client) ask(fields []hpack.HeaderField, n, size int, ended bool) error {
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	for range n {
		c.block.Reset()
		for _, f := range fields {
			if err := c.hpack.WriteField(f); err != nil {
				return err
			}
		}
		if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
			return err
		}
		c.next += 2
	}
	wanted, got := n*size, 0
	for ends := 0; ends < n && (ended || got < wanted); {
		f, err := c.frame()
		if err != nil {
			return err
		}
		if data, ok := f.(*http2.DataFrame); ok {
			got += len(data.Data())
			if data.StreamEnded() {
				ends++
			}
		}
		if headers, ok := f.(*http2.HeadersFrame); ok && headers.StreamEnded() {
			ends++
		}
	}
	if got != wanted {
		return fmt.Errorf("%d bytes came, want %d", got, wanted)
	}
	return nil
}

// frame reads one frame, replies to SETTINGS, and fails at a frame by which something ends.
func (c *client) frame() (http2.Frame, error) {
	f, err := c.framer.ReadFrame()
	if err != nil {
		return nil, err
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return f, c.framer.WriteSettingsAck()
		}
	case *http2.RSTStreamFrame:
		return nil, fmt.Errorf("stream %d was reset: %v", f.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		return nil, fmt.Errorf("the proxy closes the connection: %v", f.ErrCode)
	}
	return f, nil
}

var errPing = errors.New("another PING came back")

// again has every connection answer a PING, which shows anything that ended meanwhile.
func (h *heldHTTP2) again(ctx context.Context) error {
	ping := [8]byte{'a', 'g', 'a', 'i', 'n'}
	for i, c := range h.conns {
		err := context.Cause(ctx)
		if err == nil {
			err = c.conn.SetDeadline(time.Now().Add(5 * time.Second))
		}
		if err == nil {
			err = c.framer.WritePing(false, ping)
		}
		for back := false; err == nil && !back; {
			var f http2.Frame
			f, err = c.frame()
			if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
				if back = true; p.Data != ping {
					err = errPing
				}
			}
		}
		if err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return nil
}

func (h *heldHTTP2) close() {
	for _, c := range h.conns {
		_ = c.conn.Close()
	}
}
