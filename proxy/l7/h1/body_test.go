package h1

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// dechunk reads a chunked body.
func dechunk(parts ...string) (data string, trailer *l7.Header, left string, err error) {
	r := &receiver{conn: sock.New(says(parts...))}
	r.cur = &r.head
	b := &body{}
	b.begin(r, frameChunked, -1)
	var all []byte
	for {
		p, err := b.Next()
		if all = append(all, p...); err != nil {
			left := string(r.buffered())
			r.release()
			return string(all), b.Trailer(), left, err
		}
	}
}

func TestChunksAreRefused(t *testing.T) {
	for _, test := range []struct{ because, raw string }{
		{"a size has a prefix", "0x1\r\na\r\n0\r\n\r\n"},
		{"a size begins with a blank", " 5\r\nhello\r\n0\r\n\r\n"},
		{"a size ends with a blank", "5 \r\nhello\r\n0\r\n\r\n"},
		{"a size ends with a tab", "5\t\r\nhello\r\n0\r\n\r\n"},
		{"a size has a sign", "+5\r\nhello\r\n0\r\n\r\n"},
		{"a size is negative", "-5\r\nhello\r\n0\r\n\r\n"},
		{"a size is empty", "\r\nhello\r\n0\r\n\r\n"},
		{"a size is no number", "g\r\n"},
		{"a size has an underscore", "1_0\r\n"},
		{"a size has 17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"},
		{"a size has 16 digits", "ffffffffffffffff\r\n"},
		{"a size ends in a bare LF", "5\nhello\r\n0\r\n\r\n"},
		{"a size ends in a bare CR", "5\rhello\r\n0\r\n\r\n"},
		{"a chunk is longer than its size", "4\r\nhello\r\n0\r\n\r\n"},
		{"a chunk ends in a bare LF", "5\r\nhello\n0\r\n\r\n"},
		{"a chunk ends in a bare CR", "5\r\nhello\r0\r\n\r\n"},
		{"a chunk does not end", "5\r\nhello0\r\n\r\n"},
		{"an extension has a bare CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"},
		{"an extension ends in a bare LF", "5;a\nhello\r\n0\r\n\r\n"},
		{"an extension has a NUL", "5;a\x00\r\nhello\r\n0\r\n\r\n"},
		{"an extension has no semicolon", "5 a\r\nhello\r\n0\r\n\r\n"},
		{"an extension passes 4 KiB", "5;" + strings.Repeat("a", 4<<10) + "\r\nhello\r\n0\r\n\r\n"},
		{"extensions pass 16 KiB in all", strings.Repeat("1;"+strings.Repeat("a", 1<<10)+"\r\nx\r\n", 20)},
		{"a trailer is folded", "0\r\nX: 1\r\n 2\r\n\r\n"},
		{"a trailer has a blank before its colon", "0\r\nX : 1\r\n\r\n"},
		{"a trailer has no name", "0\r\n: 1\r\n\r\n"},
		{"a trailer ends in a bare LF", "0\r\nX: 1\n\r\n"},
		{"the trailers end in a bare LF", "0\r\nX: 1\r\n\n"},
		{"the body ends in a bare LF", "0\r\n\n"},
		{"the last chunk is followed by another", "0\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"there are 101 trailers", "0\r\n" + strings.Repeat("X: 1\r\n", 101) + "\r\n"},
		{"the trailers pass 60 KiB", "0\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 65) + "\r\n"},
		{"a trailer passes 60 KiB without end", "0\r\nX: " + strings.Repeat("x", 70<<10)},
	} {
		if data, _, _, err := dechunk(test.raw); statusOf(err) == 0 || strings.Contains(data, "0\r\n") {
			t.Errorf("%s: %q, %v; want it refused", test.because, data, err)
		}
	}
}

func TestChunksAreRead(t *testing.T) {
	for _, test := range []struct{ what, raw, data, trailer, left string }{
		{"none", "0\r\n\r\n", "", "", ""},
		{"one", "5\r\nhello\r\n0\r\n\r\n", "hello", "", ""},
		{"sizes in both cases", "A\r\n0123456789\r\nb\r\n01234567890\r\n0\r\n\r\n", "012345678901234567890", "", ""},
		{"leading zeros", "005\r\nhello\r\n000\r\n\r\n", "hello", "", ""},
		{"extensions", "5;a;b=c;d=\"e f\"\r\nhello\r\n0;last\r\n\r\n", "hello", "", ""},
		{"blanks before an extension", "5 \t;a\r\nhello\r\n0\r\n\r\n", "hello", "", ""},
		{"trailers", "1\r\nx\r\n0\r\nGrpc-Status: 0\r\nx-Sum:  1 \r\n\r\n", "x", "Grpc-Status: 0\r\nx-Sum: 1\r\n", ""},
		{"100 trailers", "0\r\n" + strings.Repeat("X: 1\r\n", 100) + "\r\n", "", strings.Repeat("X: 1\r\n", 100), ""},
		{"trailers larger than a buffer", "0\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 55) + "\r\n", "",
			strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 55), ""},
		{"what follows is left alone", "1\r\nx\r\n0\r\n\r\nGET /", "x", "", "GET /"},
		{"data that looks like chunks", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", "", ""},
	} {
		whole := []string{test.raw}
		for _, parts := range [][]string{whole, strings.Split(test.raw, "")} {
			data, trailer, left, err := dechunk(parts...)
			if err != io.EOF || data != test.data || string(appendFields(nil, trailer)) != test.trailer {
				t.Errorf("%s in %d parts: %q, %q, %v", test.what, len(parts), data, appendFields(nil, trailer), err)
			}
			if len(parts) == 1 && left != test.left {
				t.Errorf("%s: left %q, want %q", test.what, left, test.left)
			}
		}
	}
}

func TestABodyOfEachSizeComesWhole(t *testing.T) {
	for _, size := range []int{0, 1, 4096, 4097, 16 << 10, 20 << 10, 20<<10 + 1, 1 << 20} {
		data := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		h := hear(post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, data) + "GET / HTTP/1.1\r\n")
		if _, body, _ := strings.Cut(h.forwarded, "\r\n\r\n"); body != data || h.bodyErr != nil || !h.keep {
			t.Errorf("%d bytes: %d came, %v", size, len(body), h.bodyErr)
		}
		h = hear(post + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", max(size, 1), (data + "x")[:max(size, 1)]))
		_, body, _ := strings.Cut(h.forwarded, "\r\n\r\n")
		if got, _, _, err := dechunk(body); got != (data + "x")[:max(size, 1)] || err != io.EOF || h.bodyErr != nil {
			t.Errorf("%d bytes chunked: %d came, %v", size, len(got), h.bodyErr)
		}
	}
}

func TestALengthIsReadFromTheFirstBytesOnly(t *testing.T) {
	s := NewServer(sock.New(says(post + "Content-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\nHost: a\r\n\r\n")))
	first, second := hearOn(s), hearOn(s)
	if !strings.HasSuffix(first.forwarded, "abc") || !strings.HasPrefix(second.forwarded, "GET /next ") {
		t.Errorf("%q, then %q", first.forwarded, second.forwarded)
	}
	s.Release()
}

func TestAWholeBodyIsGivenOnlyIfItIsHere(t *testing.T) {
	for _, test := range []struct {
		what  string
		parts []string
		want  string
		ok    bool
	}{
		{"no body", []string{get + "\r\n"}, "", true},
		{"a body in the same read", []string{post + "Content-Length: 3\r\n\r\nabcGET"}, "abc", true},
		{"a body that has come in part", []string{post + "Content-Length: 3\r\n\r\nab", "c"}, "", false},
		{"a body that has not come", []string{post + "Content-Length: 3\r\n\r\n", "abc"}, "", false},
		{"a chunked body", []string{post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, "", false},
	} {
		s, ex := NewServer(sock.New(says(test.parts...))), &l7.Exchange{}
		s.Await(0)
		if err := s.ReadRequest(ex); err != nil {
			t.Fatal(err)
		}
		if p, ok := l7.Whole(ex.Request.Body); string(p) != test.want || ok != test.ok {
			t.Errorf("%s: %q, %v", test.what, p, ok)
		}
		s.Release()
	}
}
