package appmesh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Bounds on one source. A mesh of 2,000 nodes with their routes is about
// 3 MiB and 200,000 values, as a Terraform state with all its zeros and blanks
// eight times that.
const (
	maxSourceBytes = 32 << 20
	maxValues      = 1 << 20
	maxDepth       = 100
)

// A syntaxError says where a source stops being readable.
type syntaxError struct {
	at  mesh.Position
	msg string
}

func (e *syntaxError) Error() string { return e.at.String() + ": " + e.msg }

// readJSON reads one JSON value after another (RFC 8259, strict) until the end
// of data. Values read before an error are returned with it. A position is
// kept for every value, which encoding/json cannot do.
func readJSON(file string, data []byte) ([]*value, error) {
	r := &jsonReader{file: file, data: data, line: 1, column: 1}
	var values []*value
	for {
		r.space()
		if r.i == len(r.data) {
			return values, nil
		}
		v, err := r.value(0)
		if err != nil {
			return values, err
		}
		values = append(values, v)
	}
}

type jsonReader struct {
	file   string
	data   []byte
	i      int // next byte
	values int
	// line and column are the place of byte mark; column counts characters.
	line, column, mark int
}

func (r *jsonReader) value(depth int) (*value, error) {
	if depth > maxDepth {
		return nil, r.fail("nested more than %d deep", maxDepth)
	}
	if r.values++; r.values > maxValues {
		return nil, r.fail("more than %d values", maxValues)
	}
	v := &value{at: r.position()}
	switch c := r.peek(); {
	case c == '{':
		v.kind = object
		return v, r.object(v, depth)
	case c == '[':
		v.kind = list
		return v, r.list(v, depth)
	case c == '"':
		s, err := r.quoted()
		v.kind, v.text = text, s
		return v, err
	case c == '-' || c >= '0' && c <= '9':
		v.kind = number
		return v, r.number(v)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.data[r.i:], []byte(word)) {
			r.i += len(word)
			v.kind, v.text = boolean, word
			if word == "null" {
				v.kind = null
			}
			return v, nil
		}
	}
	return nil, r.unexpected("a value")
}

func (r *jsonReader) object(v *value, depth int) error {
	r.i++
	for first := true; ; first = false {
		r.space()
		switch c := r.peek(); {
		case c == '}':
			r.i++
			return nil
		case first:
		case c == ',':
			r.i++
			r.space()
		default:
			return r.unexpected(`"," or "}"`)
		}
		if r.peek() != '"' {
			return r.unexpected("a member name in quotes")
		}
		m := member{at: r.position()}
		var err error
		if m.name, err = r.quoted(); err != nil {
			return err
		}
		r.space()
		if r.peek() != ':' {
			return r.unexpected(`":"`)
		}
		r.i++
		r.space()
		if m.value, err = r.value(depth + 1); err != nil {
			return err
		}
		v.members = append(v.members, m)
	}
}

func (r *jsonReader) list(v *value, depth int) error {
	r.i++
	r.space()
	if r.peek() == ']' {
		r.i++
		return nil
	}
	for {
		r.space()
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
		r.space()
		switch r.peek() {
		case ']':
			r.i++
			return nil
		case ',':
			r.i++
		default:
			return r.unexpected(`"," or "]"`)
		}
	}
}

func (r *jsonReader) number(v *value) error {
	start := r.i
	for r.i < len(r.data) && strings.IndexByte("+-.eE0123456789", r.data[r.i]) >= 0 {
		r.i++
	}
	v.text = string(r.data[start:r.i])
	if !json.Valid(r.data[start:r.i]) {
		r.i = start
		return r.fail("%q is not a number", v.text)
	}
	return nil
}

// quoted reads a string. Names and short texts are copied out, so that a
// snapshot never holds on to a whole file.
func (r *jsonReader) quoted() (string, error) {
	r.i++
	start := r.i
	for r.i < len(r.data) {
		switch c := r.data[r.i]; {
		case c == '"':
			s := string(r.data[start:r.i])
			r.i++
			if !utf8.ValidString(s) {
				return "", r.fail("text is not UTF-8")
			}
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", r.unexpected(`the closing quote`)
		}
		r.i++
	}
	return "", r.unexpected("the closing quote")
}

func (r *jsonReader) escaped(start int) (string, error) {
	b := append([]byte(nil), r.data[start:r.i]...)
	for r.i < len(r.data) {
		c := r.data[r.i]
		switch {
		case c == '"':
			r.i++
			if !utf8.Valid(b) {
				return "", r.fail("text is not UTF-8")
			}
			return string(b), nil
		case c < 0x20:
			return "", r.unexpected("the closing quote")
		case c != '\\':
			b = append(b, c)
			r.i++
			continue
		}
		if r.i+1 >= len(r.data) {
			break
		}
		r.i += 2
		switch e := r.data[r.i-1]; e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b', 'f', 'n', 'r', 't':
			b = append(b, "\b\f\n\r\t"[strings.IndexByte("bfnrt", e)])
		case 'u':
			c, err := r.unicode()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, c)
		default:
			r.i -= 2
			return "", r.fail(`unknown escape \%c`, e)
		}
	}
	r.i = len(r.data)
	return "", r.unexpected("the closing quote")
}

// unicode reads what follows \u, and the other half of a surrogate pair.
func (r *jsonReader) unicode() (rune, error) {
	hex := func(at int) (rune, bool) {
		if at+4 > len(r.data) {
			return 0, false
		}
		n, err := strconv.ParseUint(string(r.data[at:at+4]), 16, 16)
		return rune(n), err == nil
	}
	c, ok := hex(r.i)
	if !ok {
		return 0, r.fail(`\u needs four hexadecimal digits`)
	}
	r.i += 4
	if utf16.IsSurrogate(c) {
		if r.i+1 < len(r.data) && r.data[r.i] == '\\' && r.data[r.i+1] == 'u' {
			if low, ok := hex(r.i + 2); ok {
				r.i += 6
				return utf16.DecodeRune(c, low), nil
			}
		}
		return utf8.RuneError, nil
	}
	return c, nil
}

func (r *jsonReader) space() {
	for r.i < len(r.data) {
		switch r.data[r.i] {
		case ' ', '\t', '\r', '\n':
			r.i++
		default:
			return
		}
	}
}

// peek is the next byte, or 0 at the end.
func (r *jsonReader) peek() byte {
	if r.i < len(r.data) {
		return r.data[r.i]
	}
	return 0
}

// position is the place of the next byte. It counts on from the last place
// asked for, so that a file of one line costs no more than others.
func (r *jsonReader) position() mesh.Position {
	if r.i < r.mark { // only when an error steps back
		r.line, r.column, r.mark = 1, 1, 0
	}
	for _, c := range r.data[r.mark:r.i] {
		switch {
		case c == '\n':
			r.line++
			r.column = 1
		case c&0xC0 != 0x80: // not the inside of a character
			r.column++
		}
	}
	r.mark = r.i
	return mesh.Position{File: r.file, Line: r.line, Column: r.column}
}

func (r *jsonReader) unexpected(want string) error {
	if r.i >= len(r.data) {
		return r.fail("the text ends where %s should be", want)
	}
	c, _ := utf8.DecodeRune(r.data[r.i:])
	return r.fail("%q where %s should be", c, want)
}

func (r *jsonReader) fail(format string, args ...any) error {
	return &syntaxError{r.position(), fmt.Sprintf(format, args...)}
}
