package appmesh

import "strings"

// The specs of virtual gateway and gateway route (App Mesh 1.6 and 1.7).
var (
	gatewayListener = obj(
		req("portMapping", obj(req("port", port), req("protocol", word("http", "http2", "grpc", "https")))),
		opt("tls", listenerTLS),
		opt("healthCheck", healthCheck("http", "http2", "grpc")),
		opt("connectionPool", union(opt("http", poolHTTP), opt("http2", poolHTTP2), opt("grpc", poolHTTP2))),
	).ruled(listenerRule)

	gatewaySpec = obj(
		req("listeners", listOf(gatewayListener, 1, unlimited).ruled(portsDiffer)),
		opt("backendDefaults", backendDefaults),
		opt("logging", logging))

	hostnameMatch = union(opt("exact", textOf(1, 253)), opt("suffix", textOf(1, 253))).ruled(hostnameRule)

	enabled = word("ENABLED", "DISABLED")

	hostnameRewrite = obj(req("defaultTargetHostname", enabled))

	gatewayTarget = obj(
		req("virtualService", obj(req("virtualServiceName", reference()))),
		opt("port", port))

	gatewayHTTPRoute = obj(
		req("match", obj(
			opt("prefix", verbatim(1, unlimited)),
			opt("path", pathMatch),
			opt("hostname", hostnameMatch),
			opt("headers", headers),
			opt("queryParameters", queryParameters),
			opt("method", method),
			opt("port", port)).atMostOne("prefix", "path").ruled(gatewayPathRule)),
		req("action", obj(
			req("target", gatewayTarget),
			opt("rewrite", obj(
				opt("hostname", hostnameRewrite),
				opt("prefix", union(opt("defaultPrefix", enabled), opt("value", verbatim(1, 255)))),
				opt("path", obj(req("exact", verbatim(1, 255))))).atMostOne("prefix", "path").ruled(rewriteRule))))).ruled(prefixRule)

	gatewayGRPCRoute = obj(
		req("match", obj(
			opt("serviceName", textOf(1, unlimited)),
			opt("hostname", hostnameMatch),
			opt("metadata", headers),
			opt("port", port)).ruled(gatewayServiceRule)),
		req("action", obj(
			req("target", gatewayTarget),
			opt("rewrite", obj(opt("hostname", hostnameRewrite))))))

	gatewayRouteSpec = obj(
		opt("httpRoute", gatewayHTTPRoute),
		opt("http2Route", gatewayHTTPRoute),
		opt("grpcRoute", gatewayGRPCRoute),
		opt("priority", integer(0, 1000)),
	).exactlyOne("httpRoute", "http2Route", "grpcRoute")
)

// hostnameRule: a hostname is a host's alone; a suffix may be written with the
// "*" that App Mesh left out.
func hostnameRule(c *checker, v *value, p *path) {
	for _, name := range []string{"exact", "suffix"} {
		host := v.get(name)
		if host == nil {
			continue
		}
		rest := host.text
		if name == "suffix" {
			rest = strings.TrimPrefix(rest, "*")
		}
		switch {
		case strings.Contains(rest, ":"):
			c.failValue(host, p.name(name), "a hostname cannot hold a port", "match.port names the gateway's listener")
		case name == "exact" && strings.HasPrefix(rest, "*"):
			c.failValue(host, p.name(name), "is a pattern, not a hostname", `write {"suffix": "`+strings.TrimPrefix(rest, "*")+`"}`)
		case strings.ContainsFunc(rest, notInHost):
			c.warnValue(host, p.name(name), "can never match: no host has such a name", "")
		}
	}
}

func gatewayPathRule(c *checker, v *value, p *path) {
	pathRule(c, v, p)
	if !v.has("prefix") && !v.has("path") && !v.has("hostname") {
		c.fail(v.at, p, "needs prefix, path or hostname", "")
	}
	if prefix := v.get("prefix"); prefix != nil &&
		(strings.HasPrefix(prefix.text, "/aws-appmesh") || strings.HasPrefix(prefix.text, "/aws-app-mesh")) {
		c.failValue(prefix, p.name("prefix"), "is reserved", "")
	}
}

func gatewayServiceRule(c *checker, v *value, p *path) {
	service := v.get("serviceName")
	if service == nil && !v.has("hostname") {
		c.fail(v.at, p, "needs serviceName or hostname", "")
	}
	if service != nil && (strings.HasPrefix(service.text, "aws.appmesh") || strings.HasPrefix(service.text, "aws.app-mesh")) {
		c.failValue(service, p.name("serviceName"), "is reserved", "")
	}
}

func rewriteRule(c *checker, v *value, p *path) {
	if prefix := v.get("prefix", "value"); prefix != nil &&
		(!strings.HasPrefix(prefix.text, "/") || !strings.HasSuffix(prefix.text, "/")) {
		c.failValue(prefix, p.name("prefix").name("value"), `must begin and end with "/"`, "")
	}
	if exact := v.get("path", "exact"); exact != nil && (!strings.HasPrefix(exact.text, "/") || strings.ContainsAny(exact.text, "?#")) {
		c.failValue(exact, p.name("path").name("exact"), `must begin with "/" and hold no query`, "the query of the request is kept")
	}
}

// prefixRule: a path that is matched whole has no prefix to rewrite.
func prefixRule(c *checker, v *value, p *path) {
	prefix := v.get("action", "rewrite", "prefix")
	if v.get("match").has("path") && prefix != nil && prefix.get("defaultPrefix").str() != "DISABLED" {
		c.warn(prefix.at, p.name("action").name("rewrite").name("prefix"), "does nothing: match.path is matched whole", "rewrite.path replaces it")
	}
}
