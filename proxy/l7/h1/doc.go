// Package h1 is the HTTP/1.1 codec of the data path, for both sides: the
// server half reads requests from and writes responses to the downstream peer,
// the client half writes requests to and reads responses from the upstream.
//
// Parsing is strict (RFC 9112): everything that request smuggling lives on is
// refused, not repaired. Names and values stay where they were read; header
// order and spelling are kept. Bodies are passed on as they come, chunked ones
// decoded and encoded anew, so that nothing ambiguous is ever forwarded.
//
//	server.go    one downstream connection: read a request, write a response
//	client.go    one upstream connection: write a request, read a response
//	receive.go   the receiving half both share: head memory, body memory
//	request.go   request line and fields     response.go  status line and fields
//	fields.go    header fields, framing, hop-by-hop fields
//	body.go      lengths, chunks, trailers
//	encode.go    heads and chunks on the way out
//	translate.go the head of a request that came by HTTP/2
//	pump.go      a request's body on its way up while the response comes down
package h1
