package h1

// Error is a message that breaks the protocol. On a request, Status and Text
// are the answer, after which the connection must be closed; a Status of 0 says
// that it is to be closed without one. On a response they are not used: the
// answer is 502.
type Error struct {
	Status  int
	Text    string // the reason phrase, which is also Envoy's body
	Details string // Envoy: RESPONSE_CODE_DETAILS
	Reason  string // what is wrong, for the process log
}

// Error says what is wrong.
func (e *Error) Error() string { return "http/1: " + e.Reason }

func malformed(reason string) *Error {
	return &Error{400, "Bad Request", "http1.codec_error", reason}
}

var (
	errBareLF      = malformed("line ends in a bare LF")
	errBareCR      = malformed("CR inside a line")
	errRequestLine = malformed("malformed request line")
	// What no HTTP/1 client sends gets no answer that only one could read (RFC
	// 9113 3.4: a broken preface).
	errNotHTTP      = &Error{0, "", "http1.codec_error", "first line without HTTP at its end"}
	errMethod       = malformed("method is not a token")
	errTarget       = malformed("malformed request target")
	errStatusLine   = malformed("malformed status line")
	errFieldName    = malformed("malformed field name")
	errFieldValue   = malformed("control character in a field value")
	errFold         = malformed("folded field line")
	errLength       = malformed("malformed content-length")
	errLengths      = malformed("several content-length fields")
	errLengthAndTE  = malformed("content-length together with transfer-encoding")
	errTEOn10       = malformed("transfer-encoding on HTTP/1.0")
	errTEOrder      = malformed("malformed transfer-encoding")
	errConnectBody  = malformed("CONNECT with a body")
	errHost         = malformed("malformed host")
	errHosts        = malformed("several host fields")
	errNoHost       = &Error{400, "", "missing_host_header", "no host field"}
	errConnection   = &Error{400, "Bad Request", "http1.connection_header_rejected", "connection names a field that frames or routes the message"}
	errChunk        = malformed("malformed chunk")
	errChunkTooLong = malformed("chunk size or extension too long")

	// Envoy: https in an absolute target over plaintext.
	errScheme      = &Error{403, "Forbidden", "http1.codec_error", "https target on a plaintext connection"}
	errVersion     = &Error{505, "HTTP Version Not Supported", "http1.codec_error", "version is neither HTTP/1.0 nor HTTP/1.1"}
	errCoding      = &Error{501, "Not Implemented", "http1.invalid_transfer_encoding", "unknown transfer coding"}
	errHeadTooLong = &Error{431, "Request Header Fields Too Large", "http1.headers_too_large", "header fields over the limit of bytes"}
	errTooMany     = &Error{431, "Request Header Fields Too Large", "http1.too_many_headers", "header fields over the limit of fields"}
)
