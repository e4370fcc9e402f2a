package appmesh

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// base is a small mesh without a fault, beside which each case stands.
const base = `
{meshName: m, spec: {}}
---
{meshName: m, virtualNodeName: user-service-v2, spec: {listeners: [{portMapping: {port: 8080, protocol: http}}], serviceDiscovery: {dns: {hostname: v2.local}}}}
---
{meshName: m, virtualNodeName: two-ports, spec: {listeners: [{portMapping: {port: 1, protocol: http}}, {portMapping: {port: 2, protocol: http}}, {portMapping: {port: 3, protocol: tcp}}], serviceDiscovery: {dns: {hostname: v2.local}}}}
---
{meshName: m, virtualNodeName: client-only, spec: {}}
---
{meshName: m, virtualRouterName: user-router, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}
---
{meshName: m, virtualRouterName: user-router, routeName: all, spec: {httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNode: user-service-v2, weight: 1}]}}}}
---
{meshName: m, virtualRouterName: wide-router, spec: {listeners: [{portMapping: {port: 81, protocol: http}}, {portMapping: {port: 82, protocol: http}}, {portMapping: {port: 83, protocol: tcp}}]}}
---
{meshName: m, virtualRouterName: wide-router, routeName: bytes, spec: {tcpRoute: {action: {weightedTargets: [{virtualNode: two-ports, weight: 1}]}}}}
---
{meshName: m, virtualServiceName: user.local, spec: {provider: {virtualRouter: {virtualRouterName: user-router}}}}
---
{meshName: m, virtualServiceName: other.local, spec: {provider: {virtualRouter: {virtualRouterName: user-router}}}}
---
{meshName: m, virtualServiceName: tcp1.local, spec: {provider: {virtualNode: {virtualNodeName: tcp1}}}}
---
{meshName: m, virtualNodeName: tcp1, spec: {listeners: [{portMapping: {port: 80, protocol: tcp}}], serviceDiscovery: {dns: {hostname: t}}}}
---
{meshName: m, virtualServiceName: tcp2.local, spec: {provider: {virtualNode: {virtualNodeName: tcp1}}}}
`

// route and node wrap what a case is about.
func route(spec string) string {
	return "{meshName: m, virtualRouterName: user-router, routeName: r, spec: {httpRoute: {" + spec + "}}}"
}

const (
	okMatch  = "match: {prefix: /r, headers: [{name: x}]}"
	okAction = "action: {weightedTargets: [{virtualNode: user-service-v2, weight: 1}]}"
)

func node(spec string) string { return "{meshName: m, virtualNodeName: n, spec: {" + spec + "}}" }

func listening(more string) string {
	return node("listeners: [{portMapping: {port: 8080, protocol: http}, " + more + "}], serviceDiscovery: {dns: {hostname: n.local}}")
}

