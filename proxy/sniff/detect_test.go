package sniff

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDetect(t *testing.T) {
	const more = true
	for _, test := range []struct {
		what, prefix string
		want         Protocol
		more         bool
	}{
		{"nothing yet", "", Opaque, more},
		{"a GET", "GET / HTTP/1.1\r\n", HTTP1, !more},
		{"a method of the standard, as soon as its blank is there", "DELETE ", HTTP1, !more},
		{"a method without its blank", "DELETE", Opaque, more},
		{"a method of somebody's own with a path", "PURGE /x", HTTP1, !more},
		{"a method of somebody's own alone", "PURGE ", Opaque, more},
		{"a method of somebody's own with an absolute target", "PROPFIND HTTP://dav/", HTTP1, !more},
		{"a method of somebody's own with the beginning of one", "PROPFIND ht", Opaque, more},
		{"OPTIONS for the server", "OPTIONS * HTTP/1.1", HTTP1, !more},
		{"CONNECT", "CONNECT db:5432 HTTP/1.1", HTTP1, !more},
		{"a request behind one empty line", "\r\nGET / HTTP/1.1", HTTP1, !more},
		{"half an empty line", "\r", Opaque, more},
		{"two empty lines", "\r\n\r\nGET /", Opaque, !more},
		{"the HTTP/2 preface", preface, HTTP2, !more},
		{"the HTTP/2 preface and a frame", preface + "\x00\x00\x00", HTTP2, !more},
		{"most of the HTTP/2 preface", preface[:23], Opaque, more},
		{"one byte of the HTTP/2 preface", "P", Opaque, more},
		{"a request that begins as the preface does", "PRI * HTTP/2.0\r\n\r\nXX", HTTP1, !more},
		{"a TLS handshake", "\x16\x03\x01", TLS, !more},
		{"one byte of a TLS handshake", "\x16", Opaque, more},
		{"a TLS alert", "\x15\x03\x01", Opaque, !more},
		{"SSL 2", "\x80\x2e\x01\x00\x02", Opaque, !more},
		{"SSH", "SSH-2.0-OpenSSH_9.6p1 Debian-4\r\n", Opaque, !more},
		{"memcached", "get key\r\n", Opaque, !more},
		{"mail", "EHLO mail.example\r\n", Opaque, !more},
		{"Redis", "*1\r\n$4\r\nPING\r\n", Opaque, !more},
		{"PostgreSQL", "\x00\x00\x00\x08\x04\xd2\x16\x2f", Opaque, !more},
		{"a blank first", " GET / HTTP/1.1", Opaque, !more},
		{"a method that is no token", "GE\x00T / HTTP/1.1", Opaque, !more},
		{"a word that does not end", strings.Repeat("A", 32), Opaque, more},
		{"a word that is too long", strings.Repeat("A", 33), Opaque, !more},
		{"a method of the greatest length", strings.Repeat("A", 32) + " /", HTTP1, !more},
	} {
		if p, more := Detect([]byte(test.prefix)); p != test.want || more != test.more {
			t.Errorf("%s: Detect(%q) = %v, %v; want %v, %v", test.what, test.prefix, p, more, test.want, test.more)
		}
	}
}

// FuzzDetect holds Detect to what it promises: more bytes never change an
// answer, and it never asks for more than MostBytes.
func FuzzDetect(f *testing.F) {
	for _, s := range []string{preface, "\r\nPURGE /x HTTP/1.1\r\n", "\x16\x03\x01\x00\xa5", "SSH-2.0-x y", strings.Repeat("A", 70)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		final, decided := Opaque, false
		for n := range len(b) + 1 {
			p, more := Detect(b[:n])
			switch {
			case decided && (more || p != final):
				t.Fatalf("Detect(%q) = %v, %v after %v was certain", b[:n], p, more, final)
			case more && n >= MostBytes:
				t.Fatalf("Detect(%q) asks for more than %d bytes", b[:n], MostBytes)
			case !more:
				final, decided = p, true
			}
		}
	})
}
