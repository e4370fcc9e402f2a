package appmesh

// The specs of mesh, virtual service, virtual node and virtual router
// (App Mesh 1.1 to 1.4).
var (
	meshSpec = obj(
		opt("egressFilter", obj(req("type", word("ALLOW_ALL", "DROP_ALL"))).loosened(loosenEgressFilter)),
		opt("serviceDiscovery", obj(opt("ipPreference", ipPreference))))

	serviceSpec = obj(
		opt("provider", union(
			opt("virtualNode", obj(req("virtualNodeName", reference()))),
			opt("virtualRouter", obj(req("virtualRouterName", reference()))))))

	// https is not of the API: http and TLS required (see tlsMode).
	nodePortMapping = obj(req("port", port), req("protocol", word("http", "http2", "grpc", "tcp", "https")))

	nodeListener = obj(
		req("portMapping", nodePortMapping),
		opt("tls", listenerTLS),
		opt("healthCheck", healthCheck("http", "http2", "grpc", "tcp")),
		opt("outlierDetection", obj(
			req("maxServerErrors", integer(1, unlimited)),
			req("interval", duration),
			req("baseEjectionDuration", duration),
			req("maxEjectionPercent", integer(0, 100)))),
		opt("connectionPool", union(
			opt("tcp", poolTCP), opt("http", poolHTTP), opt("http2", poolHTTP2), opt("grpc", poolHTTP2))),
		opt("timeout", union(
			opt("tcp", tcpTimeout), opt("http", httpTimeout), opt("http2", httpTimeout), opt("grpc", httpTimeout))),
	).ruled(listenerRule)

	attribute = obj(req("key", textOf(1, 255)), req("value", textOf(1, 1024)))

	nodeSpec = obj(
		opt("listeners", listOf(nodeListener, 0, unlimited).ruled(portsDiffer)),
		opt("serviceDiscovery", union(
			opt("dns", obj(
				req("hostname", textOf(1, unlimited)),
				opt("responseType", word("LOADBALANCER", "ENDPOINTS")),
				opt("ipPreference", ipPreference))),
			opt("awsCloudMap", obj(
				req("namespaceName", textOf(1, 1024)),
				req("serviceName", textOf(1, 1024)),
				opt("attributes", listOf(attribute, 0, unlimited)),
				opt("ipPreference", ipPreference))))),
		opt("backends", listOf(union(opt("virtualService", obj(
			req("virtualServiceName", reference()),
			opt("clientPolicy", clientPolicy)))), 0, unlimited)),
		opt("backendDefaults", backendDefaults),
		opt("logging", logging),
	).ruled(nodeRule)

	routerSpec = obj(opt("listeners", listOf(obj(req("portMapping", nodePortMapping)), 0, unlimited).ruled(portsDiffer)))
)

// listenerRule: connectionPool and timeout are of the listener's protocol, the
// health check is of its port.
func listenerRule(c *checker, v *value, p *path) {
	protocol := v.get("portMapping", "protocol").str()
	if protocol == "https" {
		protocol = "http"
	}
	for _, name := range []string{"connectionPool", "timeout"} {
		for _, m := range v.get(name).all() {
			if protocol != "" && m.value.kind != null && m.name != protocol {
				c.fail(m.at, p.name(name).name(m.name), "the listener's protocol is "+protocol, `write it under "`+protocol+`"`)
			}
		}
	}
	if check := v.get("healthCheck", "port"); check != nil && check.int() != v.get("portMapping", "port").int() {
		c.failValue(check, p.name("healthCheck").name("port"), "must be the listener's port, "+v.get("portMapping", "port").str(), "")
	}
}

// portsDiffer: one port has one listener.
func portsDiffer(c *checker, v *value, p *path) {
	seen := make(map[int64]*value)
	for i, item := range v.items {
		port := item.get("portMapping", "port")
		if port == nil || port.int() == 0 {
			continue
		}
		if first := seen[port.int()]; first != nil {
			c.failValue(port, p.index(i).name("portMapping").name("port"), "the port has a listener already", "see "+place(first.at))
			continue
		}
		seen[port.int()] = port
	}
}

// nodeRule: the API wants serviceDiscovery where there are listeners; the
// guide leaves it out, so that it is a warning here.
func nodeRule(c *checker, v *value, p *path) {
	if listeners := v.get("listeners"); len(listeners.list()) > 0 && !v.has("serviceDiscovery") {
		c.warn(listeners.at, p.name("listeners"), "the node has listeners but no serviceDiscovery",
			"its callers will find no endpoints (503 no healthy upstream)")
	}
}
