package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAnAnswerEndsWhereItsFramingSays(t *testing.T) {
	for _, c := range []struct {
		name, text  string
		head        bool
		status      int
		rest        string
		done, close bool
	}{
		{name: "counted", text: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP", status: 200, rest: "HTTP", done: true},
		{name: "counted, cut short", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", status: 200},
		{name: "empty", text: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", status: 503, done: true},
		{name: "no reason phrase", text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200, done: true},
		{name: "HEAD has no body", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head: true, status: 200, done: true},
		{name: "204 has no body", text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, done: true},
		{name: "304 has no body", text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", status: 304, done: true},
		{name: "chunks", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nnext", status: 200, rest: "next", done: true},
		{name: "chunks and a trailer", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n", status: 200, done: true},
		{name: "interim answers are passed over", text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", status: 200, done: true},
		{name: "until the peer closes", text: "HTTP/1.1 200 OK\r\n\r\nsome", status: 200, close: true},
		{name: "told to close", text: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status: 200, done: true, close: true},
		{name: "HTTP/1.0 closes", text: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, done: true, close: true},
		{name: "HTTP/1.0 may keep alive", text: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", status: 200, done: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Response
			r.Reset(c.head)
			rest, done, err := r.Feed([]byte(c.text))
			if err != nil || done != c.done || string(rest) != c.rest || r.Status != c.status || r.Closes != c.close {
				t.Fatalf("got rest %q, done %v, status %d, closes %v, error %v", rest, done, r.Status, r.Closes, err)
			}
			if r.End() != (c.close && !c.done) {
				t.Errorf("End() = %v", r.End())
			}
		})
	}
}

func TestAnAnswerThatCannotBeFramedIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"nonsense\r\n\r\n":                                                                               ErrStartLine,
		"HTTP/2.0 200 OK\r\n\r\n":                                                                        ErrStartLine,
		"HTTP/1.1 2x0 OK\r\n\r\n":                                                                        ErrStartLine,
		"HTTP/1.1 099 Odd\r\n\r\n":                                                                       ErrStartLine,
		"HTTP/1.1 2000 Long\r\n\r\n":                                                                     ErrStartLine,
		"HTTP/1.1 101 Switching Protocols\r\n\r\n":                                                       ErrUpgrade,
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n":                                                  ErrLength,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n":                              ErrLength,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n":                     ErrLength,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n":                                             ErrLength,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n":                                     ErrChunk,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab":                                   ErrChunk,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1234567890123456\r\n":                      ErrChunk,
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", MaxHead) + "\r\n\r\n":                             ErrHeadTooLong,
		strings.Repeat("y", MaxHead+1):                                                                   ErrHeadTooLong,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + strings.Repeat("x", MaxHead+1): ErrHeadTooLong,
	} {
		var r Response
		if _, done, err := r.Feed([]byte(text)); !errors.Is(err, want) || done {
			t.Errorf("%.60q: error %v, want %v", text, err, want)
		}
	}
}

func TestSkippedBytesCountAsFed(t *testing.T) {
	var r Response
	if _, done, err := r.Feed([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")); done || err != nil {
		t.Fatal(done, err)
	}
	if r.Owed() != 100000 || r.Skip(60000) || r.Owed() != 40000 || !r.Skip(40000) {
		t.Errorf("owed %d", r.Owed())
	}
	r.Reset(false)
	if _, _, err := r.Feed([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n")); err != nil || r.Owed() != 16 || r.Skip(16) {
		t.Fatal("a chunk's end is not the answer's")
	}
	if _, done, err := r.Feed([]byte("\r\n0\r\n\r\n")); !done || err != nil {
		t.Error(done, err)
	}
}

func TestARequestIsReadWithItsBody(t *testing.T) {
	var r Request
	rest, done, err := r.Feed([]byte("POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /"))
	if err != nil || !done || string(rest) != "GET /" || string(r.Method) != "POST" || string(r.Target) != "/a?b" || r.Closes {
		t.Fatalf("rest %q, done %v, %+v, %v", rest, done, r, err)
	}
	r.Reset()
	if _, done, err = r.Feed([]byte("GET / HTTP/1.0\r\n\r\n")); !done || err != nil || !r.Closes {
		t.Fatalf("HTTP/1.0: done %v, %+v, %v", done, r, err)
	}
	for _, text := range []string{"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / FTP/1.1\r\n\r\n", "GET  HTTP/1.1\r\n\r\n"} {
		r.Reset()
		if _, _, err := r.Feed([]byte(text)); !errors.Is(err, ErrStartLine) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzResponse: however the bytes are cut, the answer ends at the same place; and what is accepted, net/http frames alike.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 3)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n"), 1)
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"), 7)
	f.Add([]byte("HTTP/1.0 200 OK\r\n\r\nuntil the end"), 20)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		var whole, pieces Response
		rest, done, err := whole.Feed(text)
		restLater, doneLater, errLater := feedPieces(&pieces, text, step)
		if done != doneLater || (err == nil) != (errLater == nil) || (err == nil && len(rest) != restLater) {
			t.Fatalf("whole: rest %d, %v, %v; in pieces: rest %d, %v, %v", len(rest), done, err, restLater, doneLater, errLater)
		}
		if done && whole.Bytes != int64(len(text)-len(rest)) {
			t.Fatalf("%d bytes counted, %d taken", whole.Bytes, len(text)-len(rest))
		}
		if done {
			agree(t, text, len(rest), whole.Status)
		}
	})
}

func feedPieces(r *Response, text []byte, step int) (rest int, done bool, err error) {
	step = 1 + (step&0xff)%16
	for at := 0; at < len(text); at += step {
		end := min(at+step, len(text))
		left, done, err := r.Feed(bytes.Clone(text[at:end]))
		if err != nil || done {
			return len(left) + len(text) - end, done, err
		}
	}
	return 0, false, nil
}

func agree(t *testing.T, text []byte, rest, status int) {
	if bytes.Count(text, []byte("\n")) != bytes.Count(text, []byte("\r\n")) {
		return // net/http also ends a head at bare LFs; our peers do not send them
	}
	reader := bufio.NewReader(bytes.NewReader(text))
	for {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return // stricter than we need to be
		}
		if response.StatusCode < 200 {
			continue
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return
		}
		if response.StatusCode != status {
			t.Fatalf("status %d, net/http says %d", status, response.StatusCode)
		}
		if left := reader.Buffered(); left != rest && response.ContentLength >= 0 && len(text) < 4096 {
			t.Fatalf("%d bytes left, net/http leaves %d", rest, left)
		}
		return
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 3)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 5)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		step = 1 + (step&0xff)%16
		var whole, pieces Request
		rest, done, err := whole.Feed(text)
		for at := 0; at < len(text); at += step {
			end := min(at+step, len(text))
			left, doneLater, errLater := pieces.Feed(bytes.Clone(text[at:end]))
			if doneLater || errLater != nil {
				if doneLater != done || (errLater == nil) != (err == nil) || (done && len(left)+len(text)-end != len(rest)) {
					t.Fatalf("whole: rest %d, %v, %v; in pieces: rest %d, %v, %v", len(rest), done, err, len(left)+len(text)-end, doneLater, errLater)
				}
				return
			}
		}
		if done || err != nil {
			t.Fatalf("whole: %v, %v; in pieces: not done", done, err)
		}
	})
}
