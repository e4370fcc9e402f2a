package l7

import "time"

// Request is the head of a request. Slices are borrowed from the downstream
// connection until the exchange ends.
type Request struct {
	Method []byte
	// Target is path and query in origin form ("/a?b"), or "*", or for CONNECT
	// empty. An absolute form is taken apart by the codec.
	Target []byte
	// Authority is the Host field, or what an absolute form or CONNECT names.
	Authority []byte
	// Scheme is HTTP/2's :scheme; nil: nobody said.
	Scheme []byte
	// Version is the protocol it came by.
	Version Version
	Header  Header
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
	// Version is the upstream's protocol.
	Version Version
	// Upgraded is true for a 101 or for a 2xx answer to CONNECT: what follows
	// is bytes, both ways, until one side ends.
	Upgraded bool
	// Close asks that the downstream connection be closed afterwards.
	Close bool
}

// Outgoing is a request as a client codec sends it.
type Outgoing struct {
	// Head is the request; its Body is not read.
	Head *Request
	// Whole is the whole body, when it is here; Body what comes, otherwise.
	Whole []byte
	Body  Body
	// Idle bounds each write of Body.
	Idle time.Duration
}
