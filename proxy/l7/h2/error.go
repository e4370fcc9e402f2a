package h2

import (
	"golang.org/x/net/http2"
)

// Code is an error code (RFC 9113 section 7).
type Code = http2.ErrCode

// The codes that others than this package name.
const (
	NoError         = http2.ErrCodeNo
	ProtocolError   = http2.ErrCodeProtocol
	InternalError   = http2.ErrCodeInternal
	FlowControl     = http2.ErrCodeFlowControl
	StreamClosed    = http2.ErrCodeStreamClosed
	FrameSize       = http2.ErrCodeFrameSize
	RefusedStream   = http2.ErrCodeRefusedStream
	Cancel          = http2.ErrCodeCancel
	Compression     = http2.ErrCodeCompression
	EnhanceYourCalm = http2.ErrCodeEnhanceYourCalm
)

// Error is a breach of the protocol, or a reset.
type Error struct {
	Code Code
	// Remote is true for a reset or GOAWAY that the peer sent; false for what we
	// found wrong with what it sent.
	Remote bool
	// Conn says that the whole connection ended by it, not one stream.
	Conn bool
	// Details is Envoy's RESPONSE_CODE_DETAILS.
	Details string
	// Reason is what is wrong, for the process log.
	Reason string
}

// Error says what is wrong and by which code.
func (e *Error) Error() string {
	who := "we found: "
	if e.Remote {
		who = "the peer says: "
	}
	return "http/2: " + who + e.Reason + " (" + e.Code.String() + ")"
}

// Is makes every refusal by the peer ErrRefused.
func (e *Error) Is(target error) bool {
	return target == ErrRefused && e.Remote && e.Code == RefusedStream
}

// ErrRefused says that the peer has not processed the stream (REFUSED_STREAM,
// or a GOAWAY that leaves it out): it may be tried elsewhere (RFC 9113 8.7).
var ErrRefused error = &Error{Code: RefusedStream, Remote: true, Details: "http2.remote_refuse", Reason: "stream refused"}

// ErrMemory says that a stream was reset because the process's budget for what
// has come and nobody takes was used up, and it held the most of its connection
// (Envoy: reset_high_memory_stream).
var ErrMemory error = &Error{Code: EnhanceYourCalm, Details: "http2.buffer_budget", Reason: "buffer budget used up"}

// The errors below are made once: a peer must not make us allocate.

// connError is a breach that ends the connection.
func connError(code Code, reason string) *Error {
	return &Error{Code: code, Conn: true, Details: "http2.violation.of.messaging.rule", Reason: reason}
}

// streamError is a breach that ends one stream.
func streamError(code Code, reason string) *Error {
	return &Error{Code: code, Details: "http2.violation.of.messaging.rule", Reason: reason}
}

