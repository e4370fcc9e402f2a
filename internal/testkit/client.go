package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Client is one connection of an HTTP/1.1 client that sees every byte.
type Client struct {
	*net.TCPConn
	Reader *bufio.Reader
	t      testing.TB
}

// Response is a response as a Client read it. Err is how its body ended, nil
// for well.
type Response struct {
	Status  int
	Proto   string
	Header  http.Header
	Body    string
	Trailer http.Header
	Close   bool
	Err     error
}

// Dial connects; the connection ends with the test.
func Dial(t testing.TB, addr netip.AddrPort) *Client {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(Patience))
	t.Cleanup(func() { nc.Close() })
	return &Client{TCPConn: nc.(*net.TCPConn), Reader: bufio.NewReader(nc), t: t}
}

// Get makes a GET request on a connection of its own and reads the answer;
// fields are "name: value".
func Get(t testing.TB, addr netip.AddrPort, host, path string, fields ...string) Response {
	t.Helper()
	c := Dial(t, addr)
	defer c.Close()
	return c.Do("GET", host, path, "", fields...)
}

// Do sends a request, with a body if there is one, and reads the answer.
func (c *Client) Do(method, host, path, body string, fields ...string) Response {
	c.t.Helper()
	c.Request(method, host, path, body, fields...)
	return c.Receive(method)
}

// Request sends a request and does not wait.
func (c *Client) Request(method, host, path, body string, fields ...string) {
	c.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nhost: %s\r\n", method, path, host)
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "content-length: %d\r\n", len(body))
	}
	c.Send(b.String() + "\r\n" + body)
}

// Send sends bytes as they are.
func (c *Client) Send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c.TCPConn, raw); err != nil {
		c.t.Errorf("sending: %v", err)
	}
}

// Receive reads a response to a request with the given method, body included.
// Informational ones are responses of their own.
func (c *Client) Receive(method string) Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.Reader, &http.Request{Method: method})
	if err != nil {
		c.t.Errorf("reading a response: %v", err)
		return Response{Err: err}
	}
	r := Response{Status: resp.StatusCode, Proto: resp.Proto, Header: resp.Header, Close: resp.Close}
	if resp.StatusCode == http.StatusSwitchingProtocols || method == http.MethodConnect && resp.StatusCode == 200 {
		return r
	}
	body, err := io.ReadAll(resp.Body)
	r.Body, r.Err, r.Trailer = string(body), err, resp.Trailer
	return r
}

// ReceiveHead reads a response's head and leaves its body.
func (c *Client) ReceiveHead(method string) *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.Reader, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("reading a response's head: %v", err)
	}
	return resp
}

// Reset closes the connection by an RST.
func (c *Client) Reset() {
	c.SetLinger(0)
	c.Close()
}

// Rest reads until the peer closes, and gives what came and how it ended: nil
// for a FIN.
func (c *Client) Rest() (string, error) {
	b, err := io.ReadAll(c.Reader)
	return string(b), err
}

// Expect reads exactly as many bytes as want has, and compares.
func (c *Client) Expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.Reader, got)
	if string(got[:n]) != want {
		c.t.Errorf("read %q (%v), want %q", got[:n], err, want)
	}
}
