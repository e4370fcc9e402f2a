package upstream

import (
	"math"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// GRPCTimeout says what a request's grpc-timeout does. It is passed on in any
// case.
type GRPCTimeout uint8

const (
	// PassGRPCTimeout: nothing else (App Mesh).
	PassGRPCTimeout GRPCTimeout = iota
	// LimitByGRPCTimeout: it takes the place of the route's timeout where it is
	// shorter, or where the route has none (Envoy: max_grpc_timeout). It is
	// counted as the route's is, from the end of the request, in whole
	// milliseconds; one of 0, which gRPC does not allow, is as none.
	LimitByGRPCTimeout
)

// isGRPC tells a gRPC request (Envoy 2.3: application/grpc, alone or with +).
func isGRPC(req *l7.Request) bool {
	if string(req.Method) != "POST" {
		return false
	}
	f := req.Header.Find(l7.NameContentType)
	if f == nil {
		return false
	}
	const grpc = "application/grpc"
	return len(f.Value) >= len(grpc) && string(f.Value[:len(grpc)]) == grpc &&
		(len(f.Value) == len(grpc) || f.Value[len(grpc)] == '+')
}

// beginGRPC finds the cells of a gRPC request and what bounds it.
func (f *forwarding) beginGRPC() {
	f.grpc = f.cluster.grpc.find(f.ex.Request.Target)
	if f.cluster.manager.settings.GRPCTimeout != LimitByGRPCTimeout {
		return
	}
	if d := grpcTimeout(&f.ex.Request); d > 0 {
		f.timeout = earlier(f.timeout, (d + time.Millisecond - 1).Truncate(time.Millisecond))
	}
}

// callerOverdue tells that the deadline of a gRPC caller has passed. An app that
// keeps it ends the stream then, maybe before the caller's own clock does: who
// calls must not take that for an app that could not be reached, and nothing is
// worth another attempt (Envoy answers UNAVAILABLE here, which invites one).
// Ours is counted from the request's first byte, which the app saw later: what
// its deadline ends does not come too early.
func (f *forwarding) callerOverdue() bool {
	if f.grpc == nil {
		return false
	}
	d := grpcTimeout(&f.ex.Request)
	return d > 0 && sock.Now()-f.ex.Start >= d
}

// grpcTimeout is what a request's grpc-timeout says; 0 is nothing.
func grpcTimeout(req *l7.Request) time.Duration {
	if field := req.Header.Lookup("grpc-timeout"); field != nil {
		return parseGRPCTimeout(field.Value)
	}
	return 0
}

// failGRPC counts a gRPC request that was not even begun.
func (c *Cluster) failGRPC(req *l7.Request) {
	if isGRPC(req) {
		c.grpc.find(req.Target).count(false)
	}
}

// parseGRPCTimeout reads 1 to 8 digits and a unit (Envoy 3.5): H, M, S, m, u or
// n. What is malformed is 0.
func parseGRPCTimeout(value []byte) time.Duration {
	n := len(value) - 1
	if n < 1 || n > 8 {
		return 0
	}
	var unit time.Duration
	switch value[n] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0
	}
	var count time.Duration
	for _, c := range value[:n] {
		if c < '0' || c > '9' {
			return 0
		}
		count = count*10 + time.Duration(c-'0')
	}
	if count > math.MaxInt64/unit {
		return math.MaxInt64 / 2 // a deadline is a sum
	}
	return count * unit
}

// grpcStatus is what a head or trailers say of grpc-status.
type grpcStatus uint8

const (
	grpcSilent grpcStatus = iota
	grpcOK
	grpcNotOK
)

func grpcStatusOf(h *l7.Header) grpcStatus {
	switch f := h.Find(l7.NameGRPCStatus); {
	case f == nil:
		return grpcSilent
	case string(f.Value) == "0":
		return grpcOK
	}
	return grpcNotOK
}

// grpcSucceeded tells whether a response that was passed on as a whole says so:
// in its trailers, or in its head when it has no others.
func (f *forwarding) grpcSucceeded() bool {
	status := f.grpcHead
	if trailer := f.body.Trailer(); status == grpcSilent && trailer != nil {
		status = grpcStatusOf(trailer)
	}
	return status == grpcOK
}
