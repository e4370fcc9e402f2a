//go:build linux

package closed

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/wire"
)

// WebSocket sends one text message at a time on each connection and waits for its echo.
type WebSocket struct {
	Host string // of the handshake
	Path string
	Size int // bytes of a message, 1 to 65,536
}

// The key and the mask are what a client would draw. Here they are the same in every run: no cache stands between, and the figures shall not depend on chance.
const key = "dGhlIHNhbXBsZSBub25jZQ=="

var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func (w WebSocket) check() error {
	if w.Size < 1 || w.Size > 64<<10 {
		return fmt.Errorf("messages of %d bytes: want 1 to 65536", w.Size)
	}
	return nil
}

func (w WebSocket) begin() conversation {
	message := []byte(strings.Repeat("x", w.Size))
	return &webSocket{
		handshake: fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: %s\r\n\r\n", w.Path, w.Host, key),
		message: message, frame: wire.AppendWSFrame(nil, wire.WSText, &mask, message),
	}
}

// webSocket is the client's side of a connection.
type webSocket struct {
	handshake string
	frame     []byte // the message as it is sent
	message   []byte
	head      []byte // of the handshake's answer, until it is whole
	stands    bool
	asking    bool
	sent      int64
	messages  wire.Messages
}

func (c *webSocket) opened(t *turn) { t.out = append(t.out, c.handshake...) }

func (c *webSocket) fill(t *turn) {
	if c.stands && !c.asking && t.ask() {
		c.asking, c.sent = true, t.now
		t.out = append(t.out, c.frame...)
	}
}

var errHandshake = errors.New("the handshake was refused")

func (c *webSocket) heard(t *turn, p []byte) error {
	if !c.stands {
		c.head = append(c.head, p...)
		end := bytes.Index(c.head, []byte("\r\n\r\n"))
		if end < 0 {
			if len(c.head) > wire.MaxHead {
				return wire.ErrHeadTooLong
			}
			return nil
		}
		head := string(c.head[:end])
		if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, wire.AcceptKey(key)) {
			t.ask() // else the refusal would fail no request
			return errHandshake
		}
		p, c.head, c.stands = c.head[end+4:], nil, true
	}
	for {
		opcode, payload, rest, ok, err := c.messages.Next(p)
		if err != nil || !ok {
			return err
		}
		p = rest
		switch {
		case opcode == wire.WSPing:
			t.out = wire.AppendWSFrame(t.out, wire.WSPong, &mask, payload)
		case opcode == wire.WSClose && !c.asking:
			return errParted
		case opcode != wire.WSText || !c.asking:
			return wire.ErrWebSocket
		default:
			c.asking = false
			t.answered(c.sent, outcome{bytes: len(payload), failed: !bytes.Equal(payload, c.message), failure: load.Malformed})
		}
	}
}
