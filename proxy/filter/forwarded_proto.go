package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// ForwardedProto sets x-forwarded-proto if it is absent. x-forwarded-for is
// left alone: App Mesh never created nor appended it (App Mesh 2.6).
func ForwardedProto(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		if h := &ex.Request.Header; h.Find(l7.NameXForwardedProto) == nil {
			h.Add(l7.NameXForwardedProto, forwardedProtoName, httpScheme)
		}
		return next(ex)
	}
}

var (
	forwardedProtoName = []byte("x-forwarded-proto")
	httpScheme         = []byte("http")
)
