package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// HTTP wraps the router of an HTTP chain in the stages every exchange passes.
// The order is Envoy's (2.2 to 2.5), seen from outside:
//
//	ResponseHeaders  server and date, on the way up
//	LocalReply       a failure below becomes a response
//	Sanitize         x-envoy-* control headers of strangers are taken out
//	ForwardedProto   x-forwarded-proto, if absent
//	RequestID        x-request-id, if absent
//	ServiceTime      x-envoy-upstream-service-time, on the way up
func HTTP(router l7.Handler, clock Clock) l7.Handler {
	return l7.Chain(router,
		ResponseHeaders(clock),
		LocalReply,
		Sanitize,
		ForwardedProto,
		RequestID,
		ServiceTime,
	)
}
