package l7

import "io"

// Bytes is a body that is here as a whole, such as a local reply's. The zero
// value is an empty body.
type Bytes struct {
	b    []byte
	read bool
}

// NewBytes makes a body of b, which it borrows.
func NewBytes(b []byte) *Bytes { return &Bytes{b: b} }

// Empty is the body of a message without content.
var Empty Body = &Bytes{read: true}

// Length is the number of bytes.
func (b *Bytes) Length() int64 { return int64(len(b.b)) }

// Buffered gives all bytes at once.
func (b *Bytes) Buffered() ([]byte, error) {
	if b.read || len(b.b) == 0 {
		return nil, io.EOF
	}
	b.read = true
	return b.b, nil
}

// Next is Buffered.
func (b *Bytes) Next() ([]byte, error) { return b.Buffered() }

// Ended tells that the bytes were given out (Ended).
func (b *Bytes) Ended() bool { return b.read || len(b.b) == 0 }

// Trailer is nil.
func (b *Bytes) Trailer() *Header { return nil }

// Interrupt does nothing: nobody waits.
func (b *Bytes) Interrupt() {}

// Resume does nothing.
func (b *Bytes) Resume() {}
