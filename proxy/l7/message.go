package l7

// Request is the head of a request. Slices are borrowed from the downstream
// connection until the exchange ends.
type Request struct {
	Method []byte
	// Target is path and query in origin form ("/a?b"), or "*", or for CONNECT
	// empty. An absolute form is taken apart by the codec.
	Target []byte
	// Authority is the Host field, or what an absolute form or CONNECT names.
	Authority []byte
	// Minor is the HTTP/1 minor version: 0 or 1.
	Minor  byte
	Header Header
	// Body is never nil; an empty one ends at once.
	Body Body
	// Upgrade is true for a request with Connection: upgrade and an Upgrade
	// field (RFC 9110 section 7.8); the field itself stays in Header.
	Upgrade bool
	// Continue is not nil when the client waits for 100 (Continue) before it
	// sends the body. It must be called, by the goroutine that serves the
	// exchange, before Body is read beyond what is Buffered.
	Continue func() error
	// Absolute is true when the target came in absolute form (a forward proxy
	// is meant: HTTP_PROXY).
	Absolute bool
}

// IsConnect tells a CONNECT request.
func (r *Request) IsConnect() bool { return string(r.Method) == "CONNECT" }

// Response is the head of a response.
type Response struct {
	Status int
	// Reason is the reason phrase as it came; nil: the standard one.
	Reason []byte
	Header Header
	// Body is never nil once a handler has returned without error.
	Body Body
	// Minor is the upstream's HTTP/1 minor version.
	Minor byte
	// Upgraded is true for a 101 or for a 2xx answer to CONNECT: what follows
	// is bytes, both ways, until one side ends.
	Upgraded bool
	// Close asks that the downstream connection be closed afterwards.
	Close bool
}

// Body is the content of a message, as it comes. It is read by one goroutine.
type Body interface {
	// Length is the content length, or -1 while it is not known.
	Length() int64
	// Buffered gives the next bytes if they are here already, and nil
	// otherwise; it never blocks. Both it and Next give io.EOF after the last
	// byte. The slice is borrowed until the next call of Next.
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
