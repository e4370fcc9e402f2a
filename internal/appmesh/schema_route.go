package appmesh

import (
	"errors"
	"math"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// The spec of a route (App Mesh 1.5).
var (
	headerValue = union(
		opt("exact", verbatim(1, 255)).says("the whole value"),
		opt("prefix", verbatim(1, 255)).says("what the value begins with"),
		opt("suffix", verbatim(1, 255)).says("what the value ends in"),
		opt("regex", pattern(255)).says("an RE2 expression that matches the whole value"),
		opt("range", obj(
			req("start", integer(math.MinInt64, math.MaxInt64)).says("the least number"),
			req("end", integer(math.MinInt64, math.MaxInt64)).says("the first number past the range")).ruled(rangeRule)).says("a whole number between two others")).named("HeaderMatchMethod")

	headers = listOf(obj(
		req("name", textOf(1, 50)).says("name of the header, in any case"),
		opt("invert", truth()).says("whether it matches where the value does not").or("false"),
		opt("match", headerValue).says("what the value must be").or("any")), 1, 10).ruled(headersRule).named("Headers")

	queryParameters = listOf(obj(
		req("name", textOf(1, unlimited)).says("name of the parameter"),
		opt("match", obj(opt("exact", verbatim(0, unlimited)).says("the value as sent, percent signs and all"))).says("what the value must be").or("any")), 1, 10).named("QueryParameters")

	pathMatch = union(
		opt("exact", verbatim(1, 255)).says("the path without its query"),
		opt("regex", pattern(255)).says("an RE2 expression that matches the whole path without its query")).named("HttpPathMatch")

	method = word("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")

	routeAction = obj(req("weightedTargets", listOf(obj(
		req("virtualNode", reference()).says("name of the node, or its ARN"),
		req("weight", integer(0, 100)).says("its share, of the sum of all weights"),
		opt("port", port).says("the node's listener; needed where it has several")), 1, 10).ruled(weightRule)).says("the nodes that share the traffic")).named("RouteAction")

	tcpRetryEvents  = listOf(word("connection-error"), 1, 1)
	httpRetryEvents = listOf(word("server-error", "gateway-error", "client-error", "stream-error"), 1, 25)
	grpcRetryEvents = listOf(word("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"), 1, 5)

	maxRetries      = req("maxRetries", integer(0, greatest)).says("tries after the first")
	perRetryTimeout = req("perRetryTimeout", duration).says("how long each try may take, the first too")
	onHTTP          = opt("httpRetryEvents", httpRetryEvents).says("answers that are tried again: 5xx, 502 to 504, 409, a refused stream")
	onTCP           = opt("tcpRetryEvents", tcpRetryEvents).says("connections that fail are tried again")

	httpRetryPolicy = obj(maxRetries, perRetryTimeout, onHTTP, onTCP).ruled(retryRule).named("HttpRetryPolicy")

	grpcRetryPolicy = obj(maxRetries, perRetryTimeout,
		opt("grpcRetryEvents", grpcRetryEvents).says("gRPC statuses that are tried again"), onHTTP, onTCP).ruled(retryRule)

	httpRoute = obj(
		req("match", obj(
			opt("prefix", verbatim(1, unlimited).of("^/")).says("what the path begins with; / is any path"),
			opt("path", pathMatch).says("the whole path"),
			opt("method", method).says("the method").or("any"),
			opt("scheme", word("http", "https")).says("the scheme").or("either"),
			opt("headers", headers).says("headers, all of which must match"),
			opt("queryParameters", queryParameters).says("parameters of the query, all of which must match"),
			opt("port", port).says("port of the router's listener; needed where it has several").or("any")).atMostOne("prefix", "path").ruled(pathRule)).says("which requests"),
		req("action", routeAction).says("where they go"),
		opt("retryPolicy", httpRetryPolicy).says("what is tried again").or("App Mesh's: twice, on 503, UNAVAILABLE, refused streams and failed connections"),
		opt("timeout", httpTimeout).says("timeouts of the caller")).named("HttpRoute")

	grpcRoute = obj(
		req("match", obj(
			opt("serviceName", textOf(1, unlimited)).says("the gRPC service, with its package").or("any"),
			opt("methodName", textOf(1, 50)).says("the method of the service, which must be named too").or("any"),
			opt("metadata", headers).says("metadata, all of which must match"),
			opt("port", port).says("port of the router's listener; needed where it has several").or("any")).ruled(methodNameRule).together("methodName", "serviceName")).says("which calls"),
		req("action", routeAction).says("where they go"),
		opt("retryPolicy", grpcRetryPolicy).says("what is tried again").or("App Mesh's: twice, on 503, UNAVAILABLE, refused streams and failed connections"),
		opt("timeout", httpTimeout).says("timeouts of the caller"))

	tcpRoute = obj(
		opt("match", obj(opt("port", port).says("port of the router's listener; needed where it has several").or("any"))).says("which connections").or("all"),
		req("action", routeAction).says("where they go"),
		opt("timeout", tcpTimeout).says("timeout of the caller"))

	routeSpec = obj(
		opt("httpRoute", httpRoute).says("of http listeners"),
		opt("http2Route", httpRoute).says("of http2 listeners"),
		opt("grpcRoute", grpcRoute).says("of grpc listeners"),
		opt("tcpRoute", tcpRoute).says("of tcp listeners"),
		opt("priority", integer(0, 1000)).says("the lower goes first").or("after those with one"),
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
