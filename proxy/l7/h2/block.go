package h2

import (
	"unsafe"

	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// headerBlock is a header block that is coming in: HEADERS and its
// CONTINUATIONs. It is decoded as it comes, so that the compression's state
// stays right whatever becomes of it, and checked field by field (RFC 9113 8.2,
// 8.3). It belongs to the reader.
type headerBlock struct {
	dec    *hpack.Decoder
	limits *Limits

	stream uint32 // of the block under way; 0: none is
	of     uint32 // of the block that came last
	end    bool   // END_STREAM
	came   int    // bytes, as they came
	size   int    // of the fields, decoded
	count  int    // of regular fields

	pseudo  pseudo
	fields  []l7.Field
	cookies int
	length  int64 // content-length; -1: none
	bad     *Error
}

// pseudo is the pseudo-header fields of a block.
type pseudo struct {
	method, scheme, path, authority, status []byte
	seen                                    uint8 // a bit each
	late                                    bool  // a regular field has come
}

const (
	seenMethod uint8 = 1 << iota
	seenScheme
	seenPath
	seenAuthority
	seenStatus
)

func (h *headerBlock) make(limits *Limits) {
	h.limits = limits
	h.dec = hpack.NewDecoder(defaultTable, h.field)
	h.dec.SetMaxStringLength(int(limits.MaxHeaderBytes))
}

// begin makes ready for a stream's block.
func (h *headerBlock) begin(stream uint32, end bool) {
	h.stream, h.of, h.end = stream, stream, end
	h.came, h.size, h.count, h.cookies, h.length = 0, 0, 0, 0, -1
	h.pseudo, h.fields, h.bad = pseudo{}, h.fields[:0], nil
}

// write takes a fragment.
func (h *headerBlock) write(p []byte) *Error {
	if h.came += len(p); h.came > int(h.limits.MaxHeaderBytes) {
		return errBlockTooLong
	}
	switch _, err := h.dec.Write(p); err {
	case nil:
		return nil
	case hpack.ErrStringLength:
		return errBlockTooLong
	}
	return errCompression
}

// finish ends the block.
func (h *headerBlock) finish() *Error {
	h.stream = 0
	if h.dec.Close() != nil {
		return errCompression
	}
	if h.cookies > 1 && h.bad == nil {
		h.joinCookies()
	}
	return nil
}

// field takes a decoded field.
func (h *headerBlock) field(f hpack.HeaderField) {
	if h.size += int(f.Size()); h.bad != nil {
		return
	}
	if h.size > int(h.limits.MaxHeaderBytes) {
		h.bad = errFieldsTooLong
		return
	}
	name, value := bytesOf(f.Name), bytesOf(f.Value)
	if len(name) > 0 && name[0] == ':' {
		h.bad = h.pseudo.take(name, value)
		return
	}
	h.pseudo.late = true
	if h.count++; h.count > int(h.limits.MaxHeaders) {
		h.bad = errTooManyFields
		return
	}
	h.bad = h.regular(name, value)
}

// bytesOf is the bytes of a string, which nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (p *pseudo) take(name, value []byte) *Error {
	var bit uint8
	switch string(name) {
	case ":method":
		bit, p.method = seenMethod, value
	case ":scheme":
		bit, p.scheme = seenScheme, value
	case ":path":
		bit, p.path = seenPath, value
	case ":authority":
		bit, p.authority = seenAuthority, value
	case ":status":
		bit, p.status = seenStatus, value
	}
	if bit == 0 || p.seen&bit != 0 || p.late {
		return errPseudo
	}
	p.seen |= bit
	return nil
}

func (h *headerBlock) regular(name, value []byte) *Error {
	if !l7.IsLowerToken(name) {
		return errFieldName
	}
	if !l7.IsFieldValue(value) || len(value) > 0 && (blank(value[0]) || blank(value[len(value)-1])) {
		return errFieldValue
	}
	id := l7.ClassifyName(name)
	switch id {
	case l7.NameConnection, l7.NameKeepAlive, l7.NameProxyConnection, l7.NameTransferEncoding, l7.NameUpgrade:
		return errConnectionField
	case l7.NameTE:
		if string(value) != "trailers" {
			return errConnectionField
		}
	case l7.NameHTTP2Settings:
		return nil // of an upgrade; never passed on
	case l7.NameContentLength:
		n, ok := l7.ParseLength(value)
		if !ok || h.length >= 0 {
			return errLength
		}
		h.length = n
	case l7.NameCookie:
		h.cookies++
	}
	h.fields = append(h.fields, l7.Field{Name: name, Value: value, ID: id})
	return nil
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// joinCookies makes one cookie field of its crumbs (RFC 9113 8.2.3).
func (h *headerBlock) joinCookies() {
	var first *l7.Field
	var all []byte
	for i := range h.fields {
		f := &h.fields[i]
		switch {
		case f.ID != l7.NameCookie:
			continue
		case first == nil:
			first = f
		default:
			all = append(all, "; "...)
			f.Name = nil
		}
		all = append(all, f.Value...)
	}
	first.Value = all
}

// request checks the pseudo-headers of a request (RFC 9113 8.3.1) and settles
// whom it is for. A request without an authority is malformed here, where
// HTTP/1 answers 400: no client in use leaves it out, and nothing could route it.
func (h *headerBlock) request() *Error {
	p := &h.pseudo
	if p.seen&seenStatus != 0 {
		return errPseudo
	}
	if p.seen&seenMethod == 0 {
		return errNoPseudo
	}
	if !l7.IsToken(p.method) {
		return errMethod
	}
	if err := h.settleHost(); err != nil {
		return err
	}
	if string(p.method) == "CONNECT" {
		if p.seen&(seenScheme|seenPath) != 0 {
			return errPseudo
		}
		return nil
	}
	switch {
	case p.seen&seenScheme == 0 || p.seen&seenPath == 0:
		return errNoPseudo
	case !l7.IsToken(p.scheme):
		return errScheme
	case !l7.IsTarget(p.path):
		return errPath
	case p.path[0] != '/' && (string(p.path) != "*" || string(p.method) != "OPTIONS"):
		return errPath
	}
	return nil
}

// settleHost takes Host out of the fields: it may repeat :authority, or stand in
// for it (RFC 9113 8.3.1).
func (h *headerBlock) settleHost() *Error {
	p := &h.pseudo
	for i := range h.fields {
		f := &h.fields[i]
		if f.ID != l7.NameHost {
			continue
		}
		if p.seen&seenAuthority != 0 && string(p.authority) != string(f.Value) {
			return errAuthority
		}
		p.authority, p.seen = f.Value, p.seen|seenAuthority
		f.Name = nil
	}
	if len(p.authority) == 0 || !l7.IsHost(p.authority) {
		return errAuthority
	}
	return nil
}

// response checks the pseudo-headers of a response (RFC 9113 8.3.2) and gives
// its status.
func (h *headerBlock) response() (status int, bad *Error) {
	p := &h.pseudo
	if p.seen != seenStatus {
		return 0, errPseudo
	}
	n, ok := l7.ParseLength(p.status)
	if !ok || len(p.status) != 3 || n < 100 || n > 599 || n == 101 {
		return 0, errStatus
	}
	return int(n), nil
}