func TestFindings(t *testing.T) {
	for _, c := range []struct{ says, document, want string }{
		{"a good route has none", route(okMatch + ", " + okAction), ``},

		// Fields.
		{"a field that does not exist is named with its neighbour", route("mtch: {prefix: /}, " + okAction),
			`error: route "r": mtch: no such field | did you mean "match"?
			 error: route "r": match: is required`},
		{"a field like none says which exist", route("zzz: 1, " + okMatch + ", " + okAction),
			`error: route "r": zzz: no such field | known here: match, action, retryPolicy, timeout`},
		{"a field in the wrong place is found", node("logging: {path: /dev/stdout}"),
			`error: virtual node "n": logging.path: no such field | known here: accessLog`},
		{"a field beside spec is found", "{meshName: m, virtualNodeName: n, specs: {}, spec: {}}",
			`error: virtual node "n": specs: no such field beside spec | did you mean "spec"?`},
		{"names ignore case, underscores and hyphens", route("Match: {PREFIX: /r, Headers: [{name: x}]}, action: {weighted_targets: [{virtual-node: user-service-v2, weight: 1}]}"), ``},
		{"one name in two spellings is given twice", node("back_ends: [], backends: []"),
			`error: virtual node "n": backends: is given twice | first at case.yaml:1`},
		{"a key twice is an error", `{"meshName": "m", "virtualNodeName": "n", "spec": {"backends": [], "backends": []}}`,
			`error: virtual node "n": backends: is given twice | first at case.yaml:1`},
		{"a name twice is an error", `{"meshName": "m", "meshName": "m", "virtualNodeName": "n", "spec": {}}`,
			`error: meshName is given twice | first at case.yaml:1`},
		{"a missing field is named", route(okMatch + ", action: {weightedTargets: [{weight: 1}]}"),
			`error: route "r": weightedTargets[0].virtualNode: is required`},
		{"null is absent", node("backends: null, logging: ~"), ``},

		// Types and limits.
		{"a list must be a list", node("backends: {}"), `error: virtual node "n": backends: must be a list, not an object`},
		{"an object must be an object", route("match: /, " + okAction), `error: route "r": match "/": must be an object`},
		{"a number must be whole", route(okMatch + ", action: {weightedTargets: [{virtualNode: user-service-v2, weight: 1.5}]}"),
			`error: route "r": weightedTargets[0].weight "1.5": must be a whole number`},
		{"numbers and booleans may be text", route("match: {prefix: /r, headers: [{name: x, invert: \"true\"}]}, action: {weightedTargets: [{virtualNode: user-service-v2, weight: \"1\"}]}"), ``},
		{"text may be a number", route("match: {prefix: /r, headers: [{name: x, match: {exact: 1}}]}, " + okAction), ``},
		{"a weight has bounds", route(okMatch + ", action: {weightedTargets: [{virtualNode: user-service-v2, weight: 101}]}"),
			`error: route "r": weightedTargets[0].weight "101": is out of range | App Mesh takes 0 to 100`},
		{"a port has bounds", "{meshName: m, virtualRouterName: x, spec: {listeners: [{portMapping: {port: 70000, protocol: http}}]}}",
			`warning: virtual router "x": has no route | every request to it is answered 404
			 error: virtual router "x": listeners[0].portMapping.port "70000": is out of range | App Mesh takes 1 to 65535`},
		{"a priority has bounds", "{meshName: m, virtualRouterName: user-router, routeName: r, spec: {priority: 1001, httpRoute: {" + okMatch + ", " + okAction + "}}}",
			`error: route "r": priority "1001": is out of range | App Mesh takes 0 to 1000`},
		{"a number without a bound of its own ends where the API's Integer does", listening("connectionPool: {http: {maxConnections: 2147483648}}"),
			`error: virtual node "n": listeners[0].connectionPool.http.maxConnections "2147483648": is out of range | App Mesh takes 1 to 2147483647`},
		{"a header's range is of Longs", route("match: {prefix: /r, headers: [{name: x, match: {range: {start: 10000000000, end: 20000000000}}}]}, " + okAction), ``},
		{"a list has bounds", route(okMatch + ", action: {weightedTargets: []}"),
			`error: route "r": weightedTargets: has 0 entries | App Mesh takes 1 to 10 entries`},
		{"text has bounds", route("match: {prefix: /r, headers: [{name: " + strings.Repeat("x", 51) + "}]}, " + okAction),
			`error: route "r": match.headers[0].name "` + strings.Repeat("x", 51) + `": has 51 characters | App Mesh takes 1 to 50 characters`},
		{"a word is compared without case", route("match: {prefix: /r, method: get}, " + okAction), ``},
		{"an unknown word is named with its neighbour", route("match: {prefix: /r, method: GTE}, " + okAction),
			`error: route "r": match.method "GTE": must be one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH | did you mean "GET"?`},
		{"a tag cannot be resolved", route("match: {prefix: !Ref P}, " + okAction),
			`error: route "r": match.prefix: the tag !Ref cannot be resolved here | write the value it stands for`},
		{"a template variable is found", node("serviceDiscovery: {dns: {hostname: $HOST}}"),
			`error: virtual node "n": serviceDiscovery.dns.hostname "$HOST": is a template variable that nobody has filled in | give it with --param 'HOST=VALUE', write the value, or run the template through the tool it was made for`},

		// Unions.
		{"a union has one member", node("serviceDiscovery: {dns: {hostname: a}, awsCloudMap: {namespaceName: b, serviceName: c}}"),
			`error: virtual node "n": serviceDiscovery.awsCloudMap: cannot stand beside dns | give one of dns, awsCloudMap
			 not-yet: virtual node "n": serviceDiscovery.awsCloudMap: Cloud Map is not asked yet: nodes are found by DNS as serviceName.namespaceName | a namespace without DNS (HTTP-only) resolves to nothing`},
		{"a union has at least one member", "{meshName: m, virtualRouterName: user-router, routeName: r, spec: {}}",
			`error: route "r": needs one of httpRoute, http2Route, grpcRoute, tcpRoute`},
		{"prefix and path exclude each other", route("match: {prefix: /, path: {exact: /}}, " + okAction),
			`error: route "r": match.path: cannot stand beside prefix | give one of prefix, path`},

		// Rules of one resource.
		{"a prefix begins with a slash", route("match: {prefix: api}, " + okAction), `error: route "r": match.prefix "api": must begin with "/"`},
		{"a regular expression must be RE2", route("match: {path: {regex: \"(?=x)\"}}, " + okAction),
			"error: route \"r\": match.path.regex \"(?=x)\": not a regular expression of RE2: invalid or unsupported Perl syntax: `(?=` | RE2 has no look-ahead, look-behind or back-references"},
		{"a range goes up", route("match: {prefix: /r, headers: [{name: x, match: {range: {start: 5, end: 5}}}]}, " + okAction),
			`error: route "r": match.headers[0].match.range.end "5": must be greater than start, 5 | start is included, end is not`},
		{"a path with a query can never match", route("match: {path: {exact: \"/a?b\"}}, " + okAction),
			`warning: route "r": match.path.exact "/a?b": can never match | it is compared with the path as sent, which begins with "/", without the query`},
		{"weights of 0 match nothing", route(okMatch + ", action: {weightedTargets: [{virtualNode: user-service-v2, weight: 0}]}"),
			`warning: route "r": weightedTargets: all weights are 0 | every request is answered 503`},
		{"weights past 100 are shared in proportion", route(okMatch + ", action: {weightedTargets: [{virtualNode: user-service-v2, weight: 99}, {virtualNode: user-service-v2, weight: 2}]}"),
			`warning: route "r": weightedTargets: weights add up to more than 100, which App Mesh refused | they are shared in proportion`},
		{"a retry policy without events retries nothing", route(okMatch + ", " + okAction + ", retryPolicy: {maxRetries: 1, perRetryTimeout: {unit: s, value: 1}}"),
			`warning: route "r": retryPolicy: names no events, so that nothing is retried | add httpRetryEvents, tcpRetryEvents or grpcRetryEvents`},
		{"a gRPC method needs its service", "{meshName: m, virtualRouterName: g, routeName: r, spec: {grpcRoute: {match: {methodName: Get}, " + okAction + "}}}",
			`warning: route "r": virtualRouterName "g": no such virtual router in mesh "m"
			 error: route "r": match.methodName "Get": needs serviceName
			 warning: route "r": weightedTargets[0].virtualNode "user-service-v2": the node's listener 8080 speaks http, the route grpc | see base.yaml:4; App Mesh called the result unpredictable`},
		{"a timeout is of the listener's protocol", listening("timeout: {tcp: {idle: {unit: s, value: 1}}}"),
			`error: virtual node "n": listeners[0].timeout.tcp: the listener's protocol is http | write it under "http"`},
		{"a health check is of the listener's port", listening("healthCheck: {protocol: http, port: 81}"),
			`not-yet: virtual node "n": listeners[0].healthCheck: active health checks are not done yet: endpoints are used as they are discovered
			 error: virtual node "n": listeners[0].healthCheck.port "81": must be the listener's port, 8080`},
		{"one port has one listener", "{meshName: m, virtualNodeName: n, spec: {serviceDiscovery: {dns: {hostname: n}}, listeners: [{portMapping: {port: 1, protocol: http}}, {portMapping: {port: 1, protocol: tcp}}]}}",
			`error: virtual node "n": listeners[1].portMapping.port "1": the port has a listener already | see case.yaml:1`},
		{"listeners want serviceDiscovery", node("listeners: [{portMapping: {port: 1, protocol: http}}]"),
			`warning: virtual node "n": listeners: the node has listeners but no serviceDiscovery | its callers will find no endpoints (503 no healthy upstream)`},
		{"a gateway route needs a match", "{meshName: m, virtualGatewayName: g, gatewayRouteName: r, spec: {httpRoute: {match: {}, action: {target: {virtualService: {virtualServiceName: user.local}}}}}}",
			`warning: gateway route "r": virtualGatewayName "g": no such virtual gateway in mesh "m"
			 error: gateway route "r": match: needs prefix, path or hostname`},

		// References.
		{"a target that does not exist is named with its neighbour", route(okMatch + ", action: {weightedTargets: [{virtualNode: user-service-v2, weight: 1}, {virtualNode: user-v2, weight: 1}]}"),
			`error: route "r": weightedTargets[1].virtualNode "user-v2": no such virtual node in mesh "m" | did you mean "user-service-v2" (base.yaml:4)?`},
		{"a target without a listener cannot be reached", route(okMatch + ", action: {weightedTargets: [{virtualNode: client-only, weight: 1}]}"),
			`error: route "r": weightedTargets[0].virtualNode "client-only": the node has no listener, so that nothing can be sent to it | see base.yaml:8`},
		{"a target with several listeners needs a port", route(okMatch + ", action: {weightedTargets: [{virtualNode: two-ports, weight: 1}]}"),
			`error: route "r": weightedTargets[0].virtualNode "two-ports": the node has several listeners: say which with port | its ports: 1 (http), 2 (http), 3 (tcp)`},
		{"a target's port must be a listener", route(okMatch + ", action: {weightedTargets: [{virtualNode: two-ports, weight: 1, port: 9}]}"),
			`error: route "r": weightedTargets[0].port "9": virtual node "two-ports" has no such listener | its ports: 1 (http), 2 (http), 3 (tcp)`},
		{"a target of another protocol is a warning", route(okMatch + ", action: {weightedTargets: [{virtualNode: two-ports, weight: 1, port: 3}]}"),
			`warning: route "r": weightedTargets[0].virtualNode "two-ports": the node's listener 3 speaks tcp, the route http | see base.yaml:6; App Mesh called the result unpredictable`},
		{"a backend that does not exist is a warning", node("backends: [{virtualService: {virtualServiceName: usr.local}}]"),
			`warning: virtual node "n": backends[0].virtualService.virtualServiceName "usr.local": no such virtual service in mesh "m" | did you mean "user.local" (base.yaml:18)?`},
		{"a backend may be an ARN", node("backends: [{virtualService: {virtualServiceName: \"arn:aws:appmesh:us-west-2:123456789012:mesh/m/virtualService/user.local\"}}]"), ``},
		{"a backend twice is a warning", node("backends: [{virtualService: {virtualServiceName: user.local}}, {virtualService: {virtualServiceName: user.local}}]"),
			`warning: virtual node "n": backends[1].virtualService.virtualServiceName "user.local": is listed twice | first at case.yaml:1`},
		{"a router without a listener is a warning", "{meshName: m, virtualRouterName: x, spec: {}}",
			`warning: virtual router "x": has no route | every request to it is answered 404
			 warning: virtual router "x": listeners: has no listener | no port leads to it: give it the port that callers use`},
		{"a service without a provider is a warning", "{meshName: m, virtualServiceName: s, spec: {}}",
			`warning: virtual service "s": provider: has no provider | callers that list it get 404`},
		{"a provider that does not exist is a warning", "{meshName: m, virtualServiceName: s, spec: {provider: {virtualRouter: {virtualRouterName: usr-router}}}}",
			`warning: virtual service "s": provider.virtualRouter.virtualRouterName "usr-router": no such virtual router in mesh "m" | did you mean "user-router" (base.yaml:10)?`},
		{"a provider without a listener is a warning", "{meshName: m, virtualServiceName: s, spec: {provider: {virtualNode: {virtualNodeName: client-only}}}}",
			`warning: virtual service "s": provider.virtualNode.virtualNodeName "client-only": the node has no listener | nothing can be sent to it`},
		{"a route of no router is a warning", "{meshName: m, virtualRouterName: usr-router, routeName: r, spec: {httpRoute: {" + okMatch + ", " + okAction + "}}}",
			`warning: route "r": virtualRouterName "usr-router": no such virtual router in mesh "m" | did you mean "user-router" (base.yaml:10)?`},
		{"a gateway route's target must exist", "{meshName: m, virtualGatewayName: g, gatewayRouteName: r, spec: {httpRoute: {match: {prefix: /}, action: {target: {virtualService: {virtualServiceName: usr.local}}}}}}",
			`warning: gateway route "r": virtualGatewayName "g": no such virtual gateway in mesh "m"
			 error: gateway route "r": action.target.virtualService.virtualServiceName "usr.local": no such virtual service in mesh "m" | did you mean "user.local" (base.yaml:18)?`},
		{"a resource twice and alike is fine", "{meshName: m, virtualNodeName: client-only, spec: {}}", ``},
		{"a resource twice and not alike is an error", "{meshName: m, virtualNodeName: client-only, spec: {logging: {accessLog: {file: {path: /l}}}}}",
			`error: virtual node "client-only": is defined twice in mesh "m", and differs in logging | first at base.yaml:8`},
		{"a mesh nobody describes is a warning", "{meshName: x, virtualNodeName: n, spec: {}}",
			`warning: mesh "x": no document describes this mesh | its egress filter is taken to be DROP_ALL; write {"meshName": "x", "spec": {}} to say so`},

		// What can never match, and what disagrees.
		{"a route behind a wider one can never match", route("match: {prefix: /r}, "+okAction) + "\n---\n" +
			"{meshName: m, virtualRouterName: user-router, routeName: first, spec: {priority: 1, httpRoute: {match: {prefix: /}, " + okAction + "}}}",
			`warning: route "r": match: can never match: route "first" takes all of it first | see case.yaml:3; a lower priority number goes first`},
		{"a route of another protocol can never match", "{meshName: m, virtualRouterName: user-router, routeName: r, spec: {http2Route: {" + okMatch + ", " + okAction + "}}}",
			`warning: route "r": weightedTargets[0].virtualNode "user-service-v2": the node's listener 8080 speaks http, the route http2 | see base.yaml:4; App Mesh called the result unpredictable
			 warning: route "r": can never match: router "user-router" has no http2 listener | its ports: 80 (http)`},
		{"a route of a port that is no listener can never match", route("match: {prefix: /r, port: 81}, " + okAction),
			`warning: route "r": match.port "81": can never match: router "user-router" has no such listener | its ports: 80 (http)`},
		{"a route of a port of another protocol can never match", strings.Replace(route("match: {prefix: /r, port: 83}, "+okAction), "user-router", "wide-router", 1),
			`warning: route "r": match.port "83": can never match: the listener's protocol is tcp, the route's http | see base.yaml:14`},
		{"a route without a port is used on all listeners", strings.Replace(route(okMatch+", "+okAction), "user-router", "wide-router", 1),
			`warning: route "r": match.port: is not given and router "wide-router" has several http listeners | the route is used on all of them: 81 (http), 82 (http), 83 (tcp)`},
		{"a second TCP route can never match", "{meshName: m, virtualRouterName: wide-router, routeName: z, spec: {tcpRoute: {action: {weightedTargets: [{virtualNode: tcp1, weight: 1}]}}}}",
			`warning: route "z": can never match: route "bytes" takes all of it first | see base.yaml:16; a lower priority number goes first`},
		{"a host that cannot be called is a warning", "{meshName: m, virtualServiceName: \"*.local\", spec: {provider: {virtualRouter: {virtualRouterName: user-router}}}}",
			`warning: virtual service "*.local": virtualServiceName: no Host header can be "*.local", so that nothing reaches it | a virtual service is called by its name, which is a host name; App Mesh has no wildcards`},
		{"two protocols on one port are an error", node("backends: [{virtualService: {virtualServiceName: user.local}}, {virtualService: {virtualServiceName: tcp1.local}}]"),
			`error: virtual node "n": backends[1].virtualService.virtualServiceName "tcp1.local": wants port 80 for tcp, but backend "user.local" has it for http | give one of them a virtual router with another port; see case.yaml:1`},
		{"two TCP backends on one port are an error", node("backends: [{virtualService: {virtualServiceName: tcp1.local}}, {virtualService: {virtualServiceName: tcp2.local}}]"),
			`error: virtual node "n": backends[1].virtualService.virtualServiceName "tcp2.local": wants TCP port 80, but backend "tcp1.local" has it: TCP connections are told apart by port alone | give one of them a virtual router with another port; see case.yaml:1`},
		{"two HTTP backends on one port are fine", node("backends: [{virtualService: {virtualServiceName: user.local}}, {virtualService: {virtualServiceName: other.local}}]"), ``},
		{"attributes that tell two nodes apart are a warning", "{virtualNodes: [{meshName: m, virtualNodeName: a, spec: {serviceDiscovery: {awsCloudMap: {namespaceName: l, serviceName: s, attributes: [{key: v, value: 1}]}}}}, {meshName: m, virtualNodeName: b, spec: {serviceDiscovery: {awsCloudMap: {namespaceName: l, serviceName: s}}}}]}",
			`warning: virtual node "a": serviceDiscovery.awsCloudMap.attributes: several nodes share the service s.l and only attributes tell them apart, which DNS cannot see | each of these nodes gets the instances of all: give every version a service of its own
			 not-yet: virtual node "a": serviceDiscovery.awsCloudMap: Cloud Map is not asked yet: nodes are found by DNS as serviceName.namespaceName (2 places) | a namespace without DNS (HTTP-only) resolves to nothing`},

		// Documents that never become a resource.
		{"a stranger is told what a document is", "{foo: x}", `error: not an App Mesh document: nothing here names a resource | a document has "meshName", a name like "virtualNodeName" and "spec", or is the output of a describe command`},
		{"a misspelt wrapper is named with its neighbour", "{virtualNod: {meshName: m}}", `error: not an App Mesh document: nothing here names a resource | did you mean "virtualNode"?`},
		{"a stranger beside a wrapper is an error", "{virtualNode: {meshName: m, virtualNodeName: n, spec: {}}, rout: {}}", `error: "rout": no such field beside "virtualNode" | did you mean "route"?`},
		{"a spec alone needs names", "{spec: {provider: {virtualNode: {virtualNodeName: client-only}}}}", `error: this looks like a virtual service: add "meshName" and "virtualServiceName"`},
		{"a spec like none needs names", "{spec: {listeners: []}}", `error: nothing names this resource: a document that is only a spec needs its names beside it, "meshName" and "virtualNodeName", "virtualRouterName" or whatever it is`},
		{"a route needs its name", "{meshName: m, virtualRouterName: user-router, spec: {httpRoute: {}}}", `error: this looks like a route: add "routeName"`},
		{"a route needs its router", "{meshName: m, routeName: r, spec: {httpRoute: {}}}", `error: this looks like a route: add "virtualRouterName"`},
		{"two resources in one are an error", "{meshName: m, virtualNodeName: a, virtualServiceName: b, spec: {}}", `error: names two resources at once`},
		{"a missing mesh is taken from the others", "{virtualNodeName: n, spec: {}}", `warning: virtual node "n": has no meshName: taken to be of mesh "m", the only one here | add "meshName"`},
		{"a list command's output has no spec", "{virtualNodes: [{arn: a, meshName: m, virtualNodeName: n}]}", `error: virtual node "n" has no spec: this is the output of a list command | use the output of the describe command`},
		{"a request needs a spec", "{meshName: m, virtualNodeName: n}", `error: virtual node "n": spec is required`},
		{"a name holds no slash", "{meshName: m, virtualNodeName: a/b, spec: {}}", `error: virtualNodeName "a/b" must not hold "/" or blanks`},
		{"an owner is an account", "{meshName: m, meshOwner: 12, virtualNodeName: n, spec: {}}", `error: meshOwner "12" must be an account of 12 digits`},
		{"a scalar is no document", "just text", `error: not a document: an object is wanted, this is text`},
		{"an empty object is a warning", "{}", `warning: an empty document | a mesh is written as {"meshName": "NAME"}`},
		{"broken JSON is named by JSON's reader", `{"meshName": "m",, "spec": {}}`, `error: cannot be read: ',' where a member name in quotes should be`},
		{"broken YAML keeps its line", "a: b\nc: d: e\n", `error: cannot be read: mapping values are not allowed in this context`},

		// Forms that are not read, or hold nothing.
		{"a state may be empty", `{"version": 4, "terraform_version": "1.9.8", "resources": []}`, `warning: this Terraform document has no App Mesh resource: ignored`},
		{"an empty state has no values", `{"format_version": "1.0"}`, `warning: this Terraform document has no App Mesh resource: ignored`},
		{"an export may be empty", `{"version": 3, "deployment": {"manifest": {}, "resources": []}}`, `warning: this Pulumi export has no App Mesh resource: ignored`},
		{"a plan's log is no plan", `{"@level": "info", "@message": "m"} {"@level": "info", "@message": "n"}`,
			"error: this is the log of a Terraform command, which has no resources: not read | `terraform plan -out FILE`, then `terraform show -json FILE > mesh.json`"},
		{"a task definition is not a mesh", `{"family": "f", "containerDefinitions": []}`, "warning: this is an ECS task definition, not a mesh document: ignored | `outrider check --task-definition FILE` reads it"},

		// Not yet done.
		{"TLS that must be is not yet done", listening("tls: {mode: STRICT, certificate: {sds: {secretName: s}}}"),
			`not-yet: virtual node "n": listeners[0].tls: TLS is not done yet: a listener that demands it closes its connections, it is never served in plaintext`},
		{"TLS that may be is a warning", listening("tls: {mode: PERMISSIVE, certificate: {sds: {secretName: s}}}"),
			`warning: virtual node "n": listeners[0].tls: TLS is not done yet: this PERMISSIVE listener is served, and called, in plaintext only | clients that insist on TLS cannot reach it`},
		{"TLS that is off says nothing", listening("tls: {mode: DISABLED, certificate: {sds: {secretName: s}}}"), ``},
		{"https is http with TLS", node("listeners: [{portMapping: {port: 1, protocol: https}}], serviceDiscovery: {dns: {hostname: n}}"),
			`not-yet: virtual node "n": listeners[0].tls: TLS is not done yet: a listener that demands it closes its connections, it is never served in plaintext`},
		{"an enforced policy is not yet done", node("backendDefaults: {clientPolicy: {tls: {validation: {trust: {sds: {secretName: s}}}}}}"),
			`not-yet: virtual node "n": backendDefaults.clientPolicy.tls: TLS is not done yet: requests that must leave encrypted are answered 503, they are never sent in plaintext`},
		{"http2 is served", node("listeners: [{portMapping: {port: 1, protocol: http2}}], serviceDiscovery: {dns: {hostname: n}}"), ``},
		{"grpc is served", node("listeners: [{portMapping: {port: 1, protocol: grpc}}], serviceDiscovery: {dns: {hostname: n}}"), ``},
		{"a grpc health check is not yet done", node("listeners: [{portMapping: {port: 1, protocol: grpc}, healthCheck: {protocol: grpc, healthyThreshold: 2, intervalMillis: 5000, timeoutMillis: 2000, unhealthyThreshold: 2}}], serviceDiscovery: {dns: {hostname: n}}"),
			`not-yet: virtual node "n": listeners[0].healthCheck: active health checks are not done yet: endpoints are used as they are discovered`},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := about("case.yaml", Parse([]Source{{Name: "base.yaml", Data: []byte(base)}, {Name: "case.yaml", Data: []byte(c.document)}}).Check())
			want := strings.Split(strings.ReplaceAll(c.want, "\n\t\t\t ", "\n"), "\n")
			if c.want == "" {
				want = nil
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", c.document, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
}

// about writes the findings of one file without their place, the hint behind
// a bar. TestPositions and the golden files hold the places.
func about(file string, fs []mesh.Finding) []string {
	var lines []string
	for _, f := range fs {
		if f.File != file {
			continue
		}
		var b bytes.Buffer
		_ = WriteText(&b, []mesh.Finding{f}, 0)
		text, _, _ := strings.Cut(b.String(), "\n0 error")
		text, _, _ = strings.Cut(text, "\n1 error")
		text = strings.TrimPrefix(text, f.Position.String()+": ")
		lines = append(lines, strings.ReplaceAll(text, "\n    ", " | "))
	}
	return lines
}
