package l7

import "time"

// Body is the content of a message, as it comes. It is read by one goroutine.
type Body interface {
	// Length is the content length, or -1 while it is not known.
	Length() int64
	// Buffered gives the next bytes if they are here already, and nil
	// otherwise; it never blocks. Both it and Next give io.EOF after the last
	// byte. The slice is borrowed until Buffered or Next gives the next one, or
	// Next has to wait.
	Buffered() ([]byte, error)
	// Next waits for the next bytes.
	Next() ([]byte, error)
	// Trailer holds the trailer fields, after io.EOF.
	Trailer() *Header
	// Interrupt makes a Next that waits in another goroutine return an error,
	// and every later one too, until Resume; no byte is lost.
	Interrupt()
	Resume()
}

// received is what the bodies that a codec reads from a connection can do too.
type received interface {
	Whole() (p []byte, ok bool)
	SetIdle(idle time.Duration)
}

// Whole gives all that is left of a body if it is here already, in one piece
// and without a trailer, consuming it. The bytes are valid until the exchange
// ends. It never blocks.
func Whole(b Body) (p []byte, ok bool) {
	if r, is := b.(received); is {
		return r.Whole()
	}
	return nil, b.Length() == 0
}

// Ended tells, without blocking and without reading, that a body was read to its
// end: what was given out last were its last bytes, and Trailer is known. Of
// bodies that do not say it knows that of empty ones alone; they tell by io.EOF,
// as a body may that could not know earlier.
func Ended(b Body) bool {
	if r, is := b.(interface{ Ended() bool }); is {
		return r.Ended()
	}
	return b.Length() == 0
}

// SetIdle bounds each read of a body; 0 is no bound. It must not be called
// while anybody reads.
func SetIdle(b Body, idle time.Duration) {
	if r, is := b.(received); is {
		r.SetIdle(idle)
	}
}
