package h1

import (
	"io"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pieces is a body that comes piece by piece, as one that HTTP/2 frames.
type pieces struct {
	l7.Bytes
	length  int64
	left    []string
	trailer l7.Header
}

func (p *pieces) Length() int64       { return p.length }
func (p *pieces) Trailer() *l7.Header { return &p.trailer }
func (p *pieces) Next() ([]byte, error) {
	if len(p.left) == 0 {
		return nil, io.EOF
	}
	next := p.left[0]
	p.left = p.left[1:]
	return []byte(next), nil
}
func (p *pieces) Buffered() ([]byte, error) { return p.Next() }

// fields makes a header of "name: value" lines.
func fields(lines ...string) (h l7.Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(l7.ClassifyName([]byte(name)), []byte(name), []byte(value))
	}
	return h
}

func TestARequestFromHTTP2GoesUpInOneFraming(t *testing.T) {
	for _, tt := range []struct {
		what   string
		method string
		header l7.Header
		whole  string
		body   *pieces
		want   string // behind the request line and host
	}{
		{"nothing to send", "GET", fields("accept: */*"), "", nil, "accept: */*\r\n\r\n"},
		{"an empty POST", "POST", fields("a: b"), "", nil, "a: b\r\ncontent-length: 0\r\n\r\n"},
		{"an empty PUT", "PUT", l7.Header{}, "", nil, "content-length: 0\r\n\r\n"},
		{"an empty GET that says so", "GET", fields("content-length: 0"), "", nil, "content-length: 0\r\n\r\n"},
		{"an empty DELETE", "DELETE", l7.Header{}, "", nil, "\r\n"},
		{"a body without a length, here", "POST", l7.Header{}, "hello", nil, "content-length: 5\r\n\r\nhello"},
		{"a body with its length, here", "POST", fields("content-length: 5", "a: b"), "hello", nil, "a: b\r\ncontent-length: 5\r\n\r\nhello"},
		{"a GET with a body", "GET", l7.Header{}, "hello", nil, "content-length: 5\r\n\r\nhello"},
		{"a body that comes, of known length", "POST", fields("content-length: 6"), "", &pieces{length: 6, left: []string{"abc", "def"}},
			"content-length: 6\r\n\r\nabcdef"},
		{"a body that comes", "POST", l7.Header{}, "", &pieces{length: -1, left: []string{"abc", "de"}},
			"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
		{"trailers, but for those that frame or route", "POST", fields("trailer: sum"), "",
			&pieces{length: -1, left: []string{"abc"}, trailer: fields("sum: 1", "content-length: 7", "transfer-encoding: chunked", "host: evil", "grpc-status: 0")},
			"trailer: sum\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nsum: 1\r\ngrpc-status: 0\r\n\r\n"},
		{"te: trailers", "GET", fields("te: trailers", "a: b"), "", nil, "a: b\r\nte: trailers\r\nconnection: te\r\n\r\n"},
		{"another te", "GET", fields("te: gzip"), "", nil, "\r\n"},
		{"fields that mean an HTTP/1 connection", "GET", fields("connection: close", "keep-alive: 1", "proxy-connection: close", "upgrade: h2c",
			"http2-settings: x", "transfer-encoding: chunked", "host: evil", "expect: 100-continue", "a: b"), "", nil, "a: b\r\n\r\n"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			peer, crew := says(ok+"Content-Length: 0\r\n\r\n"), l7.NewCrew()
			defer crew.Close()
			c := NewClient(sock.New(peer), crew)
			req := &l7.Request{Version: l7.HTTP2, Method: []byte(tt.method), Target: []byte("/x"), Authority: []byte("svc"), Header: tt.header}
			out := &l7.Outgoing{Head: req, Whole: []byte(tt.whole)}
			if tt.body != nil {
				out.Body = tt.body
			}
			if _, err := c.Send(out); err != nil {
				t.Fatal(err)
			}
			ex := &l7.Exchange{Request: *req}
			if err := c.ReadResponse(ex); err != nil {
				t.Fatal(err)
			}
			for whole := false; !whole; _, whole = c.Sent() {
			}
			if reusable, _ := c.Finish(true); !reusable {
				t.Error("the connection cannot take another request")
			}
			if got, want := peer.wrote.String(), tt.method+" /x HTTP/1.1\r\nhost: svc\r\n"+tt.want; got != want {
				t.Errorf("sent %q,\nwant %q", got, want)
			}
		})
	}
}
