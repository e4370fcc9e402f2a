package stat

import (
	"net/netip"
	"time"
)

// Record is one finished exchange or TCP connection, as it is told to the
// access log. The engine fills it only when there is a log to write; all
// byte slices are borrowed and valid during the call alone.
type Record struct {
	// Start is when the first byte of the request (or the connection) came.
	Start time.Time
	// Duration is from the first byte in to the last byte out.
	Duration time.Duration
	// Protocol is "HTTP/1.1", "HTTP/1.0", or empty for TCP.
	Protocol string
	// UpstreamProtocol is likewise, empty when nothing was sent upstream.
	UpstreamProtocol string
	Method           []byte
	// Path is the path and query as the app asked for it.
	Path      []byte
	Authority []byte
	// Code is the response code, 0 when none was sent.
	Code int
	// Flags are Envoy's short response flags in the order in which they were
	// set, joined by commas; empty for none.
	Flags string
	// Details says in a word why the response is what it is (Envoy:
	// RESPONSE_CODE_DETAILS), such as "via_upstream" or "route_not_found".
	Details string
	// TransportFailure is Envoy's UPSTREAM_TRANSPORT_FAILURE_REASON.
	TransportFailure string
	// BytesReceived and BytesSent count body bytes (all bytes for TCP).
	BytesReceived, BytesSent uint64
	// UpstreamTime is from the end of the request to the response's headers;
	// negative when there were none.
	UpstreamTime time.Duration
	// Route is the route's name, Cluster the cluster's.
	Route, Cluster string
	// Upstream is the endpoint last tried; invalid when there was none.
	Upstream netip.AddrPort
	// Downstream is the client, Local the address it wanted to reach.
	Downstream, Local netip.AddrPort
	// Direct is who the connection came from, where that is not the client but a
	// proxy before us; invalid: Downstream.
	Direct netip.AddrPort
	// UpstreamLocal is our own address on the upstream connection; invalid
	// when there was none or it is not known.
	UpstreamLocal netip.AddrPort
	// Attempts counts upstream attempts.
	Attempts int
	// RequestDuration is from the first byte of the request to its last, 0
	// when the last never came or nobody measured.
	RequestDuration time.Duration
	// ConnectionID tells downstream connections apart; 0 is unknown.
	ConnectionID uint64
	// Termination says why the connection itself was ended (Envoy:
	// CONNECTION_TERMINATION_DETAILS); empty when nothing is to be said.
	Termination string
	// ServerName is the TLS server name seen on a pass-through connection.
	ServerName string
	// Sniffed is what such a connection turned out to speak (sniff.Protocol):
	// "tls", "http1", "http2", "server-first" or "unknown"; empty where the
	// documents say what is spoken.
	Sniffed string
	// Request and Response look up headers by lower-case name; nil for TCP,
	// Response and Trailer also when there was none.
	Request, Response, Trailer Fields
}

// Fields looks up a header field; several values are joined by ",".
// ok is false when there is none. The value is appended to dst.
type Fields interface {
	Append(dst []byte, name string) (out []byte, ok bool)
}
