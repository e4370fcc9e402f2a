package appmesh

import (
	"errors"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// The spec of a route (App Mesh 1.5).
var (
	headerValue = union(
		opt("exact", verbatim(1, 255)), opt("prefix", verbatim(1, 255)), opt("suffix", verbatim(1, 255)),
		opt("regex", pattern(255)),
		opt("range", obj(req("start", integer(-unlimited, unlimited)), req("end", integer(-unlimited, unlimited))).ruled(rangeRule)))

	headers = listOf(obj(
		req("name", textOf(1, 50)),
		opt("invert", truth()),
		opt("match", headerValue)), 1, 10).ruled(headersRule)

	queryParameters = listOf(obj(
		req("name", textOf(1, unlimited)),
		opt("match", obj(opt("exact", verbatim(0, unlimited))))), 1, 10)

	pathMatch = union(opt("exact", verbatim(1, 255)), opt("regex", pattern(255)))

	method = word("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")

	routeAction = obj(req("weightedTargets", listOf(obj(
		req("virtualNode", reference()),
		req("weight", integer(0, 100)),
		opt("port", port)), 1, 10).ruled(weightRule)))

	tcpRetryEvents  = listOf(word("connection-error"), 1, 1)
	httpRetryEvents = listOf(word("server-error", "gateway-error", "client-error", "stream-error"), 1, 25)
	grpcRetryEvents = listOf(word("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"), 1, 5)

	httpRetryPolicy = obj(
		req("maxRetries", integer(0, unlimited)),
		req("perRetryTimeout", duration),
		opt("httpRetryEvents", httpRetryEvents),
		opt("tcpRetryEvents", tcpRetryEvents)).ruled(retryRule)

	grpcRetryPolicy = obj(
		req("maxRetries", integer(0, unlimited)),
		req("perRetryTimeout", duration),
		opt("grpcRetryEvents", grpcRetryEvents),
		opt("httpRetryEvents", httpRetryEvents),
		opt("tcpRetryEvents", tcpRetryEvents)).ruled(retryRule)

	httpRoute = obj(
		req("match", obj(
			opt("prefix", verbatim(1, unlimited)),
			opt("path", pathMatch),
			opt("method", method),
			opt("scheme", word("http", "https")),
			opt("headers", headers),
			opt("queryParameters", queryParameters),
			opt("port", port)).atMostOne("prefix", "path").ruled(pathRule)),
		req("action", routeAction),
		opt("retryPolicy", httpRetryPolicy),
		opt("timeout", httpTimeout))

	grpcRoute = obj(
		req("match", obj(
			opt("serviceName", textOf(1, unlimited)),
			opt("methodName", textOf(1, 50)),
			opt("metadata", headers),
			opt("port", port)).ruled(methodNameRule)),
		req("action", routeAction),
		opt("retryPolicy", grpcRetryPolicy),
		opt("timeout", httpTimeout))

	tcpRoute = obj(
		opt("match", obj(opt("port", port))),
		req("action", routeAction),
		opt("timeout", tcpTimeout))

	routeSpec = obj(
		opt("httpRoute", httpRoute),
		opt("http2Route", httpRoute),
		opt("grpcRoute", grpcRoute),
		opt("tcpRoute", tcpRoute),
		opt("priority", integer(0, 1000)),
	).exactlyOne("httpRoute", "http2Route", "grpcRoute", "tcpRoute")
)

// pattern is a regular expression in RE2's syntax.
func pattern(most int64) *shape {
	return verbatim(1, most).ruled(func(c *checker, v *value, p *path) {
		switch _, err := mesh.CompilePattern(v.text); {
		case err == nil:
		case errors.Is(err, mesh.ErrPatternSize):
			c.failValue(v, p, err.Error(), "")
		default:
			c.failValue(v, p, "not a regular expression of RE2: "+strings.TrimPrefix(errors.Unwrap(err).Error(), "error parsing regexp: "),
				"RE2 has no look-ahead, look-behind or back-references")
		}
	})
}

func rangeRule(c *checker, v *value, p *path) {
	if start, end := v.get("start"), v.get("end"); start != nil && end != nil && end.int() <= start.int() {
		c.failValue(end, p.name("end"), "must be greater than start, "+start.str(), "start is included, end is not")
	}
}

func weightRule(c *checker, v *value, p *path) {
	var sum int64
	for _, item := range v.items {
		if !item.has("weight") {
			return
		}
		sum += item.get("weight").int()
	}
	if sum == 0 && len(v.items) > 0 {
		c.warn(v.at, p, "all weights are 0", "every request is answered 503")
	} else if sum > 100 {
		c.warn(v.at, p, "weights add up to more than 100, which App Mesh refused", "they are shared in proportion")
	}
}

func retryRule(c *checker, v *value, p *path) {
	if !v.has("httpRetryEvents") && !v.has("tcpRetryEvents") && !v.has("grpcRetryEvents") {
		c.warn(v.at, p, "names no events, so that nothing is retried", "add httpRetryEvents, tcpRetryEvents or grpcRetryEvents")
	}
}

func methodNameRule(c *checker, v *value, p *path) {
	if m := v.get("methodName"); m != nil && !v.has("serviceName") {
		c.failValue(m, p.name("methodName"), "needs serviceName", "")
	}
}
