// Package l7 is the message model that every HTTP package shares.
//
// An Exchange is one request and its response. A codec (h1, later h2) reads
// the request into it, a Handler answers it, the codec writes the answer.
// Handlers are wrapped by Stages: what stands before next is the request's way
// down, what stands after it the response's way up. One goroutine serves one
// exchange from its first byte to its last, in straight blocking code.
//
// Nothing here copies: names and values are slices of the connection's read
// buffers, valid until the exchange ends. What a stage adds must live as long:
// static bytes, or Exchange.Scratch.
package l7
