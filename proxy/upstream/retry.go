package upstream

import (
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Retries (App Mesh 2.8, Envoy 3.6 and 3.7).
//
// Where we differ from App Mesh on purpose: its default policy replays every
// request, also one that is not idempotent and may have been processed. Ours
// replays such a request only if nothing of it was written; a setting restores
// App Mesh's way. A policy that a document gives is obeyed for all methods.
//
// Beside the policy, two things are always tried again. The policy is not asked,
// its count and the retry budget are not touched.
//
// Once: an idempotent request that met a kept connection in the moment its peer
// closed it (a stale connection).
//
// Up to refusalsMost times: a request that its HTTP/2 peer says it has not
// processed (GOAWAY that leaves it out, or REFUSED_STREAM; RFC 9113 8.7), whatever
// its method. The first time at once, for then it mostly is a peer that leaves;
// then after the policy's back-off, for it may be overloaded. After that it is
// the policy's matter.

// retriable tells whether the policy wants this outcome tried again.
func retriable(p *mesh.RetryPolicy, o outcome, ex *l7.Exchange) bool {
	switch o.reset {
	case answered:
		return retriableResponse(p, &ex.Response)
	case connectFailed, connectTimedOut:
		return p.On&(mesh.RetryConnectFailure|mesh.RetryReset) != 0
	case refusedStream:
		return p.On&(mesh.RetryRefusedStream|mesh.RetryReset) != 0
	case terminated, remoteReset, protocolBroken, tryTimedOut, localReset:
		return p.On&mesh.RetryReset != 0
	}
	return false
}

func retriableResponse(p *mesh.RetryPolicy, resp *l7.Response) bool {
	if resp.Upgraded {
		return false
	}
	if slices.Contains(p.StatusCodes, resp.Status) || p.GRPCStatus != 0 && grpcRetriable(p, resp) {
		// Only a response that is about to be retried is looked at so closely
		// (Envoy: x-envoy-ratelimited forbids all other conditions).
		return resp.Header.Lookup("x-envoy-ratelimited") == nil
	}
	return false
}

// grpcRetriable looks at grpc-status in the headers (trailers-only responses).
func grpcRetriable(p *mesh.RetryPolicy, resp *l7.Response) bool {
	f := resp.Header.Find(l7.NameGRPCStatus)
	if f == nil || len(f.Value) == 0 || len(f.Value) > 2 {
		return false
	}
	n := 0
	for _, c := range f.Value {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n < 32 && p.GRPCStatus&(1<<n) != 0
}

// refusalsMost is how often a request that was not processed is sent again beside
// the policy.
const refusalsMost = 3

// beside tells whether a request is sent again whatever the policy says.
func (f *forwarding) beside(o outcome) bool {
	switch o.reset {
	case refusedStream:
		return f.refusals < refusalsMost
	case terminated:
		return !f.staleOnce && o.reused && idempotent(f.ex.Request.Method)
	}
	return false
}

// safe tells whether the request may be sent a second time without harm.
func safe(o outcome, ex *l7.Exchange) bool {
	return o.reset == refusedStream || !o.wrote && o.reset != answered || idempotent(ex.Request.Method)
}

// idempotent methods have the same effect once or twice (RFC 9110 9.2.2).
func idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