var (
	errPreface        = connError(ProtocolError, "no HTTP/2 connection preface")
	errNoSettings     = connError(ProtocolError, "the first frame is not SETTINGS")
	errFrameSize      = connError(FrameSize, "frame larger than SETTINGS_MAX_FRAME_SIZE")
	errFrameLength    = connError(FrameSize, "frame of a wrong length")
	errStreamZero     = connError(ProtocolError, "frame on stream 0 that belongs to a stream")
	errNotStreamZero  = connError(ProtocolError, "frame of the connection on a stream")
	errPadding        = connError(ProtocolError, "padding longer than the frame")
	errContinuation   = connError(ProtocolError, "a header block is not continued")
	errNoBlock        = connError(ProtocolError, "CONTINUATION without a header block")
	errCompression    = connError(Compression, "malformed header block")
	errIdleStream     = connError(ProtocolError, "frame on a stream that was never opened")
	errStreamID       = connError(ProtocolError, "HEADERS on a stream number that is not a new one of the peer's")
	errPush           = connError(ProtocolError, "PUSH_PROMISE")
	errSettings       = connError(ProtocolError, "malformed SETTINGS")
	errWindowSetting  = connError(FlowControl, "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1")
	errSettingsLength = connError(FrameSize, "SETTINGS of a wrong length")
	errWindowZero     = connError(ProtocolError, "WINDOW_UPDATE of 0 on the connection")
	errWindow         = connError(FlowControl, "connection window over 2^31-1")
	errConnFlow       = connError(FlowControl, "more DATA than the connection's window")
	errClosedHeaders  = connError(StreamClosed, "HEADERS on a closed stream")

	errStreamFlow       = streamError(FlowControl, "more DATA than the stream's window")
	errStreamWindow     = streamError(FlowControl, "stream window over 2^31-1")
	errStreamWindowZero = streamError(ProtocolError, "WINDOW_UPDATE of 0 on a stream")
	errStreamClosed     = streamError(StreamClosed, "frame on a stream whose sender has ended it")
	errSelfDependency   = streamError(ProtocolError, "stream depends on itself")
	errPriorityLength   = streamError(FrameSize, "PRIORITY of a wrong length")
	errTrailerEnd       = streamError(ProtocolError, "trailers without END_STREAM")
	errTrailerPseudo    = streamError(ProtocolError, "pseudo-header in trailers")
	errDataBeforeHead   = streamError(ProtocolError, "DATA before the response's head")
	errLength           = streamError(ProtocolError, "content-length disagrees with the data")
	errFieldName        = streamError(ProtocolError, "malformed field name")
	errFieldValue       = streamError(ProtocolError, "malformed field value")
	errConnectionField  = streamError(ProtocolError, "field of an HTTP/1 connection")
	errPseudo           = streamError(ProtocolError, "unknown, repeated or late pseudo-header")
	errNoPseudo         = streamError(ProtocolError, "a pseudo-header is missing")
	errMethod           = streamError(ProtocolError, "malformed :method")
	errScheme           = streamError(ProtocolError, "malformed :scheme")
	errPath             = streamError(ProtocolError, "malformed :path")
	errAuthority        = streamError(ProtocolError, "missing or malformed :authority")
	errStatus           = streamError(ProtocolError, "malformed :status")
	errEndOf1xx         = streamError(ProtocolError, "an informational response ends the stream")
	errTooMany1xx       = streamError(EnhanceYourCalm, "too many informational responses")

	errTooManyFields = &Error{Code: EnhanceYourCalm, Details: "http2.too_many_headers", Reason: "header fields over the limit of fields"}
	errFieldsTooLong = &Error{Code: EnhanceYourCalm, Details: "http2.header_list_too_large", Reason: "header fields over the limit of bytes"}
	errRefusing      = &Error{Code: RefusedStream, Details: "http2.max_concurrent_streams", Reason: "more streams than SETTINGS_MAX_CONCURRENT_STREAMS"}

	errBlockTooLong    = flood("http2.header_overflow", "header block over the limit of bytes")
	errEmptyFrames     = flood("http2.inbound_empty_frames_flood", "too many frames with empty payload")
	errPriorityFlood   = flood("http2.inbound_priority_frames_flood", "too many PRIORITY frames")
	errWindowFlood     = flood("http2.inbound_window_update_frames_flood", "too many WINDOW_UPDATE frames")
	errControlFlood    = flood("http2.outbound_control_flood", "too many answers waiting for a peer that does not read")
	errOutboundFlood   = flood("http2.outbound_flood", "too many frames waiting for a peer that does not read")
	errPrematureResets = flood("too_many_premature_resets", "too many streams reset soon after they began")
	errInterrupted     = &Error{Code: Cancel, Details: "interrupted", Reason: "body interrupted"}
)

// flood is an abuse that ends the connection (Envoy 2.7, 11.3).
func flood(details, reason string) *Error {
	return &Error{Code: EnhanceYourCalm, Conn: true, Details: details, Reason: reason}
}

// remoteReset is the peer's RST_STREAM.
func remoteReset(code Code) *Error {
	if int(code) < len(remoteResets) {
		return remoteResets[code]
	}
	return remoteResets[InternalError]
}

var remoteResets = makeRemoteResets()

func makeRemoteResets() (list [14]*Error) {
	for code := range list {
		list[code] = &Error{Code: Code(code), Remote: true, Details: "http2.remote_reset", Reason: "stream reset"}
	}
	list[RefusedStream] = ErrRefused.(*Error)
	return list
}
