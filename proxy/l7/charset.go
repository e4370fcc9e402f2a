package l7

import (
	"bytes"
	"encoding/binary"
)

// class says what a byte may be part of.
type class uint8

const (
	tokenByte  class = 1 << iota // RFC 9110 tchar
	lowerByte                    // tchar, but for capitals: a field name in HTTP/2
	targetByte                   // anything visible but a fragment, and bytes above 0x7f, as in Envoy
	hostByte                     // RFC 3986 reg-name, IP literals and a port
)

// classes is built by the compiler from a function, so that there is no init.
var classes = buildClasses()

func buildClasses() (t [256]class) {
	for c := range 256 {
		b := byte(c)
		capital := 'A' <= b && b <= 'Z'
		alnum := '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || capital
		if alnum || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0 {
			t[c] |= tokenByte
			if !capital {
				t[c] |= lowerByte
			}
		}
		if b > 0x20 && b != 0x7f && b != '#' {
			t[c] |= targetByte
		}
		if alnum || bytes.IndexByte([]byte("-._~!$&'()*+,;=%:[]"), b) >= 0 {
			t[c] |= hostByte
		}
	}
	return t
}

// all tells whether every byte of b is of the class.
func all(b []byte, want class) bool {
	for _, c := range b {
		if classes[c]&want == 0 {
			return false
		}
	}
	return true
}

// IsToken tells that b holds nothing but RFC 9110's tchar: methods, field names.
func IsToken(b []byte) bool { return len(b) > 0 && all(b, tokenByte) }

// IsLowerToken is IsToken without capitals, as HTTP/2 wants field names (RFC
// 9113 8.2.1).
func IsLowerToken(b []byte) bool { return len(b) > 0 && all(b, lowerByte) }

// IsTarget tells what may stand as path and query.
func IsTarget(b []byte) bool { return len(b) > 0 && all(b, targetByte) }

// IsHost takes what RFC 3986 allows as host and port, without user information;
// empty is allowed (RFC 9110 7.2).
func IsHost(b []byte) bool {
	if !all(b, hostByte) {
		return false
	}
	colon := bytes.LastIndexByte(b, ':')
	bracket := bytes.LastIndexByte(b, ']')
	switch {
	case bracket >= 0:
		if b[0] != '[' || bytes.Count(b, openBracket) != 1 || bytes.IndexByte(b, ']') != bracket {
			return false
		}
		if colon < bracket {
			return bracket == len(b)-1
		}
		if colon != bracket+1 {
			return false
		}
	case bytes.IndexByte(b, '[') >= 0:
		return false
	case bytes.IndexByte(b, ':') != colon:
		return false
	}
	if colon < 0 {
		return true
	}
	if colon == 0 {
		return false
	}
	port, ok := ParseLength(b[colon+1:])
	return len(b) == colon+1 || ok && port <= 65535
}

var openBracket = []byte("[")

// ParseLength reads 1*DIGIT that fits in an int64 (RFC 9110 8.6).
func ParseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// IsFieldValue tells that b holds no control character but HTAB: no NUL, CR,
// LF, DEL. Eight bytes at a time; a word that may hold one is looked at byte by
// byte.
func IsFieldValue(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f7f7f7f7f7f7f7f
		if ((w-ones*0x20)&^w|(del-ones)&^del)&highs != 0 && !cleanBytes(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return cleanBytes(b)
}

func cleanBytes(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
