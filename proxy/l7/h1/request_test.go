package h1

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/sock"
)

const get = "GET / HTTP/1.1\r\nHost: a\r\n"
const post = "POST / HTTP/1.1\r\nHost: a\r\n"

func TestARequestIsRefused(t *testing.T) {
	field := func(lines ...string) string { return get + strings.Join(lines, "\r\n") + "\r\n\r\n" }
	for _, test := range []struct {
		because string
		raw     string
		status  int
	}{
		// Framing.
		{"it has a length and a transfer coding", field("Content-Length: 4", "Transfer-Encoding: chunked"), 400},
		{"it has a transfer coding and a length", field("Transfer-Encoding: chunked", "Content-Length: 4"), 400},
		{"its length is 0 and it has a transfer coding", field("Content-Length: 0", "Transfer-Encoding: chunked"), 400},
		{"it has two lengths", field("Content-Length: 1", "Content-Length: 2"), 400},
		{"it has the same length twice", field("Content-Length: 1", "Content-Length: 1"), 400},
		{"its length is a list", field("Content-Length: 1, 1"), 400},
		{"its length has a plus", field("Content-Length: +1"), 400},
		{"its length is negative", field("Content-Length: -1"), 400},
		{"its length is empty", field("Content-Length:"), 400},
		{"its length is hexadecimal", field("Content-Length: 0x1"), 400},
		{"its length has a blank inside", field("Content-Length: 1 1"), 400},
		{"its length has a point", field("Content-Length: 1.0"), 400},
		{"its length has an underscore", field("Content-Length: 1_0"), 400},
		{"its length overflows", field("Content-Length: 9223372036854775808"), 400},
		{"its length overflows twice over", field("Content-Length: 18446744073709551617"), 400},
		{"its transfer coding is unknown", field("Transfer-Encoding: gzip"), 501},
		{"its transfer coding is unknown, under chunked", field("Transfer-Encoding: gzip, chunked"), 501},
		{"its transfer coding is identity", field("Transfer-Encoding: identity"), 501},
		{"its transfer coding only looks like chunked", field("Transfer-Encoding: xchunked"), 501},
		{"its transfer coding has a parameter", field("Transfer-Encoding: chunked;q=1"), 501},
		{"its transfer coding is quoted", field(`Transfer-Encoding: "chunked"`), 501},
		{"its transfer coding is empty", field("Transfer-Encoding:"), 400},
		{"chunked stands twice", field("Transfer-Encoding: chunked, chunked"), 400},
		{"chunked stands in two fields", field("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400},
		{"chunked is not the last", field("Transfer-Encoding: chunked, gzip"), 400},
		{"chunked is followed by identity", field("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400},
		{"chunked is followed by a comma", field("Transfer-Encoding: chunked,"), 400},
		{"chunked follows a comma", field("Transfer-Encoding: , chunked"), 400},
		{"a vertical tab stands before chunked", field("Transfer-Encoding: \vchunked"), 400},
		{"HTTP/1.0 has no transfer codings", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},

		// Lines.
		{"a field is folded", field("X: 1", " folded"), 400},
		{"a field is folded by a tab", field("X: 1", "\tfolded"), 400},
		{"the first field is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{"a length is folded", field("Content-Length:", " 5"), 400},
		{"a field line ends in a bare LF", get + "X: 1\nY: 2\r\n\r\n", 400},
		{"the request line ends in a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		{"the head ends in a bare LF", get + "\n", 400},
		{"a bare LF stands before it", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a bare CR stands in a value", field("X: 1\rY: 2"), 400},
		{"a bare CR stands in a name", field("X\rY: 2"), 400},
		{"a bare CR ends a value", field("X: 1\r"), 400},
		{"a bare CR stands in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a NUL stands in a value", field("X: a\x00b"), 400},
		{"a NUL stands in a name", field("X\x00: b"), 400},
		{"a NUL stands in the target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a control character stands in a value", field("X: a\x1bb"), 400},
		{"a DEL stands in a value", field("X: a\x7fb"), 400},
		{"a blank stands before a colon", field("X : 1"), 400},
		{"a tab stands before a colon", field("X\t: 1"), 400},
		{"a blank stands before the colon of a length", field("Content-Length : 4"), 400},
		{"a name is empty", field(": 1"), 400},
		{"a field has no colon", field("X"), 400},
		{"a name has a blank inside", field("X Y: 1"), 400},
		{"a name is not ASCII", field("X\xe9: 1"), 400},
		{"a name has a bracket", field("X(y): 1"), 400},

		// The request line.
		{"there is no version (HTTP/0.9)", "GET /\r\n\r\n", 400},
		{"there is no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"two blanks stand before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"it is another protocol", "INVALID CONNECTION PREFACE\r\n\r\n", 0},
		{"two blanks stand before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a tab stands for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a blank ends the request line", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"a blank begins the request line", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the target has a blank", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the target has a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the method is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the target is a bare name", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the target is * and the method GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the version is 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
		{"the version is 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"the version is 0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
		{"it is the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"the version is in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"the version has a zero more", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
		{"the version has no minor", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
		{"a CR stands before it", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a CR and an empty line stand before it", "\r\r\n\r\n", 400},
		{"it is three bytes between two CRs", "\rA\r\n\r\n", 400},
		{"two empty lines stand before it", "\r\n\r\n" + get + "\r\n", 400},

		// Whom it is for.
		{"there is no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"there are two hosts", field("Host: b"), 400},
		{"there is the same host twice", field("Host: a"), 400},
		{"the host has user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
		{"the host has a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"the host has a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"the host is a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
		{"the host has two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400},
		{"the host's port is no number", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 400},
		{"the host's port is too large", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
		{"the host is a port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
		{"the host's bracket does not close", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
		{"the host's bracket does not open", "GET / HTTP/1.1\r\nHost: ::1]\r\n\r\n", 400},
		{"something stands behind the host's bracket", "GET / HTTP/1.1\r\nHost: [::1]a:80\r\n\r\n", 400},
		{"the absolute target has user information", "GET http://u@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400},
		{"the absolute target has no host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"the absolute target is https", "GET https://b/ HTTP/1.1\r\nHost: b\r\n\r\n", 403},
		{"the absolute target is not HTTP", "GET ftp://b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400},
		{"an absolute target does not excuse two hosts", "GET http://b/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"an absolute target does not excuse a missing host", "GET http://b/ HTTP/1.1\r\n\r\n", 400},
		{"CONNECT has a path", "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT has no port", "CONNECT db HTTP/1.1\r\nHost: db\r\n\r\n", 400},
		{"CONNECT has an empty port", "CONNECT db: HTTP/1.1\r\nHost: db\r\n\r\n", 400},
		{"CONNECT has a body", "CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\nContent-Length: 1\r\n\r\n", 400},
		{"CONNECT is chunked", "CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},

		// Connection.
		{"Connection nominates the host", field("Connection: host"), 400},
		{"Connection nominates the length", field("Connection: close, Content-Length"), 400},
		{"Connection nominates the transfer coding", field("Connection: Transfer-Encoding"), 400},

		// Limits.
		{"it has 101 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", 100) + "\r\n", 431},
		{"its head passes 60 KiB", field("X: " + strings.Repeat("x", 60<<10)), 431},
		{"its target passes 60 KiB", "GET /" + strings.Repeat("x", 60<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
		{"its head passes 60 KiB without end", get + strings.Repeat("X: 1\r\n", 11<<10), 431},
	} {
		h := hear(test.raw)
		if h.status != test.status {
			t.Errorf("%s: %v; want %d for %.80q", test.because, h.err, test.status, test.raw)
		}
		if h.keep {
			t.Errorf("%s: the connection is kept", test.because)
		}
	}
}

func TestARequestGoesUpstreamAs(t *testing.T) {
	for _, test := range []struct{ what, raw, want string }{
		{"it came", get + "X-a: 1\r\nx-B:2\r\nAccept: \t*/* \r\n\r\n", get + "X-a: 1\r\nx-B: 2\r\nAccept: */*\r\n\r\n"},
		{"it came behind one empty line", "\r\n" + get + "\r\n", get + "\r\n"},
		{"it came, with an empty value and one that is not ASCII", get + "X:\r\nY: \xc3\xa9\r\n\r\n", get + "X: \r\nY: \xc3\xa9\r\n\r\n"},
		{"it came, with a method of its own", "purge /x HTTP/1.1\r\nHost: a\r\n\r\n", "purge /x HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"it came, with 100 fields", get + strings.Repeat("X: 1\r\n", 99) + "\r\n", get + strings.Repeat("X: 1\r\n", 99) + "\r\n"},
		{"it came, to a name with a port", "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n"},
		{"it came, to an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"},
		{"it came, to an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
		{"origin form, of an absolute one, whose host wins", "GET HTTP://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x?y HTTP/1.1\r\nHost: b:80\r\n\r\n"},
		{"a slash and the query, of an absolute form with a query alone", "GET http://b?x HTTP/1.1\r\nHost: b\r\n\r\n", "GET /?x HTTP/1.1\r\nHost: b\r\n\r\n"},
		{"a slash, of an absolute form without a path", "GET http://b HTTP/1.1\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n"},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"OPTIONS *, of an absolute form without a path", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"HTTP/1.1, of HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", get + "\r\n"},
		{"HTTP/1.1 with an empty host, of HTTP/1.0 without one", "GET / HTTP/1.0\r\nX: 1\r\n\r\n", "GET / HTTP/1.1\r\nhost: \r\nX: 1\r\n\r\n"},
		{"it came, with a length of 0", post + "Content-Length: 0\r\n\r\n", post + "Content-Length: 0\r\n\r\n"},
		{"it came, with a body", post + "content-length: 5\r\n\r\nhello", post + "content-length: 5\r\n\r\nhello"},
		{"it came, with leading zeros in its length", post + "Content-Length: 005\r\n\r\nhello", post + "Content-Length: 005\r\n\r\nhello"},
		{"chunks of our own", post + "Transfer-Encoding: CHUNKED\r\n\r\n5;a=b\r\nhello\r\n000\r\n\r\n", post + "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"chunks and the trailer that came", post + "Trailer: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n",
			post + "Trailer: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n"},
		{"no trailer that would frame, route or authenticate it",
			post + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\nHost: b\r\nTransfer-Encoding: gzip\r\nProxy-Authorization: x\r\nConnection: close\r\n\r\n",
			post + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"},

		{"no fields of the connection's own", get + "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive\r\nX: 1\r\n\r\n", get + "X: 1\r\n\r\n"},
		{"no fields that Connection names", get + "A: 1\r\nB: 2\r\nConnection: a, , close\r\nConnection: b\r\na: 3\r\n\r\n", get + "\r\n"},
		{"no HTTP/2 upgrade", get + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n", get + "\r\n"},
		{"no HTTP/2 upgrade among others", get + "Upgrade: websocket, H2C\r\nConnection: Upgrade\r\n\r\n", get + "\r\n"},
		{"no HTTP/2 upgrade behind another", get + "Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", get + "\r\n"},
		{"a WebSocket upgrade", get + "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: k\r\n\r\n",
			get + "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nconnection: upgrade\r\n\r\n"},
		{"no upgrade of a request with content, whose bytes would have two readers",
			post + "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nab", post + "Content-Length: 2\r\n\r\nab"},
		{"no upgrade that Connection does not name", get + "Upgrade: websocket\r\n\r\n", get + "\r\n"},
		{"no upgrade, on HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", get + "\r\n"},
		{"TE: trailers, and nothing else of it", get + "TE: gzip, Trailers\r\nConnection: TE\r\n\r\n", get + "TE: trailers\r\nconnection: te\r\n\r\n"},
		{"no TE without trailers", get + "TE: gzip\r\nConnection: TE\r\n\r\n", get + "\r\n"},
		{"no Expect", post + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", post + "Content-Length: 1\r\n\r\nx"},
	} {
		if h := hear(test.raw); h.err != nil || h.bodyErr != nil || h.forwarded != test.want {
			t.Errorf("a request goes upstream as %s:\n  %q\ngave %v, %v,\n  %q\nwant\n  %q", test.what, test.raw, h.err, h.bodyErr, h.forwarded, test.want)
		}
	}
}

func TestAnotherRequestMayFollow(t *testing.T) {
	for _, test := range []struct {
		after string
		raw   string
		want  bool
	}{
		{"HTTP/1.1", get + "\r\n", true},
		{"HTTP/1.1 that asks to close", get + "Connection: x, CLOSE\r\n\r\n", false},
		{"HTTP/1.1 that asks to close as proxies did", get + "Proxy-Connection: close\r\n\r\n", false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", false},
		{"HTTP/1.0 that asks to keep alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"a body that was read", post + "Content-Length: 2\r\n\r\nok", true},
		{"a body that broke off", post + "Content-Length: 3\r\n\r\nok", false},
		{"chunks that broke off", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false},
		{"chunks that are malformed", post + "Transfer-Encoding: chunked\r\n\r\nx\r\n", false},
	} {
		if h := hear(test.raw); h.err != nil || h.keep != test.want {
			t.Errorf("after %s: keep %v, %v; want %v", test.after, h.keep, h.err, test.want)
		}
	}
}

func TestAPeerThatLeavesIsNotARequest(t *testing.T) {
	if h := hear(); h.err != io.EOF {
		t.Errorf("between two requests: %v, want EOF", h.err)
	}
	if h := hear("\r\n"); !errors.Is(h.err, io.ErrUnexpectedEOF) {
		t.Errorf("behind an empty line: %v, want an unexpected EOF", h.err)
	}
	if h := hear("GET / HT"); !errors.Is(h.err, io.ErrUnexpectedEOF) {
		t.Errorf("inside a head: %v, want an unexpected EOF", h.err)
	}
	if h := hear(post + "Content-Length: 2\r\n\r\na"); !errors.Is(h.bodyErr, io.ErrUnexpectedEOF) {
		t.Errorf("inside a body: %v, want an unexpected EOF", h.bodyErr)
	}
}

func TestPipelinedRequestsAreReadOneByOneHoweverTheyCome(t *testing.T) {
	const n = 50
	var all strings.Builder
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", i, strings.Repeat("x", i*40))
		case 1:
			body := strings.Repeat("b", i*100)
			fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
		case 2:
			fmt.Fprintf(&all, "\r\nPOST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nT: x\r\n\r\n", i, i, strings.Repeat("c", i))
		}
	}
	for _, size := range []int{1, 7, 1000, 4096, 20 << 10, 1 << 20} {
		var parts []string
		for rest := all.String(); rest != ""; {
			k := min(size, len(rest))
			parts, rest = append(parts, rest[:k]), rest[k:]
		}
		s := NewServer(sock.New(says(parts...)))
		for i := range n {
			h := hearOn(s)
			if want := fmt.Sprintf("/%d", i); h.err != nil || h.bodyErr != nil || !strings.Contains(h.forwarded, " "+want+" HTTP/1.1") {
				t.Fatalf("in parts of %d bytes, request %d: %v, %v, %.60q", size, i, h.err, h.bodyErr, h.forwarded)
			}
		}
		if err := s.Await(0); err != io.EOF {
			t.Errorf("in parts of %d bytes, after the last request: %v", size, err)
		}
		s.Release()
	}
}
