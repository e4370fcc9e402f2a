package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// ForwardedProto sets x-forwarded-proto if it is absent, from HTTP/2's :scheme
// if that is one of ours. A request of HTTP/1 gets a scheme, for HTTP/2
// upstreams, by the same field (Envoy 2.4, step 5). x-forwarded-for is left
// alone: App Mesh never created nor appended it (App Mesh 2.6).
func ForwardedProto(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		req := &ex.Request
		f := req.Header.Find(l7.NameXForwardedProto)
		if f == nil {
			req.Header.Add(l7.NameXForwardedProto, forwardedProtoName, known(req.Scheme))
		}
		switch {
		case req.Scheme != nil:
		case f == nil, req.Absolute, !alone(&req.Header, f):
			req.Scheme = httpScheme // no TLS of ours ends here
		default:
			req.Scheme = known(f.Value)
		}
		return next(ex)
	}
}

// known gives https for https, and http for everything else.
func known(scheme []byte) []byte {
	if l7.EqualFold(scheme, "https") {
		return httpsScheme
	}
	return httpScheme
}

// alone tells that no other field has the name of f, the first. Several values
// are joined by Envoy, and are then no valid scheme.
func alone(h *l7.Header, f *l7.Field) bool {
	for i := range h.Fields {
		if other := &h.Fields[i]; other.ID == f.ID && other.Name != nil && other != f {
			return false
		}
	}
	return true
}

var (
	forwardedProtoName = []byte("x-forwarded-proto")
	httpScheme         = []byte("http")
	httpsScheme        = []byte("https")
)
