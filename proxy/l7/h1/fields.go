package h1

import (
	"bytes"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// maxFields is how many fields a head or a trailer may have (Envoy:
// max_headers_count).
const maxFields = 100

// framing is what the fields of a head say of the message's frame and of its
// connection.
type framing struct {
	length     int64 // -1: none given
	chunked    bool
	close      bool // Connection: close
	keepAlive  bool // Connection: keep-alive
	upgrade    bool // Connection: upgrade
	hasUpgrade bool // an Upgrade field
	h2c        bool // one that names h2c, which would escape routing
	expect     bool // Expect: 100-continue
	hosts      int
	keepFor    int // Keep-Alive: timeout=, seconds; 0: not said
}

// parseFields parses field lines, each with its CRLF, up to the empty line
// that closes them (which the caller has found), into h, of a message
// of that version.
func parseFields(b []byte, h *l7.Header, version l7.Version) (framing, error) {
	f := framing{length: -1}
	nominated := false
	for len(b) > 2 {
		if len(h.Fields) == maxFields {
			return f, errTooMany
		}
		end := bytes.IndexByte(b, '\n')
		line := b[:end-1]
		b = b[end+1:]
		name, value, err := parseField(line)
		if err != nil {
			return f, err
		}
		id := l7.ClassifyName(name)
		h.Fields = append(h.Fields, l7.Field{Name: name, Value: value, ID: id})
		if id == l7.NameOther {
			continue
		}
		if err := f.see(id, value, version); err != nil {
			return f, err
		}
		nominated = nominated || id == l7.NameConnection
	}
	if f.chunked && f.length >= 0 {
		return f, errLengthAndTE
	}
	if nominated {
		return f, f.dropNominated(h)
	}
	return f, nil
}

// parseField takes one line, without its CRLF, apart.
func parseField(line []byte) (name, value []byte, err error) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !l7.IsToken(line[:colon]) {
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			return nil, nil, errFold
		}
		return nil, nil, errFieldName
	}
	value = trim(line[colon+1:])
	if !l7.IsFieldValue(value) {
		if bytes.IndexByte(value, '\r') >= 0 {
			return nil, nil, errBareCR
		}
		return nil, nil, errFieldValue
	}
	return line[:colon], value, nil
}

// see takes note of a field that frames the message or speaks of the
// connection.
func (f *framing) see(id l7.Name, value []byte, version l7.Version) error {
	switch id {
	case l7.NameHost:
		f.hosts++
	case l7.NameContentLength:
		if f.length >= 0 {
			return errLengths
		}
		n, ok := l7.ParseLength(value)
		if !ok {
			return errLength
		}
		f.length = n
	case l7.NameTransferEncoding:
		if version == l7.HTTP10 {
			return errTEOn10
		}
		if f.chunked {
			return errTEOrder
		}
		if !l7.EqualFold(value, "chunked") {
			return transferCoding(value)
		}
		f.chunked = true
	case l7.NameConnection:
		for token := range tokens(value) {
			switch {
			case l7.EqualFold(token, "close"):
				f.close = true
			case l7.EqualFold(token, "keep-alive"):
				f.keepAlive = true
			case l7.EqualFold(token, "upgrade"):
				f.upgrade = true
			}
		}
	case l7.NameProxyConnection:
		f.close = f.close || l7.EqualFold(value, "close")
	case l7.NameUpgrade:
		f.hasUpgrade = true
		for token := range tokens(value) {
			f.h2c = f.h2c || l7.EqualFold(token, "h2c")
		}
	case l7.NameExpect:
		f.expect = f.expect || l7.EqualFold(value, "100-continue")
	case l7.NameKeepAlive:
		f.keepFor = keepAliveTimeout(value)
	}
	return nil
}

// transferCoding tells a coding we do not know (501) from a list that could be
// read in two ways (400): chunked must be the last and stand once, and no
// element may be empty.
func transferCoding(value []byte) error {
	for {
		token, rest, more := bytes.Cut(value, comma)
		token = trim(token)
		if len(token) == 0 || more && l7.EqualFold(token, "chunked") {
			return errTEOrder
		}
		if !more {
			return errCoding
		}
		value = rest
	}
}

var comma = []byte(",")

// dropNominated removes the fields that Connection names. A name that frames
// or routes the message must not be among them (RFC 9110 7.6.1).
func (f *framing) dropNominated(h *l7.Header) error {
	for i := range h.Fields {
		if h.Fields[i].ID != l7.NameConnection {
			continue
		}
		for token := range tokens(h.Fields[i].Value) {
			switch l7.ClassifyName(token) {
			case l7.NameHost, l7.NameContentLength, l7.NameTransferEncoding, l7.NameConnection:
				return errConnection
			case l7.NameUpgrade, l7.NameKeepAlive, l7.NameTE, l7.NameHTTP2Settings, l7.NameProxyConnection:
				continue // treated by name in any case
			}
			if l7.EqualFold(token, "close") {
				continue
			}
			for j := range h.Fields {
				if g := &h.Fields[j]; len(g.Name) == len(token) && bytes.EqualFold(g.Name, token) {
					g.Name = nil
				}
			}
		}
	}
	return nil
}

// dropHopByHop removes the fields that are the connection's own. Upgrade and
// TE: trailers are put back by the encoder where they belong.
func dropHopByHop(h *l7.Header) {
	for i := range h.Fields {
		f := &h.Fields[i]
		switch f.ID {
		case l7.NameConnection, l7.NameKeepAlive, l7.NameProxyConnection, l7.NameTransferEncoding,
			l7.NameHTTP2Settings:
			f.Name = nil
		case l7.NameTE:
			keep := false
			for token := range tokens(f.Value) {
				keep = keep || l7.EqualFold(token, "trailers")
			}
			if f.Value = teTrailers; !keep {
				f.Name = nil
			}
		}
	}
}

var teTrailers = []byte("trailers")

// tokens yields the elements of a comma-separated list, trimmed, without empty
// ones.
func tokens(value []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(value) > 0 {
			token := value
			if i := bytes.IndexByte(value, ','); i >= 0 {
				token, value = value[:i], value[i+1:]
			} else {
				value = nil
			}
			if token = trim(token); len(token) > 0 && !yield(token) {
				return
			}
		}
	}
}

// keepAliveTimeout reads the timeout parameter of a Keep-Alive field.
func keepAliveTimeout(value []byte) int {
	for token := range tokens(value) {
		if len(token) > 8 && l7.EqualFold(token[:8], "timeout=") {
			if n, ok := l7.ParseLength(token[8:]); ok && n < 1<<30 {
				return int(n)
			}
		}
	}
	return 0
}

// trim takes blanks and tabs off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
