package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Step answers one request, or does not.
type Step func(*Call)

// Call is one request that an App serves.
type Call struct {
	Request
	// Number counts the App's requests, from 1.
	Number int
	Conn   *net.TCPConn
	Reader *bufio.Reader

	app      *App
	incoming *http.Request
	recorded bool
	ended    bool
}

// record makes the request one that was seen, before its answer is.
func (c *Call) record() {
	if c.recorded {
		return
	}
	c.recorded = true
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	c.app.seen = append(c.app.seen, c.Request)
}

// Incoming is the request's body as it comes.
func (c *Call) Incoming() io.Reader { return c.incoming.Body }

// ReadBody reads the request's body to its end.
func (c *Call) ReadBody() (string, error) {
	b, err := io.ReadAll(c.incoming.Body)
	c.Body += string(b)
	return c.Body, err
}

// Write sends bytes as they are.
func (c *Call) Write(raw string) { io.WriteString(c.Conn, raw) }

// Close closes the connection with a FIN.
func (c *Call) Close() {
	c.record()
	c.Conn.Close()
	c.ended = true
}

// Reset closes the connection with an RST.
func (c *Call) Reset() {
	c.Conn.SetLinger(0)
	c.Close()
}

// Hang waits until the peer closes the connection, and tells what the read
// gave.
func (c *Call) Hang() error {
	_, err := io.Copy(io.Discard, c.Reader)
	c.ended = true
	return err
}

// Reply reads the request's body and answers; fields are "name: value".
func (c *Call) Reply(status int, body string, fields ...string) {
	if _, err := c.ReadBody(); err != nil {
		c.Close()
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		body = ""
	} else {
		fmt.Fprintf(&b, "content-length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	if c.Method != http.MethodHead {
		b.WriteString(body)
	}
	c.record()
	c.Write(b.String())
}

// Status answers with a code and, as the body, that code.
func Status(code int, fields ...string) Step {
	return func(c *Call) { c.Reply(code, fmt.Sprint(code), fields...) }
}

// Text answers 200 with a body.
func Text(body string) Step { return func(c *Call) { c.Reply(200, body) } }

// Raw reads the body and sends bytes as they are; the connection stays open.
func Raw(bytes string) Step {
	return func(c *Call) {
		c.ReadBody()
		c.record()
		c.Write(bytes)
	}
}

// RawClose is Raw, and then a FIN.
func RawClose(bytes string) Step {
	return func(c *Call) {
		c.ReadBody()
		c.record()
		c.Write(bytes)
		c.Close()
	}
}

// CloseAtOnce closes after the request's head was read, without an answer.
func CloseAtOnce(c *Call) { c.Close() }

// CloseAfterBody reads the whole request and closes without an answer.
func CloseAfterBody(c *Call) {
	c.ReadBody()
	c.Close()
}

// ResetAfterBody reads the whole request and resets the connection.
func ResetAfterBody(c *Call) {
	c.ReadBody()
	c.Reset()
}

// Hang never answers; it ends when the peer closes.
func Hang(c *Call) { c.Hang() }

// HangAfter sends bytes and then nothing until the peer closes.
func HangAfter(bytes string) Step {
	return func(c *Call) {
		c.Write(bytes)
		c.Hang()
	}
}

// HangUntilGone is Hang, and tells gone what the end of the connection was.
func HangUntilGone(gone chan<- error) Step {
	return func(c *Call) {
		c.ReadBody()
		gone <- c.Hang()
	}
}

// After waits for a gate before it goes on with a step.
func After(gate <-chan struct{}, step Step) Step {
	return func(c *Call) {
		<-gate
		step(c)
	}
}

// Announce tells arrived of the request, then goes on with a step.
func Announce(arrived chan<- struct{}, step Step) Step {
	return func(c *Call) {
		arrived <- struct{}{}
		step(c)
	}
}

// Trickle answers 200 and sends the body piece by piece, one for every token
// of the gate, chunked; the body ends when the gate is closed.
func Trickle(gate <-chan struct{}, piece string) Step {
	return func(c *Call) {
		c.record()
		c.Write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
		for range gate {
			c.Write(fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
		}
		c.Write("0\r\n\r\n")
	}
}

// Upgrade answers 101 and sends back what it gets until the peer closes;
// greeting follows the head in the same write.
func Upgrade(greeting string) Step {
	return func(c *Call) {
		c.record()
		c.Write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n" + greeting)
		io.Copy(c.Conn, c.Reader)
		c.Close()
	}
}
