package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// isGRPC tells a gRPC request by its content type: "application/grpc" or
// "application/grpc+...", not "application/grpc-web" (Envoy 2.3).
func isGRPC(req *l7.Request) bool {
	const want = "application/grpc"
	f := req.Header.Find(l7.NameContentType)
	if f == nil || len(f.Value) < len(want) || string(f.Value[:len(want)]) != want {
		return false
	}
	return len(f.Value) == len(want) || f.Value[len(want)] == '+'
}

// replyGRPC answers a gRPC request: 200 with the status in the head, which is
// all there is ("trailers-only"), on HTTP/1 as well (Envoy 2.3).
func replyGRPC(ex *l7.Exchange, f *l7.Failure) {
	resp := &ex.Response
	resp.Status = 200
	resp.Header.Add(l7.NameContentType, contentTypeName, applicationGRPC)
	resp.Header.Add(l7.NameGRPCStatus, grpcStatusName, grpcStatus(f))
	if f.Body != "" {
		resp.Header.Add(l7.NameGRPCMessage, grpcMessageName, grpcMessage(ex, f.Body))
	}
}

// grpcStatus is the gRPC status that a failure names, or the one for its HTTP
// status (gRPC: HTTP to gRPC status code mapping; Envoy 2.3).
func grpcStatus(f *l7.Failure) []byte {
	if f.GRPCStatus == l7.DeadlineExceeded {
		return grpcDeadlineExceeded
	}
	switch f.Status {
	case 400:
		return grpcInternal
	case 401:
		return grpcUnauthenticated
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 429, 502, 503, 504:
		return grpcUnavailable
	}
	return grpcUnknown
}

// grpcMessage writes a message into the exchange's scratch memory, percent-encoded
// (gRPC over HTTP/2: Percent-Encoded): all but printable ASCII, and the percent
// sign.
func grpcMessage(ex *l7.Exchange, text string) []byte {
	const digits = "0123456789ABCDEF"
	at := len(ex.Scratch)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			ex.Scratch = append(ex.Scratch, '%', digits[c>>4], digits[c&15])
		} else {
			ex.Scratch = append(ex.Scratch, c)
		}
	}
	return ex.Scratch[at:]
}

var (
	applicationGRPC = []byte("application/grpc")
	grpcStatusName  = []byte("grpc-status")
	grpcMessageName = []byte("grpc-message")

	grpcUnknown          = []byte("2")
	grpcDeadlineExceeded = []byte("4")
	grpcPermissionDenied = []byte("7")
	grpcUnimplemented    = []byte("12")
	grpcInternal         = []byte("13")
	grpcUnavailable      = []byte("14")
	grpcUnauthenticated  = []byte("16")
)
