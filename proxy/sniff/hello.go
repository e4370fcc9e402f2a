package sniff

import (
	"encoding/binary"
	"errors"
)

// MaxHello is how many bytes of the stream a ClientHello may take, record
// headers included (Envoy: tls_inspector).
const MaxHello = 16 << 10

// ErrHelloTooLarge says that a ClientHello does not fit in MaxHello bytes.
var ErrHelloTooLarge = errors.New("TLS ClientHello takes more than 16 KiB")

// ErrNoHello says that the bytes are not a well-formed ClientHello.
var ErrNoHello = errors.New("malformed TLS ClientHello")

// Numbers of RFC 8446 4 and 5.1, and RFC 6066 3.
const (
	recordHandshake  = 0x16
	versionMajor     = 0x03
	recordHeader     = 5
	maxRecord        = 1 << 14
	typeClientHello  = 1
	handshakeHeader  = 4
	extServerName    = 0
	serverNameHost   = 0
	maxServerName    = 253
	randomAndVersion = 2 + 32
)

// ServerName reads the server name (SNI) of the TLS ClientHello that begins a
// stream. It is in lower case, and empty when the client sent none. While
// complete is false more bytes are needed; err says that more will not help.
//
// The hello may be spread over several records. Extensions that are not known,
// GREASE among them (RFC 8701), are passed over.
func ServerName(stream []byte) (name string, complete bool, err error) {
	name, missing, err := ServerNameSoFar(stream)
	return name, missing == 0 && err == nil, err
}

// ServerNameSoFar is ServerName, and tells how many more bytes it takes at least:
// 0 when it is complete.
func ServerNameSoFar(stream []byte) (name string, missing int, err error) {
	if len(stream) > MaxHello {
		stream = stream[:MaxHello]
	}
	hello, missing, err := handshake(stream)
	switch {
	case err != nil:
		return "", 0, err
	case len(stream)+missing > MaxHello:
		return "", 0, ErrHelloTooLarge
	case missing > 0:
		return "", missing, nil
	}
	name, ok := hello.serverName()
	if !ok {
		return "", 0, ErrNoHello
	}
	return name, 0, nil
}

// handshake gives the first handshake message without its header, unless bytes
// are missing, at least so many. It lies in the stream where one record holds all
// of it.
func handshake(stream []byte) (message reader, missing int, err error) {
	var joined []byte
	records := 0
	for rest := stream; ; {
		record, next, err := nextRecord(rest)
		if err != nil {
			return nil, 0, err
		}
		switch records++; records {
		case 1:
			joined = record
		case 2: // the stream is not ours to write on
			joined = append(append(make([]byte, 0, len(stream)), joined...), record...)
		default:
			joined = append(joined, record...)
		}
		size, err := messageSize(joined)
		if err != nil {
			return nil, 0, err
		}
		if size > 0 && len(joined) >= size {
			return reader(joined[handshakeHeader:size]), 0, nil
		}
		if next == nil {
			return nil, max(size-len(joined), 1), nil
		}
		rest = next
	}
}

// nextRecord gives what is here of the first record's content, and what stands
// behind it, which is nil when the record is not complete.
func nextRecord(b []byte) (content, next []byte, err error) {
	if len(b) > 0 && b[0] != recordHandshake || len(b) > 1 && b[1] != versionMajor {
		return nil, nil, ErrNoHello
	}
	if len(b) < recordHeader {
		return nil, nil, nil
	}
	size := int(binary.BigEndian.Uint16(b[3:]))
	if size == 0 || size > maxRecord {
		return nil, nil, ErrNoHello
	}
	if b = b[recordHeader:]; len(b) < size {
		return b, nil, nil
	}
	return b[:size], b[size:], nil
}

// messageSize is the length of a handshake message with its header, 0 when
// that has not come yet.
func messageSize(b []byte) (int, error) {
	if len(b) > 0 && b[0] != typeClientHello {
		return 0, ErrNoHello
	}
	if len(b) < handshakeHeader {
		return 0, nil
	}
	size := handshakeHeader + (int(b[1])<<16 | int(b[2])<<8 | int(b[3]))
	if size > MaxHello {
		return 0, ErrHelloTooLarge
	}
	return size, nil
}

// reader is what is left to read of a message. Each method takes something off
// its front; ok is false when it is not there.
type reader []byte

func (r *reader) skip(n int) bool {
	_, ok := r.take(n)
	return ok
}

func (r *reader) take(n int) (reader, bool) {
	if len(*r) < n {
		return nil, false
	}
	taken := (*r)[:n]
	*r = (*r)[n:]
	return taken, true
}

func (r *reader) uint(bytes int) (n int, ok bool) {
	p, ok := r.take(bytes)
	for _, c := range p {
		n = n<<8 | int(c)
	}
	return n, ok
}

// vector takes a length of so many bytes, and what it counts.
func (r *reader) vector(lengthBytes int) (reader, bool) {
	n, ok := r.uint(lengthBytes)
	if !ok {
		return nil, false
	}
	return r.take(n)
}

// serverName reads a ClientHello (RFC 8446 4.1.2). SSL 3.0 had no extensions.
func (r reader) serverName() (name string, ok bool) {
	if !r.skip(randomAndVersion) {
		return "", false
	}
	for _, lengthBytes := range [...]int{1, 2, 1} { // session, suites, compression
		if _, ok := r.vector(lengthBytes); !ok {
			return "", false
		}
	}
	if len(r) == 0 {
		return "", true
	}
	extensions, ok := r.vector(2)
	if !ok || len(r) > 0 {
		return "", false
	}
	found := false
	for len(extensions) > 0 {
		kind, _ := extensions.uint(2)
		body, ok := extensions.vector(2)
		if !ok {
			return "", false
		}
		if kind != extServerName {
			continue
		}
		if found {
			return "", false
		}
		found = true
		if name, ok = body.hostName(); !ok {
			return "", false
		}
	}
	return name, true
}

// hostName reads a server_name extension: a list that has one host name, and
// might have names of other kinds.
func (r reader) hostName() (name string, ok bool) {
	list, ok := r.vector(2)
	if !ok || len(r) > 0 || len(list) == 0 {
		return "", false
	}
	for len(list) > 0 {
		kind, _ := list.uint(1)
		entry, ok := list.vector(2)
		if !ok {
			return "", false
		}
		if kind != serverNameHost {
			continue
		}
		if name != "" {
			return "", false
		}
		if name, ok = lowerHost(entry); !ok {
			return "", false
		}
	}
	return name, true
}

// lowerHost takes what can be a DNS name, without the final dot (RFC 6066 3),
// so that a name is as safe to compare as to log.
func lowerHost(b reader) (string, bool) {
	if len(b) == 0 || len(b) > maxServerName || b[0] == '.' || b[len(b)-1] == '.' {
		return "", false
	}
	lower := make([]byte, len(b))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return "", false
		}
		lower[i] = c
	}
	return string(lower), true
}
