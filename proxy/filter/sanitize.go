package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// Sanitize removes x-forwarded-client-cert (App Mesh 2.6: sanitised, so that
// nobody can claim a certificate) and the x-envoy-* headers by which a caller could steer the
// proxy. App Mesh ran Envoy with use_remote_address false, where a request is
// external unless X-Forwarded-For holds one internal address; from 1.33 on
// none is internal. So every request is a stranger's (Envoy 2.4, step 7).
func Sanitize(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		fields := ex.Request.Header.Fields
		for i := range fields {
			switch f := &fields[i]; {
			case f.ID == l7.NameXForwardedClientCert, f.ID == l7.NameXEnvoy && steers(f.Name):
				f.Name = nil
			}
		}
		return next(ex)
	}
}

// steers tells the names that are taken out, by what follows "x-envoy-".
func steers(name []byte) bool {
	for _, s := range [...]string{
		"internal",
		"retriable-status-codes",
		"retriable-header-names",
		"retry-on",
		"retry-grpc-on",
		"max-retries",
		"upstream-alt-stat-name",
		"upstream-rq-timeout-ms",
		"upstream-rq-per-try-timeout-ms",
		"upstream-rq-timeout-alt-response",
		"upstream-stream-duration-ms",
		"expected-rq-timeout-ms",
		"force-trace",
		"ip-tags",
		"original-url",
		"hedge-on-per-try-timeout",
	} {
		if len(name) == len(s)+8 && l7.EqualFold(name[8:], s) {
			return true
		}
	}
	return false
}
