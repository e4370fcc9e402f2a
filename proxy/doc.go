// Package proxy is what happens to a connection, in order:
//
//	server.go    start, drain, stop
//	listen.go    the listeners of the two ports, or of a gateway's own, which a
//	             reload may change
//	conn.go      one accepted connection: where was it going, who takes it? On the
//	             ingress port, the chain of that port; on a gateway's, its own
//	egress.go    ... on the egress port: a backend, outside, AWS, or nobody
//	way.go       ... both as decided before anything is read or dialed
//	http.go      an HTTP connection: which codec?
//	http1.go     ... HTTP/1: read a request, answer it, and again
//	http2.go     ... HTTP/2: streams, each on a goroutine of its own
//	exchange.go  what serves one request, by either codec
//	direct.go    which chain, when nothing redirected the connection
//	connect.go   CONNECT and upgrades: bytes both ways
//	routing.go   the compiled chains of one snapshot
//	route/       which route?
//	filter/      the stages every exchange passes
//	upstream/    which endpoint, how often, how long
//	l7/h1/       the codecs; l7/h2/
//	stream.go    TCP: one connection relayed   l4/   which cluster, then relay/
//	sniff/       which protocol is this?       verdict.go   ... and how many were
//	sweep.go     clients that left cancel what they asked for
//	explain.go   what would happen to a request, and why, by the same code
//	record.go    what the access log is told   stats.go   what is counted
//
// A connection belongs to one goroutine at a time. One of a crew, whose stack has
// grown already, finds out where it goes, and dials for TCP; then one of its own,
// whose stack stays small, serves it to its end. On HTTP/1 that
// serves one exchange after the other; on HTTP/2 it reads, and each stream is
// served by a goroutine of a crew. Each exchange loads the routing anew, so that
// a reload changes the next request and cuts none.
package proxy
