package sniff

import "bytes"

// Protocol is what a connection's first bytes look like.
type Protocol uint8

// The protocols that are told apart.
const (
	Opaque Protocol = iota // anything else
	HTTP1
	HTTP2
	TLS
	ServerFirst // the server greets: a Witness says so, never Detect
)

// String is the protocol as log lines name it.
func (p Protocol) String() string {
	return [...]string{"unknown", "http1", "http2", "tls", "server-first"}[p]
}

// MostBytes is how many bytes Detect ever asks for.
const MostBytes = 64

// maxMethod is how long a method may be. The longest that is registered with
// IANA has 17 bytes (UPDATEREDIRECTREF).
const maxMethod = 32

// Detect says what protocol begins with prefix. more says that it takes more
// bytes to tell; the protocol is then what to assume if no more come. It asks
// for MostBytes at most.
//
//   - HTTP/2 is its whole connection preface (RFC 9113 3.4, prior knowledge).
//   - HTTP/1 is a method and a blank. Since memcached, SMTP or SSH also begin
//     with a word and a blank, a method that is not one of RFC 9110's own must be
//     followed by the beginning of a request target: "/", "*" or "http". One
//     empty line before it is passed over (RFC 9112 2.2).
//   - TLS is a handshake record of SSL 3.0 or later, as every ClientHello is.
func Detect(prefix []byte) (p Protocol, more bool) {
	if len(prefix) == 0 {
		return Opaque, true
	}
	if prefix[0] == recordHandshake {
		return detectTLS(prefix)
	}
	switch match := begins(prefix, preface); {
	case match == whole:
		return HTTP2, false
	case match == partly:
		return Opaque, true
	}
	return detectRequestLine(prefix)
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func detectTLS(b []byte) (Protocol, bool) {
	switch {
	case len(b) < 2:
		return Opaque, true
	case b[1] == versionMajor:
		return TLS, false
	}
	return Opaque, false
}

func detectRequestLine(b []byte) (Protocol, bool) {
	switch begins(b, "\r\n") {
	case whole:
		b = b[2:]
	case partly:
		return Opaque, true
	}
	blank := bytes.IndexByte(b[:min(len(b), maxMethod+1)], ' ')
	if blank < 0 {
		return Opaque, len(b) <= maxMethod && isToken(b)
	}
	if blank == 0 || !isToken(b[:blank]) {
		return Opaque, false
	}
	if standard(b[:blank]) {
		return HTTP1, false
	}
	return detectTarget(b[blank+1:])
}

// standard tells the methods of RFC 9110 9 and PATCH (RFC 5789).
func standard(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return false
}

// detectTarget looks at the beginning of what may be a request target, in
// origin, asterisk or absolute form (RFC 9112 3.2).
func detectTarget(b []byte) (Protocol, bool) {
	if len(b) == 0 {
		return Opaque, true
	}
	if b[0] == '/' || b[0] == '*' {
		return HTTP1, false
	}
	switch begins(bytes.ToLower(b[:min(len(b), len("http"))]), "http") {
	case whole:
		return HTTP1, false
	case partly:
		return Opaque, true
	}
	return Opaque, false
}

// isToken tells whether b holds nothing but RFC 9110's tchar.
func isToken(b []byte) bool {
	for _, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && bytes.IndexByte(symbols, c) < 0 {
			return false
		}
	}
	return true
}

var symbols = []byte("!#$%&'*+-.^_`|~")

// beginning is how far bytes agree with a text.
type beginning uint8

const (
	not beginning = iota
	partly
	whole
)

func begins(b []byte, text string) beginning {
	switch n := min(len(b), len(text)); {
	case string(b[:n]) != text[:n]:
		return not
	case n < len(text):
		return partly
	}
	return whole
}
