package route

import (
	"bytes"
	"slices"
)

// NormalizePath gives a target its one canonical spelling, so that routes,
// policies and the app all see the same path (App Mesh 2.6: normalize_path,
// merge_slashes, escaped slashes KEEP_UNCHANGED). The query is left as it is.
//
// out is target itself when nothing changes, which is the usual case and costs
// one pass over it; otherwise it is written over dst[:0], growing it as append
// does, to at most three times the target's length. ok is false for what Envoy
// answers with 400: a "#" anywhere, or a NUL in the path, raw or as "%00". A target that does
// not begin with "/" (CONNECT, "OPTIONS *") has no path and stays as it is.
//
// In this order: "\" becomes "/"; segments "." and ".." are taken out, the
// latter with the segment before it, even an empty one, but never past the
// root; runs of "/" become one. "%2F" and "%5C" stay, in the case they have.
//
// The references leave open which escapes are decoded. Decided, after the URL
// canonicalizer inside the Envoys that App Mesh shipped (Chromium's of its
// time; later ones decode only dots):
//
//   - decoded are the unreserved characters of RFC 3986 section 2.3: letters,
//     digits, "-", ".", "_", "~"; a "%2e" is a dot also in a dot segment;
//   - every other escape stays byte for byte; one that is malformed stays too,
//     and nothing is decoded that would complete it ("%%341" is not "%41");
//   - bytes that no path may hold are escaped: controls, space, non-ASCII and
//     "<>^`{|}. Non-ASCII is escaped byte by byte, whether it is UTF-8 or not
//     (Chromium would replace what is not; we do not destroy what the app sent).
func NormalizePath(dst, target []byte) (out []byte, ok bool) {
	if len(target) == 0 || target[0] != '/' {
		return target, bytes.IndexByte(target, '#') < 0
	}
	end := canonicalUntil(target)
	if end == len(target) {
		return target, true
	}
	if target[end] == '?' {
		return target, bytes.IndexByte(target[end:], '#') < 0
	}
	return normalize(dst[:0], target)
}

// canonicalUntil is the length of target, the place of its first "?" when the
// path before that is canonical, or else some place not after the first byte
// that is not: a cheap test, sure of itself only when it says yes.
func canonicalUntil(target []byte) int {
	for i, c := range target {
		class := classes[c]
		if class == plain {
			continue
		}
		switch class {
		case slash:
			if i+1 == len(target) {
				return len(target)
			}
			switch target[i+1] {
			case '/':
				return i
			case '.', '%':
				if kind, _ := dotSegment(target[i+1:]); kind != noDots {
					return i
				}
			}
		case escape:
			if v, ok := unescape(target[i:]); ok && (v == 0 || unreserved(v)) {
				return i
			}
		default:
			return i
		}
	}
	return len(target)
}

// normalize does the work, out of line of the usual case.
func normalize(dst, target []byte) (out []byte, ok bool) {
	if bytes.IndexByte(target, '#') >= 0 {
		return nil, false
	}
	path, query := target, []byte(nil)
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		path, query = target[:i], target[i:]
	}
	w := writer{out: dst, loose: -3}
	for i := 0; i < len(path); {
		n := w.step(path[i:])
		if n == 0 {
			return nil, false
		}
		i += n
	}
	out = append(mergeSlashes(w.out), query...)
	if bytes.Equal(out, target) {
		return target, true
	}
	return out, true
}

// writer is a path that is being written; it always begins with "/".
type writer struct {
	out []byte
	// loose is where the last "%" stands that begins no escape.
	loose int
}

// step takes the next piece of the path and tells how long it was: a byte, an
// escape, or a slash with the dot segments that follow it. 0 is a refusal.
func (w *writer) step(rest []byte) int {
	switch c := rest[0]; classes[c] {
	case plain:
		w.out = append(w.out, c)
		return 1
	case slash, backslash:
		w.out = append(w.out, '/')
		return 1 + w.dots(rest[1:])
	case escape:
		return w.escaped(rest)
	default:
		if c == 0 {
			return 0
		}
		w.out = append(w.out, '%', hex[c>>4], hex[c&15])
		return 1
	}
}

const hex = "0123456789ABCDEF"

// dots applies the dot segments at the beginning of rest; what was written
// ends in "/", before and after.
func (w *writer) dots(rest []byte) int {
	skipped := 0
	for {
		kind, n := dotSegment(rest[skipped:])
		if kind == noDots {
			return skipped
		}
		if kind == parentSegment && len(w.out) > 1 {
			w.out = w.out[:bytes.LastIndexByte(w.out[:len(w.out)-1], '/')+1]
			w.loose = min(w.loose, len(w.out)-3)
		}
		skipped += n
	}
}

func (w *writer) escaped(rest []byte) int {
	v, ok := unescape(rest)
	switch {
	case !ok:
		w.loose = len(w.out)
		w.out = append(w.out, '%')
		return 1
	case v == 0:
		return 0
	case unreserved(v) && !(isHex(v) && len(w.out)-w.loose <= 2):
		w.out = append(w.out, v)
	default:
		w.out = append(w.out, rest[:3]...)
	}
	return 3
}

// mergeSlashes makes runs of "/" one, in place (Envoy: merge_slashes, after
// dot segments, so that an empty segment can be taken out by "..").
func mergeSlashes(path []byte) []byte {
	return slices.CompactFunc(path, func(a, b byte) bool { return a == '/' && b == '/' })
}

type segmentKind uint8

const (
	noDots segmentKind = iota
	currentSegment
	parentSegment
)

// dotSegment tells whether path begins with a segment "." or "..", spelled in
// any way, and how long it is, with the slash that ends it.
func dotSegment(path []byte) (kind segmentKind, n int) {
	dots := 0
	for ; n < len(path) && dots <= 2; dots++ {
		switch {
		case path[n] == '.':
			n++
		case len(path)-n >= 3 && path[n] == '%' && path[n+1] == '2' && path[n+2]|0x20 == 'e':
			n += 3
		case path[n] == '?' && dots > 0:
			return segmentKind(dots), n
		case (path[n] == '/' || path[n] == '\\') && dots > 0:
			return segmentKind(dots), n + 1
		default:
			return noDots, 0
		}
	}
	if dots == 0 || dots > 2 {
		return noDots, 0
	}
	return segmentKind(dots), n
}

// unescape reads the escape that b begins with.
func unescape(b []byte) (v byte, ok bool) {
	if len(b) < 3 || !isHex(b[1]) || !isHex(b[2]) {
		return 0, false
	}
	return nibble(b[1])<<4 | nibble(b[2]), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&7 + 9
}

// unreserved is RFC 3986 section 2.3.
func unreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// class says what a byte of a path needs.
type class uint8

const (
	plain class = iota // stays
	slash
	backslash
	escape  // "%"
	illegal // is escaped; "?" and "#" never get that far
)

var classes = func() (t [256]class) {
	for c := range t {
		if c <= ' ' || c >= 0x7f {
			t[c] = illegal
		}
	}
	for _, c := range []byte("\"#<>?^`{|}") {
		t[c] = illegal
	}
	t['/'], t['\\'], t['%'] = slash, backslash, escape
	return t
}()
