package h1

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

const ok = "HTTP/1.1 200 OK\r\n"

func TestAResponseIsRefused(t *testing.T) {
	upgrade := get + "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"
	for _, test := range []struct{ because, request, raw string }{
		{"it has a length and a transfer coding", "", ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"it has two lengths", "", ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
		{"its length is a list", "", ok + "Content-Length: 1, 1\r\n\r\nx"},
		{"its length is negative", "", ok + "Content-Length: -1\r\n\r\nx"},
		{"its transfer coding is unknown", "", ok + "Transfer-Encoding: gzip\r\n\r\nx"},
		{"its transfer coding is unknown, under chunked", "", ok + "Transfer-Encoding: gzip, chunked\r\n\r\nx"},
		{"chunked stands twice", "", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"HTTP/1.0 has no transfer codings", "", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"a field is folded", "", ok + "X: 1\r\n 2\r\n\r\n"},
		{"a line ends in a bare LF", "", ok + "X: 1\nY: 2\r\n\r\n"},
		{"the status line ends in a bare LF", "", "HTTP/1.1 200 OK\nX: 1\r\n\r\n"},
		{"a bare CR stands in a value", "", ok + "X: 1\r2\r\n\r\n"},
		{"a NUL stands in a value", "", ok + "X: \x00\r\n\r\n"},
		{"a blank stands before a colon", "", ok + "Content-Length : 1\r\n\r\nx"},
		{"a name is empty", "", ok + ": 1\r\n\r\n"},
		{"a NUL stands in the reason", "", "HTTP/1.1 200 O\x00K\r\n\r\n"},
		{"a bare CR stands in the reason", "", "HTTP/1.1 200 O\rK\r\n\r\n"},
		{"its code has two digits", "", "HTTP/1.1 20 OK\r\n\r\n"},
		{"its code has four digits", "", "HTTP/1.1 2000 OK\r\n\r\n"},
		{"its code is no number", "", "HTTP/1.1 2x0 OK\r\n\r\n"},
		{"its code is below 100", "", "HTTP/1.1 099 OK\r\n\r\n"},
		{"its code is above 599", "", "HTTP/1.1 600 OK\r\n\r\n"},
		{"two blanks stand before its code", "", "HTTP/1.1  200 OK\r\n\r\n"},
		{"its version is 2.0", "", "HTTP/2.0 200 OK\r\n\r\n"},
		{"its version is 1.2", "", "HTTP/1.2 200 OK\r\n\r\n"},
		{"an empty line stands before it", "", "\r\n" + ok + "\r\n"},
		{"it is not HTTP", "", "SSH-2.0-OpenSSH_9.6\r\n\r\n"},
		{"Connection nominates its length", "", ok + "Connection: content-length\r\nContent-Length: 1\r\n\r\nx"},
		{"it has 101 fields", "", ok + strings.Repeat("X: 1\r\n", 101) + "\r\n"},
		{"its head passes 80 KiB", "", ok + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n"},
		{"it is a 101 that was not asked for", "", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"},
		{"it is a 101 to an h2c upgrade, which was not passed on", get + "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
		{"1,001 informational ones come before it", "", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1001) + ok + "\r\n"},
	} {
		if test.request == "" {
			test.request = get + "\r\n"
		}
		if a := ask(test.request, test.raw); statusOf(a.err) == 0 || a.reusable {
			t.Errorf("%s: %v, %q; want it refused", test.because, a.err, a.forwarded)
		}
	}
	if a := ask(upgrade, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"); a.err != nil || !a.upgraded {
		t.Errorf("a 101 that was asked for: %+v", a)
	}
}

func TestAResponseGoesDownstreamAs(t *testing.T) {
	const oldGet = "GET / HTTP/1.0\r\nHost: a\r\n"
	for _, test := range []struct {
		what, request, raw, want string
		reusable, keep           bool
	}{
		{"it came", get, ok + "X-a: 1\r\nDate: now\r\nContent-Length: 2\r\n\r\nhi", ok + "X-a: 1\r\nDate: now\r\nContent-Length: 2\r\n\r\nhi", true, true},
		{"it came, with a reason of its own", get, "HTTP/1.1 200 Fine by me\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 Fine by me\r\nContent-Length: 0\r\n\r\n", true, true},
		{"the standard's reason, if it came without one", get, "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true, true},
		{"an empty reason, if it came with one", get, "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", true, true},
		{"no reason, for a code of nobody's", get, "HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", true, true},
		{"chunks and trailers of our own", get, ok + "Transfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nT: 1\r\n\r\n", ok + "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n", true, true},
		{"chunks, if it ends with its connection", get, ok + "\r\nhi", ok + "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", false, true},
		{"HTTP/1.1, of HTTP/1.0", get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\n\r\nhi", false, true},
		{"HTTP/1.1, of HTTP/1.0 that is kept alive", get, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\n\r\nhi", true, true},
		{"it came, though the upstream closes", get, ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\n\r\nhi", false, true},
		{"it came, though stray bytes follow", get, ok + "Content-Length: 2\r\n\r\nhi" + ok, ok + "Content-Length: 2\r\n\r\nhi", false, true},
		{"it came, to a client that closes", get + "Connection: close\r\n", ok + "Content-Length: 0\r\n\r\n", ok + "Content-Length: 0\r\nconnection: close\r\n\r\n", true, false},
		{"a length, to HTTP/1.0", oldGet, ok + "Content-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\nconnection: close\r\n\r\nhi", true, false},
		{"a length, to HTTP/1.0 that keeps alive", oldGet + "Connection: keep-alive\r\n", ok + "Content-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\nconnection: keep-alive\r\n\r\nhi", true, true},
		{"bytes up to the close, to HTTP/1.0, if it was chunked", oldGet + "Connection: keep-alive\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", ok + "connection: close\r\n\r\nhi", true, false},
		{"its head, to HEAD", strings.Replace(get, "GET", "HEAD", 1), ok + "Content-Length: 1000\r\n\r\n", ok + "Content-Length: 1000\r\n\r\n", true, true},
		{"its head, to HEAD, though chunks were announced", strings.Replace(get, "GET", "HEAD", 1), ok + "Transfer-Encoding: chunked\r\n\r\n", ok + "\r\n", true, true},
		{"its head, of a 304 with a length", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", true, true},
		{"its head without the length, of a 204", get, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", true, true},
		{"its head, of a 204 with bytes behind it, never reused", get, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n\r\n", false, true},
		{"no fields of the connection's own", get, ok + "Keep-Alive: timeout=5\r\nConnection: keep-alive, x\r\nX: 1\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n", ok + "Content-Length: 0\r\n\r\n", true, true},
		{"it came, with the upgrade that a 426 demands", get, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: HTTP/2.0\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 426 Upgrade Required\r\nUpgrade: HTTP/2.0\r\nContent-Length: 0\r\n\r\n", true, true},
		{"a 101, with its upgrade", get + "Upgrade: websocket\r\nConnection: upgrade\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: upgrade\r\n\r\n", false, true},
	} {
		a := ask(test.request+"\r\n", test.raw)
		if a.err != nil || a.bodyErr != nil || a.forwarded != test.want {
			t.Errorf("a response goes downstream as %s:\n  %q\ngave %v, %v,\n  %q\nwant\n  %q", test.what, test.raw, a.err, a.bodyErr, a.forwarded, test.want)
		}
		if a.reusable != test.reusable || a.keep != test.keep {
			t.Errorf("%s: upstream is reusable %v, downstream kept %v; want %v, %v", test.what, a.reusable, a.keep, test.reusable, test.keep)
		}
	}
}

func TestInformationalResponsesArePassedOnButFor100(t *testing.T) {
	a := ask(get+"\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102\r\n\r\n"+ok+"Content-Length: 0\r\n\r\n")
	if a.err != nil || !slices.Equal(a.informed, []int{103, 102}) || !strings.HasPrefix(a.forwarded, ok) {
		t.Errorf("%+v", a)
	}
	if strings.Contains(a.forwarded, "Link") {
		t.Errorf("the final response has a field of an informational one: %q", a.forwarded)
	}
}

func TestAResponseThatBreaksOffIsNotPassedOnAsTheWhole(t *testing.T) {
	for what, raw := range map[string]string{
		"in its length":      ok + "Content-Length: 10\r\n\r\nhello",
		"in a chunk":         ok + "Transfer-Encoding: chunked\r\n\r\na\r\nhello",
		"between two chunks": ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"in the last chunk":  ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		"in its trailer":     ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n",
		"by a bad chunk":     ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n\r\n",
	} {
		a := ask(get+"\r\n", raw)
		if a.bodyErr == nil || a.reusable || strings.HasSuffix(a.forwarded, "0\r\n\r\n") {
			t.Errorf("%s: %v, %q", what, a.bodyErr, a.forwarded)
		}
		if !strings.Contains(a.forwarded, "hello") {
			t.Errorf("%s: what had come was not passed on: %q", what, a.forwarded)
		}
	}
	for _, raw := range []string{"", "HTTP/1.1 200 OK\r\nContent-"} {
		if a := ask(get+"\r\n", raw); !errors.Is(a.err, io.EOF) && !errors.Is(a.err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", raw, a.err)
		}
	}
}
