package telemetry

import (
	"bytes"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// appendMessage answers from the heads of request and response.
func (op *operator) appendMessage(dst []byte, r *stat.Record) (out []byte, ok bool) {
	from := len(dst)
	switch op.code {
	case opRequestHeader, opRequestNoQuery:
		if dst, ok = appendRequest(dst, r, op.name); !ok && op.alternative != "" {
			dst, ok = appendRequest(dst, r, op.alternative)
		}
		if op.code == opRequestNoQuery {
			dst = cutQuery(dst, from)
		}
	case opResponseHeader:
		if dst, ok = appendResponse(dst, r, op.name); !ok && op.alternative != "" {
			dst, ok = appendResponse(dst, r, op.alternative)
		}
	case opTrailer:
		if dst, ok = appendField(dst, r.Trailer, op.name); !ok && op.alternative != "" {
			dst, ok = appendField(dst, r.Trailer, op.alternative)
		}
	case opGRPCStatus:
		return appendGRPCStatus(dst, r, op.name)
	case opPath:
		dst, ok = op.appendPath(dst, r)
	case opQuery:
		dst, ok = appendQuery(dst, r.Path, op.name)
	}
	clean(dst[from:])
	return dst, ok
}

func appendRequest(dst []byte, r *stat.Record, name string) ([]byte, bool) {
	switch name {
	case ":method":
		return append(dst, r.Method...), len(r.Method) > 0
	case ":path":
		return append(dst, r.Path...), len(r.Path) > 0
	case ":authority", "host":
		return append(dst, r.Authority...), len(r.Authority) > 0
	case ":scheme":
		// Plaintext is all that is served today; TLS will bring its own field.
		if len(r.Method) == 0 {
			return dst, false
		}
		return append(dst, "http"...), true
	}
	return appendField(dst, r.Request, name)
}

func appendResponse(dst []byte, r *stat.Record, name string) ([]byte, bool) {
	if name == ":status" {
		return strconv.AppendInt(dst, int64(r.Code), 10), r.Code != 0
	}
	return appendField(dst, r.Response, name)
}

func appendField(dst []byte, fields stat.Fields, name string) ([]byte, bool) {
	if fields == nil {
		return dst, false
	}
	return fields.Append(dst, name)
}

// cutQuery cuts what follows ? in dst[from:].
func cutQuery(dst []byte, from int) []byte {
	if i := bytes.IndexByte(dst[from:], '?'); i >= 0 {
		return dst[:from+i]
	}
	return dst
}

func (op *operator) appendPath(dst []byte, r *stat.Record) (out []byte, ok bool) {
	from := len(dst)
	if op.name != "PATH" {
		dst, ok = appendField(dst, r.Request, "x-envoy-original-path")
	}
	if !ok && op.name != "ORIG" {
		dst, ok = append(dst, r.Path...), len(r.Path) > 0
	}
	if op.alternative == "NQ" {
		dst = cutQuery(dst, from)
	}
	return dst, ok
}

// appendQuery appends the first value of a query parameter, as it was sent.
func appendQuery(dst, path []byte, name string) ([]byte, bool) {
	_, query, _ := bytes.Cut(path, []byte("?"))
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		if string(key) == name {
			return append(dst, value...), true
		}
	}
	return dst, false
}

// appendGRPCStatus looks for grpc-status in the trailers, then in the headers
// of a response without a body.
func appendGRPCStatus(dst []byte, r *stat.Record, form string) ([]byte, bool) {
	from := len(dst)
	dst, ok := appendField(dst, r.Trailer, "grpc-status")
	if !ok {
		dst, ok = appendField(dst, r.Response, "grpc-status")
	}
	if !ok {
		return dst, false
	}
	status := 0
	for _, c := range dst[from:] {
		if c < '0' || c > '9' || status > 1000 {
			return append(dst[:from], "InvalidCode"...), form != "NUMBER"
		}
		status = status*10 + int(c-'0')
	}
	if form == "NUMBER" {
		return dst, len(dst) > from
	}
	if status >= len(grpcStatus) {
		return dst, true
	}
	name := grpcStatus[status].camel
	if form == "SNAKE_STRING" {
		name = grpcStatus[status].snake
	}
	return append(dst[:from], name...), true
}

var grpcStatus = [...]struct{ camel, snake string }{
	{"OK", "OK"},
	{"Canceled", "CANCELLED"},
	{"Unknown", "UNKNOWN"},
	{"InvalidArgument", "INVALID_ARGUMENT"},
	{"DeadlineExceeded", "DEADLINE_EXCEEDED"},
	{"NotFound", "NOT_FOUND"},
	{"AlreadyExists", "ALREADY_EXISTS"},
	{"PermissionDenied", "PERMISSION_DENIED"},
	{"ResourceExhausted", "RESOURCE_EXHAUSTED"},
	{"FailedPrecondition", "FAILED_PRECONDITION"},
	{"Aborted", "ABORTED"},
	{"OutOfRange", "OUT_OF_RANGE"},
	{"Unimplemented", "UNIMPLEMENTED"},
	{"Internal", "INTERNAL"},
	{"Unavailable", "UNAVAILABLE"},
	{"DataLoss", "DATA_LOSS"},
	{"Unauthenticated", "UNAUTHENTICATED"},
}
