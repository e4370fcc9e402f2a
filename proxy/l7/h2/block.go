package h2

import (
	"time"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// headerBlock is a header block that is coming in: HEADERS and its
// CONTINUATIONs. It is decoded when it has come as a whole, whatever becomes of
// it, so that the compression's state stays right, and checked field by field
// (RFC 9113 8.2, 8.3). It belongs to the reader.
type headerBlock struct {
	decoder
	limits *Limits

	stream uint32 // of the block under way; 0: none is
	of     uint32 // of the block that came last
	end    bool   // END_STREAM
	begun  time.Duration
	parts  []byte // what has come, if it is in several frames
	sum    int    // of the fields' sizes, decoded
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
	h.limits, h.most = limits, defaultTable
}

// begin makes ready for a stream's block.
func (h *headerBlock) begin(stream uint32, end bool) {
	h.stream, h.of, h.end = stream, stream, end
	h.parts, h.arena = h.parts[:0], h.arena[:0]
	h.sum, h.count, h.cookies, h.length = 0, 0, 0, -1
	h.pseudo, h.fields, h.bad = pseudo{}, h.fields[:0], nil
}

// decodeMost is how many times larger than a head may be a block is decoded, to
// keep the compression in step: the stream is reset, its neighbours go on. A
// larger one ends the connection.
const decodeMost = 4

// add takes a fragment; whole says that it is the last.
func (h *headerBlock) add(p []byte, whole bool) *Error {
	if len(h.parts)+len(p) > decodeMost*int(h.limits.MaxHeaderBytes) {
		return errBlockTooLong
	}
	if !whole || len(h.parts) > 0 {
		h.parts = append(h.parts, p...)
		p = h.parts
	}
	if !whole {
		return nil
	}
	h.stream = 0
	if !h.decode(p) {
		return errCompression
	}
	if h.cookies > 1 && h.bad == nil {
		h.joinCookies()
	}
	if cap(h.parts) > defaultMaxFrame {
		h.parts = nil
	}
	return nil
}

func (h *headerBlock) decode(b []byte) bool {
	for begun := false; len(b) > 0; {
		e, rest, ok := h.next(b)
		if !ok || e == nil && begun {
			return false
		}
		if b = rest; e != nil {
			begun = true
			h.take(e)
		}
	}
	return true
}

// take takes a field.
func (h *headerBlock) take(e *entry) {
	if h.sum += e.size(); h.bad != nil {
		return
	}
	switch {
	case h.sum > int(h.limits.MaxHeaderBytes):
		h.bad = errFieldsTooLong
	case e.bad != nil:
		h.bad = e.bad
	case e.pseudo != 0:
		h.bad = h.pseudo.take(e)
	default:
		h.bad = h.regular(e)
	}
}

func (p *pseudo) take(e *entry) *Error {
	if p.seen&e.pseudo != 0 || p.late {
		return errPseudo
	}
	p.seen |= e.pseudo
	switch e.pseudo {
	case seenMethod:
		p.method = e.Value
	case seenScheme:
		p.scheme = e.Value
	case seenPath:
		p.path = e.Value
	case seenAuthority:
		p.authority = e.Value
	case seenStatus:
		p.status = e.Value
	}
	return nil
}

func (h *headerBlock) regular(e *entry) *Error {
	h.pseudo.late = true
	if h.count++; h.count > int(h.limits.MaxHeaders) {
		return errTooManyFields
	}
	switch e.ID {
	case l7.NameHTTP2Settings:
		return nil // of an upgrade; never passed on
	case l7.NameContentLength:
		n, ok := l7.ParseLength(e.Value)
		if !ok || h.length >= 0 {
			return errLength
		}
		h.length = n
	case l7.NameCookie:
		h.cookies++
	}
	h.fields = append(h.fields, e.Field)
	return nil
}

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
