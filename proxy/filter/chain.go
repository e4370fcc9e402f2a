package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// HTTP wraps the router of an HTTP chain in the stages every exchange passes.
// The order is Envoy's (2.2 to 2.5), seen from outside:
//
//	ResponseHeaders  server and date, on the way up
//	LocalReply       a failure below becomes a response
//	Sanitize         x-envoy-* control headers of strangers are taken out
//	ForwardedFor     x-forwarded-for, where the setting asks for it
//	ForwardedProto   x-forwarded-proto, if absent
//	RequestID        x-request-id, if absent
//	ServiceTime      x-envoy-upstream-service-time, on the way up
func HTTP(router l7.Handler, clock Clock, forwarded Forwarded) l7.Handler {
	return l7.Chain(router,
		ResponseHeaders(clock),
		LocalReply,
		Sanitize,
		ForwardedFor(forwarded),
		ForwardedProto,
		RequestID,
		ServiceTime,
	)
}

// Gateway is HTTP for a virtual gateway's listener, with one stage more, the
// innermost:
//
//	VirtualService   x-app-mesh-virtual-service of strangers is taken out
func Gateway(router l7.Handler, clock Clock, forwarded Forwarded) l7.Handler {
	return HTTP(VirtualService(router), clock, forwarded)
}
