package h1

import "encoding/binary"

// class says what a byte may be part of.
type class uint8

const (
	tokenByte  class = 1 << iota // RFC 9110 tchar
	targetByte                   // anything visible but a fragment, and bytes above 0x7f, as in Envoy
	hostByte                     // RFC 3986 reg-name, IP literals and a port
)

// classes is built by the compiler from a function, so that there is no init.
var classes = buildClasses()

func buildClasses() (t [256]class) {
	for c := range 256 {
		b := byte(c)
		alnum := '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
		if alnum || contains("!#$%&'*+-.^_`|~", b) {
			t[c] |= tokenByte
		}
		if b > 0x20 && b != 0x7f && b != '#' {
			t[c] |= targetByte
		}
		if alnum || contains("-._~!$&'()*+,;=%:[]", b) {
			t[c] |= hostByte
		}
	}
	return t
}

func contains(s string, b byte) bool {
	for i := range len(s) {
		if s[i] == b {
			return true
		}
	}
	return false
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

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// clean tells that b holds no control character but HTAB: no NUL, CR, LF, DEL.
// Eight bytes at a time; a word that may hold one is looked at byte by byte.
func clean(b []byte) bool {
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
