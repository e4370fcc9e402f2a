package appmesh

import "strings"

// The specs of virtual gateway and gateway route (App Mesh 1.6 and 1.7).
var (
	gatewayListener = obj(
		req("portMapping", obj(
			req("port", port).says("the port that is listened on"),
			req("protocol", word("http", "http2", "grpc", "https")).says("what is spoken there; https, which App Mesh does not know, is http and TLS required"))).says("port and protocol"),
		opt("tls", listenerTLS).says("TLS towards clients").or("plaintext only"),
		opt("healthCheck", healthCheck("http", "http2", "grpc")).says("how those in front check the gateway"),
		opt("connectionPool", union(
			opt("http", poolHTTP).says("limits of an http listener"), opt("http2", poolHTTP2).says("limits of an http2 listener"),
			opt("grpc", poolHTTP2).says("limits of a grpc listener"))).says("limits, under the listener's protocol").or("unlimited"),
	).ruled(listenerRule)

	gatewaySpec = obj(
		req("listeners", listOf(gatewayListener, 1, unlimited).ruled(portsDiffer)).says("ports on which the gateway takes traffic, each once"),
		opt("backendDefaults", backendDefaults).says("what holds for all that the gateway calls"),
		opt("logging", logging).says("the access log"))

	hostnameMatch = union(
		opt("exact", textOf(1, 253).of("^[^:]*$")).says("the whole host name, without a port"),
		opt("suffix", textOf(1, 253).of("^[^:]*$")).says("the end of the host name, as in .example.com")).ruled(hostnameRule).named("GatewayRouteHostnameMatch")

	enabled = word("ENABLED", "DISABLED")

	hostnameRewrite = obj(req("defaultTargetHostname", enabled).says("whether the Host becomes the virtual service's name")).named("GatewayRouteHostnameRewrite")

	gatewayTarget = obj(
		req("virtualService", obj(req("virtualServiceName", reference()).says("name of the virtual service, or its ARN"))).says("who answers"),
		opt("port", port).says("port of the virtual service; needed where it has several")).named("GatewayRouteTarget")

	gatewayHTTPRoute = obj(
		req("match", obj(
			opt("prefix", verbatim(1, unlimited).of("^/")).says("what the path begins with; / is any path"),
			opt("path", pathMatch).says("the whole path"),
			opt("hostname", hostnameMatch).says("the host asked for").or("any"),
			opt("headers", headers).says("headers, all of which must match"),
			opt("queryParameters", queryParameters).says("parameters of the query, all of which must match"),
			opt("method", method).says("the method").or("any"),
			opt("port", port).says("port of the gateway's listener; needed where it has several").or("any")).atMostOne("prefix", "path").ruled(gatewayPathRule).anyOf("prefix", "path", "hostname")).says("which requests"),
		req("action", obj(
			req("target", gatewayTarget).says("where they go"),
			opt("rewrite", obj(
				opt("hostname", hostnameRewrite).says("the Host header").or("ENABLED"),
				opt("prefix", union(
					opt("defaultPrefix", enabled).says("whether the prefix that matched becomes /"),
					opt("value", verbatim(1, 255).of("^/(.*/)?$")).says("what it becomes"))).says("the beginning of the path").or("defaultPrefix ENABLED"),
				opt("path", obj(req("exact", verbatim(1, 255).of("^/[^?#]*$")).says("the path that is sent"))).says("the whole path")).atMostOne("prefix", "path").ruled(rewriteRule)).
				says("what is changed on the way"))).says("what becomes of them")).ruled(prefixRule).named("HttpGatewayRoute")

	gatewayGRPCRoute = obj(
		req("match", obj(
			opt("serviceName", textOf(1, unlimited)).says("the gRPC service, with its package"),
			opt("hostname", hostnameMatch).says("the host asked for").or("any"),
			opt("metadata", headers).says("metadata, all of which must match"),
			opt("port", port).says("port of the gateway's listener; needed where it has several").or("any")).ruled(gatewayServiceRule).anyOf("serviceName", "hostname")).says("which calls"),
		req("action", obj(
			req("target", gatewayTarget).says("where they go"),
			opt("rewrite", obj(opt("hostname", hostnameRewrite).says("the Host header").or("ENABLED"))).says("what is changed on the way"))).says("what becomes of them"))

	gatewayRouteSpec = obj(
		opt("httpRoute", gatewayHTTPRoute).says("of http listeners"),
		opt("http2Route", gatewayHTTPRoute).says("of http2 listeners"),
		opt("grpcRoute", gatewayGRPCRoute).says("of grpc listeners"),
		opt("priority", integer(0, 1000)).says("the lower goes first").or("after those with one"),
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
		case strings.Contains(rest, "/"):
			c.failValue(host, p.name(name), "is no hostname but a URL or a path", "write the host alone; match.prefix has the path")
		case strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]"): // an IPv6 literal, as a Host header has it
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
