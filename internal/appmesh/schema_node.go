package appmesh

// The specs of mesh, virtual service, virtual node and virtual router
// (App Mesh 1.1 to 1.4).
var (
	meshSpec = obj(
		opt("egressFilter", obj(
			req("type", word("ALLOW_ALL", "DROP_ALL")).says("whether requests to hosts outside of the mesh pass")).loosened(loosenEgressFilter)).
			says("what becomes of traffic to where no virtual service is").or("DROP_ALL"),
		opt("serviceDiscovery", obj(
			opt("ipPreference", ipPreference).says("IP versions that are asked for and listened on").or("no preference"))).says("holds for all nodes"))

	serviceSpec = obj(
		opt("provider", union(
			opt("virtualNode", obj(req("virtualNodeName", reference()).says("name of the node, or its ARN"))).says("a node, without routes"),
			opt("virtualRouter", obj(req("virtualRouterName", reference()).says("name of the router, or its ARN"))).says("a router, with its routes"))).
			says("who answers under the service's name").or("nobody: 404"))

	// https is not of the API: http and TLS required (see tlsMode).
	nodePortMapping = obj(
		req("port", port).says("the port that is listened on"),
		req("protocol", word("http", "http2", "grpc", "tcp", "https")).says("what is spoken there; https, which App Mesh does not know, is http and TLS required"))

	nodeListener = obj(
		req("portMapping", nodePortMapping).says("port and protocol"),
		opt("tls", listenerTLS).says("TLS towards clients").or("plaintext only"),
		opt("healthCheck", healthCheck("http", "http2", "grpc", "tcp")).says("how callers check the node's endpoints").or("they do not"),
		opt("outlierDetection", obj(
			req("maxServerErrors", integer(1, greatest)).says("errors (5xx) in a row for which an endpoint is left out"),
			req("interval", duration).says("time between two looks at it"),
			req("baseEjectionDuration", duration).says("how long it is left out, times how often it was before"),
			req("maxEjectionPercent", integer(0, 100)).says("share of the endpoints that may be left out; one always may"))).says("how callers leave out failing endpoints").or("they do not"),
		opt("connectionPool", union(
			opt("tcp", poolTCP).says("limits of a tcp listener"), opt("http", poolHTTP).says("limits of an http listener"),
			opt("http2", poolHTTP2).says("limits of an http2 listener"), opt("grpc", poolHTTP2).says("limits of a grpc listener"))).
			says("limits towards the local app, under the listener's protocol").or("unlimited"),
		opt("timeout", union(
			opt("tcp", tcpTimeout).says("timeouts of a tcp listener"), opt("http", httpTimeout).says("timeouts of an http listener"),
			opt("http2", httpTimeout).says("timeouts of an http2 listener"), opt("grpc", httpTimeout).says("timeouts of a grpc listener"))).
			says("timeouts towards the local app, under the listener's protocol"),
	).ruled(listenerRule)

	attribute = obj(
		req("key", textOf(1, 255)).says("name of the attribute"),
		req("value", textOf(1, 1024)).says("value that an instance must have"))

	nodeSpec = obj(
		opt("listeners", listOf(nodeListener, 0, unlimited).ruled(portsDiffer)).says("ports on which the node takes traffic, each once").or("the node is a client only"),
		opt("serviceDiscovery", union(
			opt("dns", obj(
				req("hostname", textOf(1, unlimited)).says("the name that callers resolve"),
				opt("responseType", word("LOADBALANCER", "ENDPOINTS")).says("whether an answer is one of many addresses, or all of them").or("LOADBALANCER"),
				opt("ipPreference", ipPreference).says("IP versions that are asked for").or("the mesh's"))).says("by DNS"),
			opt("awsCloudMap", obj(
				req("namespaceName", textOf(1, 1024)).says("the namespace"),
				req("serviceName", textOf(1, 1024)).says("the service in it"),
				opt("attributes", listOf(attribute, 0, unlimited)).says("what instances must have to be used").or("all are used"),
				opt("ipPreference", ipPreference).says("IP versions that are used").or("the mesh's"))).says("by AWS Cloud Map"))).
			says("how callers find the node's endpoints").or("they find none"),
		opt("backends", listOf(union(opt("virtualService", obj(
			req("virtualServiceName", reference()).says("name of the virtual service, or its ARN"),
			opt("clientPolicy", clientPolicy).says("TLS towards this backend").or("that of backendDefaults"))).says("a virtual service")), 0, unlimited)).
			says("the virtual services that the node calls"),
		opt("backendDefaults", backendDefaults).says("what holds for all backends"),
		opt("logging", logging).says("the access log"),
	).ruled(nodeRule)

	routerSpec = obj(opt("listeners", listOf(obj(req("portMapping", nodePortMapping).says("port and protocol that callers use")), 0, unlimited).ruled(portsDiffer)).
			says("the ports at which callers reach the router").or("none: nothing reaches it"))
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
