// Package h2 is HTTP/2 on the data path, for both sides (RFC 9113): the server
// half serves the streams of a downstream connection, the client half opens
// streams on an upstream one. Numbers and names of frames and settings are those
// of x/net/http2, Huffman code is hpack's; what reads and writes them here is our
// own, since it works in the connection's buffers, looks at a field once and not
// each time it comes, and allocates nothing.
//
// A connection has one goroutine of its own, the reader, which takes what comes
// and never waits for anybody: not for a stream, and not for another connection.
// Each request runs on a goroutine of the crew, in straight blocking code, as in
// HTTP/1. Whoever has a frame to send appends it to the connection's output and
// has it flushed; the first to flush gives way once, so that the frames of many
// streams leave in one system call. While the socket is full, one more goroutine
// of the crew drains.
//
// Everything a peer can make us keep is bounded: what comes by windows and the
// process's budget (flow.go), what goes by the room in the output (output.go), the
// rest by Limits (flood.go).
//
//	server.go         a downstream connection       client.go         an upstream one
//	server_stream.go  a request and its response    client_stream.go  the same, from the other side
//	pump.go           a request's body on its way up
//	conn.go           what both sides share: reading, breaches, the end
//	control.go        HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY
//	flow.go           DATA and WINDOW_UPDATE
//	stream.go         a stream's states and its sending side
//	body.go, inbox.go its receiving side
//	park.go           waiting for news of a stream
//	block.go          header blocks that come in    encode.go         those that go out
//	decode.go, static.go  HPACK                      frame.go          frames
//	table.go          streams by number             output.go         writing
//	goaway.go         the graceful end
//	flood.go          abusive peers                 limits.go         the settings
package h2
