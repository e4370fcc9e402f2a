package appmesh

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// crd writes a manifest of v1beta2 in namespace shop.
func crd(kind, name, spec string) string {
	return "---\n{apiVersion: appmesh.k8s.aws/v1beta2, kind: " + kind + ", metadata: {name: " + name + ", namespace: shop}, spec: {" + spec + "}}\n"
}

// old writes a manifest of v1beta1 of mesh m in namespace shop.
func old(kind, name, spec string) string {
	return "---\n{apiVersion: appmesh.k8s.aws/v1beta1, kind: " + kind + ", metadata: {name: " + name + ", namespace: shop}, spec: {meshName: m, " + spec + "}}\n"
}

// kubernetesObject writes any Kubernetes object.
func kubernetesObject(kind, metadata, spec string) string {
	return "---\n{apiVersion: appmesh.k8s.aws/v1beta2, kind: " + kind + ", metadata: {" + metadata + "}, spec: {" + spec + "}}\n"
}

const (
	kubernetesMesh   = "{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: {name: m}, spec: {namespaceSelector: {matchLabels: {mesh: m}}}}\n"
	toBlue           = "action: {weightedTargets: [{virtualNodeRef: {name: blue}, weight: 1}]}"
	toBlueUnderstood = "action: {weightedTargets: [{virtualNode: blue_shop, weight: 1}]}"
)

// TestKubernetes: each rule of the mapping, as the resources that come of it.
func TestKubernetes(t *testing.T) {
	for _, c := range []struct{ says, documents, want string }{
		{"a name gets its namespace", crd("VirtualNode", "front", ""), `virtual node "front_shop" of m: {}`},
		{"the namespace is default where none is said", kubernetesObject("VirtualNode", "name: front", ""), `virtual node "front_default" of m: {}`},
		{"awsName is the name", crd("VirtualNode", "front", "awsName: f-1"), `virtual node "f-1" of m: {}`},
		{"an empty awsName is none", crd("VirtualNode", "front", "awsName: ''"), `virtual node "front_shop" of m: {}`},
		{"a virtual service is a host name", crd("VirtualService", "color", ""), `virtual service "color.shop" of m: {}`},
		{"a router, a gateway and its route are named like a node", crd("VirtualRouter", "r", "") + crd("VirtualGateway", "g", "") + crd("GatewayRoute", "gr", ""),
			"virtual router \"r_shop\" of m: {}\nvirtual gateway \"g_shop\" of m: {}\ngateway route \"gr_shop\" of m in g_shop: {}"},

		{"what selects pods and namespaces is no part of a resource", crd("VirtualNode", "n", "podSelector: {matchLabels: {a: b}}, meshRef: {name: m, uid: u}") +
			crd("VirtualGateway", "g", "namespaceSelector: {}, podSelector: {}, gatewayRouteSelector: {}"),
			"virtual node \"n_shop\" of m: {}\nvirtual gateway \"g_shop\" of m: {}"},

		{"routes lie in their router", crd("VirtualRouter", "r", "listeners: [{portMapping: {port: 1, protocol: http}}], routes: [{name: a, priority: 3, httpRoute: {match: {prefix: /}, "+toBlue+"}}]"),
			"virtual router \"r_shop\" of m: {listeners: [{portMapping: {port: 1, protocol: http}}]}\n" +
				`route "a" of m in r_shop: {priority: 3, httpRoute: {match: {prefix: /}, ` + toBlueUnderstood + `}}`},
		{"every kind of route has targets", crd("VirtualRouter", "r", "routes: [{name: a, http2Route: {"+toBlue+"}}, {name: b, grpcRoute: {"+toBlue+"}}, {name: c, tcpRoute: {"+toBlue+"}}]"),
			"virtual router \"r_shop\" of m: {}\n" +
				"route \"a\" of m in r_shop: {http2Route: {" + toBlueUnderstood + "}}\n" +
				"route \"b\" of m in r_shop: {grpcRoute: {" + toBlueUnderstood + "}}\n" +
				"route \"c\" of m in r_shop: {tcpRoute: {" + toBlueUnderstood + "}}"},
		{"a target is named by its awsName, in any order of documents", crd("VirtualRouter", "r", "routes: [{name: a, tcpRoute: {"+toBlue+"}}]") + crd("VirtualNode", "blue", "awsName: deep-blue"),
			"virtual router \"r_shop\" of m: {}\n" +
				"route \"a\" of m in r_shop: {tcpRoute: {action: {weightedTargets: [{virtualNode: deep-blue, weight: 1}]}}}\n" +
				`virtual node "deep-blue" of m: {}`},
		{"a target may be an ARN", crd("VirtualRouter", "r", "routes: [{name: a, tcpRoute: {action: {weightedTargets: [{virtualNodeARN: 'arn:aws:appmesh:us-west-2:111122223333:mesh/m/virtualNode/far', weight: 1, port: 8080}]}}}]"),
			"virtual router \"r_shop\" of m: {}\n" +
				`route "a" of m in r_shop: {tcpRoute: {action: {weightedTargets: [{virtualNode: far, weight: 1, port: 8080}]}}}`},

		{"a provider is a router by name", crd("VirtualService", "s", "provider: {virtualRouter: {virtualRouterRef: {name: r}}}"),
			`virtual service "s.shop" of m: {provider: {virtualRouter: {virtualRouterName: r_shop}}}`},
		{"or a node in another namespace", crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeRef: {name: n, namespace: far}}}"),
			`virtual service "s.shop" of m: {provider: {virtualNode: {virtualNodeName: n_far}}}`},
		{"or either by ARN", crd("VirtualService", "s", "provider: {virtualRouter: {virtualRouterARN: 'arn:aws:appmesh:us-west-2:111122223333:mesh/m/virtualRouter/far'}}"),
			`virtual service "s.shop" of m: {provider: {virtualRouter: {virtualRouterName: far}}}`},

		{"a backend is a service by name or ARN", crd("VirtualService", "a", "awsName: a.local") +
			crd("VirtualNode", "n", "backends: [{virtualService: {virtualServiceRef: {name: a}}}, {virtualService: {virtualServiceRef: {name: a, namespace: far}}}, {virtualService: {virtualServiceARN: 'arn:aws:appmesh:us-west-2:111122223333:mesh/m/virtualService/b.local'}}]"),
			"virtual service \"a.local\" of m: {}\n" +
				`virtual node "n_shop" of m: {backends: [{virtualService: {virtualServiceName: a.local}}, {virtualService: {virtualServiceName: a.far}}, {virtualService: {virtualServiceName: b.local}}]}`},
		{"a backend group adds its services, each once", crd("BackendGroup", "g", "virtualservices: [{name: a}, {name: b, namespace: far}, {name: a}]") +
			crd("VirtualNode", "n", "backendGroups: [{name: g}], backends: [{virtualService: {virtualServiceRef: {name: a}}}]"),
			`virtual node "n_shop" of m: {backends: [{virtualService: {virtualServiceName: a.shop}}, {virtualService: {virtualServiceName: b.far}}]}`},
		{"a group's names are of its own namespace", kubernetesObject("BackendGroup", "name: g, namespace: far", "virtualservices: [{name: a}]") + crd("VirtualNode", "n", "backendGroups: [{name: g, namespace: far}]"),
			`virtual node "n_shop" of m: {backends: [{virtualService: {virtualServiceName: a.far}}]}`},
		{"the group * is a whole namespace", crd("VirtualService", "b", "") + crd("VirtualService", "a", "awsName: a.local") + kubernetesObject("VirtualService", "name: c, namespace: far", "") +
			crd("VirtualNode", "n", "backendGroups: [{name: '*'}]"),
			"virtual service \"b.shop\" of m: {}\nvirtual service \"a.local\" of m: {}\nvirtual service \"c.far\" of m: {}\n" +
				`virtual node "n_shop" of m: {backends: [{virtualService: {virtualServiceName: a.local}}, {virtualService: {virtualServiceName: b.shop}}]}`},

		{"discovery is spelt as in the API", crd("VirtualNode", "n", "serviceDiscovery: {dns: {hostname: n.local, responseType: ENDPOINTS, ipPreference: IPv4_ONLY}}"),
			`virtual node "n_shop" of m: {serviceDiscovery: {dns: {hostname: n.local, responseType: ENDPOINTS, ipPreference: IPv4_ONLY}}}`},
		{"Cloud Map attributes are pairs", crd("VirtualNode", "n", "serviceDiscovery: {awsCloudMap: {namespaceName: ns, serviceName: s, attributes: [{key: k, value: v}]}}"),
			`virtual node "n_shop" of m: {serviceDiscovery: {awsCloudMap: {namespaceName: ns, serviceName: s, attributes: [{key: k, value: v}]}}}`},
		{"ARNs of certificates are spelt in capitals", crd("VirtualNode", "n", "listeners: [{portMapping: {port: 1, protocol: http}, tls: {mode: STRICT, certificate: {acm: {certificateARN: a}}}}], backendDefaults: {clientPolicy: {tls: {validation: {trust: {acm: {certificateAuthorityARNs: [b]}}}}}}"),
			`virtual node "n_shop" of m: {listeners: [{portMapping: {port: 1, protocol: http}, tls: {mode: STRICT, certificate: {acm: {certificateArn: a}}}}], backendDefaults: {clientPolicy: {tls: {validation: {trust: {acm: {certificateAuthorityArns: [b]}}}}}}}`},
		{"durations have a unit", crd("VirtualNode", "n", "listeners: [{portMapping: {port: 1, protocol: http}, timeout: {http: {perRequest: {unit: s, value: 5}}}}]"),
			`virtual node "n_shop" of m: {listeners: [{portMapping: {port: 1, protocol: http}, timeout: {http: {perRequest: {unit: s, value: 5}}}}]}`},

		{"a gateway route names a service", crd("VirtualGateway", "g", "") + crd("GatewayRoute", "gr", "httpRoute: {match: {prefix: /}, action: {target: {port: 80, virtualService: {virtualServiceRef: {name: s}}}}}"),
			"virtual gateway \"g_shop\" of m: {}\n" + `gateway route "gr_shop" of m in g_shop: {httpRoute: {match: {prefix: /}, action: {target: {port: 80, virtualService: {virtualServiceName: s.shop}}}}}`},
		{"a gateway route may name its gateway", crd("GatewayRoute", "gr", "virtualGatewayRef: {name: g, namespace: edge, uid: u}, grpcRoute: {action: {target: {virtualService: {virtualServiceARN: 'arn:aws:appmesh:us-west-2:111122223333:mesh/m/virtualService/s.local'}}}}"),
			`gateway route "gr_shop" of m in g_edge: {grpcRoute: {action: {target: {virtualService: {virtualServiceName: s.local}}}}}`},
		{"of several gateways the one that selects it has it", "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {gateway: b, mesh: m}}}\n" +
			crd("VirtualGateway", "a", "namespaceSelector: {matchLabels: {gateway: a}}") + crd("VirtualGateway", "b", "namespaceSelector: {matchExpressions: [{key: gateway, operator: In, values: [b, c]}]}") + crd("GatewayRoute", "gr", ""),
			"virtual gateway \"a_shop\" of m: {}\nvirtual gateway \"b_shop\" of m: {}\ngateway route \"gr_shop\" of m in b_shop: {}"},

		{"a manifest may name its mesh", kubernetesObject("Mesh", "name: other", "awsName: o-1, meshOwner: '111122223333', egressFilter: {type: ALLOW_ALL}, meshServiceDiscovery: {ipPreference: IPv4_ONLY}") +
			crd("VirtualNode", "n", "meshRef: {name: other}"),
			"mesh \"o-1\" of o-1: {egressFilter: {type: ALLOW_ALL}, serviceDiscovery: {ipPreference: IPv4_ONLY}}\nvirtual node \"n_shop\" of o-1: {}"},
		{"of several meshes the one that selects the namespace has it", kubernetesObject("Mesh", "name: other", "namespaceSelector: {}") + kubernetesObject("Namespace", "name: x", "") +
			"---\n{apiVersion: v1, kind: Namespace, metadata: {name: far, labels: {mesh: x}}}\n" + kubernetesObject("VirtualNode", "name: n, namespace: far", ""),
			"mesh \"other\" of other: {}\nvirtual node \"n_far\" of other: {}"},

		{"lists are read, whatever is in them", "---\n{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret}, {apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNode, metadata: {name: n}, spec: {}, status: {virtualNodeARN: a}}]}\n",
			`virtual node "n_default" of m: {}`},
		{"a list of one kind too", "---\n{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNodeList, items: [{metadata: {name: n, uid: u, managedFields: []}, spec: {}}]}\n",
			`virtual node "n_default" of m: {}`},
		{"all else of a cluster is passed over", "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: '${X}'}, spec: {nope: 1}}\n---\n{apiVersion: v1, kind: ConfigMap, data: {a: '{{ x }}'}}\n", ``},

		{"v1beta1: nodes take a hyphen, services keep their names", old("VirtualNode", "n", "") + old("VirtualService", "s.local", "virtualRouter: {name: r, listeners: []}"),
			"virtual node \"n-shop\" of m: {}\nvirtual service \"s.local\" of m: {provider: {virtualRouter: {virtualRouterName: r-shop}}}\nvirtual router \"r-shop\" of m: {listeners: []}"},
		{"v1beta1: without a virtualRouter it has the service's name", old("VirtualService", "s.local", ""),
			"virtual service \"s.local\" of m: {provider: {virtualRouter: {virtualRouterName: s-local}}}\nvirtual router \"s-local\" of m: {}"},
		{"v1beta1: a node of another namespace is named with a dot", old("VirtualService", "s", "virtualRouter: {name: r}, routes: [{name: a, tcp: {action: {weightedTargets: [{virtualNodeName: n.far, weight: 1}, {virtualNodeName: n, weight: 2}]}}}]"),
			"virtual service \"s\" of m: {provider: {virtualRouter: {virtualRouterName: r-shop}}}\nvirtual router \"r-shop\" of m: {}\n" +
				`route "a-shop" of m in r-shop: {tcpRoute: {action: {weightedTargets: [{virtualNode: n-far, weight: 1}, {virtualNode: n-shop, weight: 2}]}}}`},
		{"v1beta1: old spellings", old("VirtualNode", "n", "serviceDiscovery: {cloudMap: {namespaceName: ns, serviceName: s, attributes: {k: v}}}") +
			old("VirtualNode", "o", "serviceDiscovery: {dns: {hostName: o.local}}"),
			"virtual node \"n-shop\" of m: {serviceDiscovery: {awsCloudMap: {namespaceName: ns, serviceName: s, attributes: [{key: k, value: v}]}}}\n" +
				`virtual node "o-shop" of m: {serviceDiscovery: {dns: {hostname: o.local}}}`},
		{"v1beta1: a time in milliseconds", old("VirtualService", "s", "routes: [{name: a, http: {match: {prefix: /}, retryPolicy: {maxRetries: 1, perRetryTimeoutMillis: 20}}}]"),
			"virtual service \"s\" of m: {provider: {virtualRouter: {virtualRouterName: s-shop}}}\nvirtual router \"s-shop\" of m: {}\n" +
				`route "a-shop" of m in s-shop: {httpRoute: {match: {prefix: /}, retryPolicy: {maxRetries: 1, perRetryTimeout: {unit: ms, value: 20}}}}`},
	} {
		t.Run(c.says, func(t *testing.T) {
			d := Parse([]Source{{Name: "mesh.yaml", Data: []byte(kubernetesMesh)}, {Name: "case.yaml", Data: []byte(c.documents)}})
			if got := understood(d, "case.yaml"); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.documents, got, c.want)
			}
		})
	}
}

// understood writes the resources of one file with their specs.
func understood(d *Documents, file string) string {
	var lines []string
	for _, res := range d.resources {
		if res.at.File != file {
			continue
		}
		line := res.String() + " of " + res.mesh
		if res.parent != "" {
			line += " in " + res.parent
		}
		lines = append(lines, line+": "+written(res.spec))
	}
	return strings.Join(lines, "\n")
}

func written(v *value) string {
	var parts []string
	switch v.kind {
	case object:
		for _, m := range v.members {
			parts = append(parts, m.name+": "+written(m.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case list:
		for _, item := range v.items {
			parts = append(parts, written(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return v.text
}

// TestKubernetesFindings: what a manifest cannot mean is said.
func TestKubernetesFindings(t *testing.T) {
	dns := ", serviceDiscovery: {dns: {hostname: n}}"
	for _, c := range []struct{ says, documents, want string }{
		{"an unknown field is found", crd("VirtualNode", "n", "nope: 1"), `error: virtual node "n_shop": nope: no such field | known here: listeners, serviceDiscovery, backends, backendDefaults, logging`},
		{"so is one beside the spec", "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNode, metadata: {name: n}, spek: {}, spec: {}}", `error: virtual node "n_default": spek: no such field beside "spec"`},
		{"and one in metadata", kubernetesObject("VirtualNode", "name: n, namspace: x", ""), `error: virtual node "n_default": namspace: no such field in "metadata"`},
		{"and one in a reference", crd("VirtualNode", "n", "backends: [{virtualService: {virtualServiceRef: {name: s, nmspace: x}}}]"),
			"error: virtual node \"n_shop\": backends[0].virtualService.virtualServiceRef.nmspace: no such field | known here: name, namespace\nwarning: virtual node \"n_shop\": backends[0].virtualService.virtualServiceName \"s.shop\": no such virtual service in mesh \"m\""},
		{"and one in a backend group", crd("BackendGroup", "g", "services: []"), `error: services: no such field | known here: virtualservices`},
		{"a name is required", "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNode, metadata: {}, spec: {}}", `error: a VirtualNode without metadata.name`},
		{"a spec is required", "{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNode, metadata: {name: n}}", `error: virtual node "n_default": spec is required`},
		{"an unknown kind is named with its neighbour", crd("VirtualNod", "n", ""), `error: kind "VirtualNod": the App Mesh controller has no such kind | did you mean "VirtualNode"?`},
		{"an older version is refused", "{apiVersion: appmesh.k8s.aws/v1alpha1, kind: Mesh}", `error: version "v1alpha1" of the controller's documents is not read | v1beta2 and v1beta1 are`},
		{"a misspelt group is not passed over", "{apiVersion: appmesh.k8s.aws.io/v1beta2, kind: Mesh}", `error: apiVersion "appmesh.k8s.aws.io/v1beta2" is not the App Mesh controller's | that is appmesh.k8s.aws/v1beta2`},
		{"a reference is an object", crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeRef: blue}}"), `error: virtual service "s.shop": provider.virtualNode.virtualNodeRef "blue": must be an object with name and namespace`},
		{"a reference has a name", crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeRef: {namespace: x}}}"), `error: virtual service "s.shop": provider.virtualNode.virtualNodeRef.name: is required`},
		{"an ARN is one", crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeARN: blue}}"), `error: virtual service "s.shop": provider.virtualNode.virtualNodeARN "blue": is not an ARN | by name it is written as virtualNodeRef: {name: NAME}`},
		{"a reference is a name or an ARN", crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeRef: {name: n}, virtualNodeARN: 'arn:aws:appmesh:r:1:mesh/m/virtualNode/n'}}"),
			"error: virtual service \"s.shop\": provider.virtualNode.virtualNodeName: is given twice | first at case.yaml:2\nwarning: virtual service \"s.shop\": provider.virtualNode.virtualNodeName \"n_shop\": no such virtual node in mesh \"m\""},
		{"a missing group is an error", crd("VirtualNode", "n", "backendGroups: [{name: g}]"), `error: virtual node "n_shop": backendGroups[0].name "g": no such BackendGroup in namespace "shop"`},
		{"a route has a name", crd("VirtualRouter", "r", "routes: [{tcpRoute: {}}]"), "error: virtual router \"r_shop\": routes[0].name: is required\nwarning: virtual router \"r_shop\": listeners: has no listener | no port leads to it: give it the port that callers use\nwarning: virtual router \"r_shop\": has no route | every request to it is answered 404"},
		{"a mode in a client policy was passed over", crd("VirtualNode", "n", "backendDefaults: {clientPolicy: {tls: {mode: STRICT, enforce: false, validation: {trust: {sds: {secretName: s}}}}}}"),
			`warning: virtual node "n_shop": backendDefaults.clientPolicy.tls.mode "STRICT": a client policy has no mode: Kubernetes passed over it, and so does this | whether TLS is demanded is said by enforce`},
		{"a gateway route needs a gateway", crd("GatewayRoute", "gr", "httpRoute: {}"),
			`error: gateway route "gr_shop": which virtual gateway it belongs to cannot be told: none is described here | add the gateway and the Namespace with its labels, or virtualGatewayRef: {name: GATEWAY} to the spec`},
		{"or one of several", crd("VirtualGateway", "a", "listeners: [{portMapping: {port: 1, protocol: http}}]") + crd("VirtualGateway", "b", "listeners: [{portMapping: {port: 1, protocol: http}}]") + crd("GatewayRoute", "gr", "httpRoute: {}"),
			"error: gateway route \"gr_shop\": which of 2 virtual gateways it belongs to cannot be told: no one of them alone selects it (2 places) | add the gateway and the Namespace with its labels, or virtualGatewayRef: {name: GATEWAY} to the spec\n" +
				"warning: virtual gateway \"a_shop\": has no gateway route | every request to it is answered 404\n" +
				"warning: virtual gateway \"b_shop\": has no gateway route | every request to it is answered 404"},
		{"a route's name is the router's matter", crd("VirtualRouter", "r", "listeners: [{portMapping: {port: 1, protocol: tcp}}], routes: [{name: a/b}, {name: c, tcpRoute: {action: {weightedTargets: [{virtualNodeARN: 'arn:aws:appmesh:r:1:mesh/m/virtualNode/n', weight: 1}]}}}]"),
			"error: virtual router \"r_shop\": routes[0].name \"a/b\": must be 1 to 255 characters without \"/\" and blanks\nerror: route \"c\": weightedTargets[0].virtualNode \"n\": no such virtual node in mesh \"m\""},
		{"a group without services is a warning", crd("BackendGroup", "g", "") + crd("VirtualNode", "n", "backendGroups: [{name: g}]"),
			`warning: virtual node "n_shop": backendGroups[0].name "g": the group lists no virtualservices | see case.yaml:2`},
		{"labels that the mesh does not select are a warning", "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n" + crd("VirtualNode", "n", "listeners: []"+dns),
			`warning: virtual node "n_shop": the labels of namespace "shop" are not those that mesh "m" selects | it is taken to be of this mesh, the only one here; see mesh.yaml:1`},
		{"of several meshes none may fit", kubernetesObject("Mesh", "name: other", "") + crd("VirtualNode", "n", ""),
			`error: virtual node "n_shop": which of 2 meshes it belongs to cannot be told: no one of them alone selects namespace "shop" | add the Namespace with its labels, or meshRef: {name: MESH} to the spec`},
		{"a mesh's owner is an account", kubernetesObject("Mesh", "name: other", "meshOwner: 12"), `error: mesh "other": meshOwner "12": must be an account of 12 digits`},
		{"a placeholder in a name is found", crd("VirtualNode", "'${NAME}'", ""), `error: ${NAME} is a template variable that nobody has filled in | give it with --param 'NAME=VALUE', write the value, or run the template through the tool it was made for`},
		{"so is one in a number", crd("VirtualNode", "n", "listeners: [{portMapping: {port: '{{ .Port }}', protocol: http}}]"+dns),
			`error: virtual node "n_shop": listeners[0].portMapping.port "{{ .Port }}": is a template variable that nobody has filled in | give it with --param '.Port=VALUE', write the value, or run the template through the tool it was made for`},
		{"and one in a reference", crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeRef: {name: $BLUE}}}"),
			`error: virtual service "s.shop": provider.virtualNode.virtualNodeName "$BLUE": is a template variable that nobody has filled in | give it with --param 'BLUE=VALUE', write the value, or run the template through the tool it was made for`},
		{"one name for two nodes", crd("VirtualNode", "n", "awsName: one") + "---\n" + crd("VirtualNode", "n", "awsName: two"),
			`error: virtual node "two": a second VirtualNode of this name, and it is not alike | first at case.yaml:2; what refers to it by name means one of them: remove the other`},
		{"one name for two groups", crd("BackendGroup", "g", "virtualservices: [{name: a}]") + "---\n" + crd("BackendGroup", "g", "virtualservices: [{name: b}]") + crd("BackendGroup", "g", "virtualservices: [{name: a}]"),
			`error: a second BackendGroup of this name, and it is not alike | first at case.yaml:2; what refers to it by name means one of them: remove the other`},
		{"a template that is no YAML is named", "apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata:\n  name: {{ .Values.mesh }}\n",
			"error: {{ .Values.mesh }} is a template variable that nobody has filled in | give it with --param '.Values.mesh=VALUE', write the value, or run the template through the tool it was made for"},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := about("case.yaml", Parse([]Source{{Name: "mesh.yaml", Data: []byte(kubernetesMesh)}, {Name: "case.yaml", Data: []byte(c.documents)}}).Check())
			want := strings.Split(c.want, "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", c.documents, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
}

// TestKubernetesWithoutMesh: manifests alone do not say their mesh; the only
// one that other documents know is theirs.
func TestKubernetesWithoutMesh(t *testing.T) {
	node := Source{Name: "case.yaml", Data: []byte(crd("VirtualNode", "n", "") + crd("VirtualNode", "o", ""))}
	for want, sources := range map[string][]Source{
		`error: virtual node "n_shop": has no mesh: there is no document of kind Mesh (2 places) | add it, or meshRef: {name: MESH} to the spec`: {node},
		`warning: virtual node "n_shop": no document of kind Mesh: taken to be of mesh "m", the only one here`:                                   {{Name: "cli.json", Data: []byte(`{"meshName": "m"}`)}, node},
	} {
		if got := about("case.yaml", Parse(sources).Check()); len(got) == 0 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestKubernetesSnapshot: a mesh in Kubernetes' form, mixed with the API's own
// form and in that alone, is the same snapshot. (An awsName is known only to the
// manifests beside it.)
func TestKubernetesSnapshot(t *testing.T) {
	const (
		aMesh    = kubernetesMesh
		anyNode  = "listeners: [{portMapping: {port: 8080, protocol: http}}], serviceDiscovery: {dns: {hostname: n.local}}"
		front    = anyNode + ", logging: {accessLog: {file: {path: /dev/stdout}}}"
		aRoute   = "httpRoute: {match: {prefix: /}, timeout: {idle: {unit: s, value: 60}}, "
		listener = "listeners: [{portMapping: {port: 80, protocol: http}}]"
	)
	kubernetes := []string{
		aMesh,
		crd("VirtualNode", "front", front+", podSelector: {matchLabels: {app: front}}, backends: [{virtualService: {virtualServiceRef: {name: color}}}]"),
		crd("VirtualNode", "blue", anyNode),
		crd("VirtualService", "color", "provider: {virtualRouter: {virtualRouterRef: {name: r}}}"),
		crd("VirtualRouter", "r", listener+", routes: [{name: a, "+aRoute+toBlue+"}}]"),
	}
	cli := []string{
		"{meshName: m, spec: {}}",
		"{meshName: m, virtualNodeName: front_shop, spec: {backends: [{virtualService: {virtualServiceName: color.shop}}], " + front + "}}",
		"{meshName: m, virtualNodeName: blue_shop, spec: {" + anyNode + "}}",
		"{meshName: m, virtualServiceName: color.shop, spec: {provider: {virtualRouter: {virtualRouterName: r_shop}}}}",
		"{meshName: m, virtualRouterName: r_shop, spec: {" + listener + "}}\n---\n{meshName: m, virtualRouterName: r_shop, routeName: a, spec: {" + aRoute + toBlueUnderstood + "}}}",
	}
	version := func(documents []string) string {
		var sources []Source
		for i, text := range documents {
			sources = append(sources, Source{Name: strconv.Itoa(i) + ".yaml", Data: []byte(text)})
		}
		s, findings := Parse(sources).Compile(mesh.Resource{Mesh: "m", Name: "front_shop"}, Options{})
		noErrors(t, findings)
		if s == nil {
			t.Fatalf("%s: no snapshot", documents)
		}
		return s.Version
	}
	want := version(cli)
	for mixed := range 1 << len(cli) {
		documents := slices.Clone(cli)
		for i := range documents {
			if mixed>>i&1 == 1 {
				documents[i] = kubernetes[i]
			}
		}
		if got := version(documents); got != want {
			t.Errorf("mixed %05b: %s, want %s", mixed, got, want)
		}
	}
}

// TestKubernetesTemplate: the walkthrough's template is filled by parameters,
// and is not read without.
func TestKubernetesTemplate(t *testing.T) {
	template := deployedPlain(t, "walkthroughs/howto-k8s-retry-policy/v1beta2/manifest.yaml.template")
	lines := about(template.Name, Parse([]Source{template}).Check())
	if len(lines) != 2 || !strings.Contains(lines[0], "--param 'MESH_NAME=VALUE'") || !strings.Contains(lines[1], "${APP_NAMESPACE} is a template variable that nobody has filled in (5 places)") {
		t.Errorf("not filled in: %s", strings.Join(lines, "\n"))
	}
	d := Checks{Params: map[string]string{"APP_NAMESPACE": "shop", "MESH_NAME": "walk"}}.Parse([]Source{template})
	s, findings := d.Compile(mesh.Resource{Mesh: "walk", Name: "front_shop"}, Options{})
	if s == nil || s.Egress != mesh.DropAll {
		t.Fatal(findings)
	}
	noErrors(t, findings)
	cluster(t, s, "cds_egress_walk_blue_shop_http_8080")
}

// TestBackendGroupsAreBounded: many nodes that list large groups many times
// are refused in words, soon.
func TestBackendGroupsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(kubernetesMesh)
	for i := range 200 {
		b.WriteString(crd("VirtualService", "s"+strconv.Itoa(i), ""))
	}
	b.WriteString(crd("VirtualNode", "n", "backendGroups: ["+strings.Repeat("{name: '*'}, ", 1+maxGrouped/200)+"]"))
	fs := Parse([]Source{{Name: "f", Data: []byte(b.String())}}).Check()
	if !slices.ContainsFunc(fs, func(f mesh.Finding) bool { return strings.Contains(f.Message, "backend groups stand for more than") }) {
		t.Errorf("%d findings, none of the bound", len(fs))
	}
}

// FuzzKubernetes: whatever the manifests, nothing panics, findings have words
// and a place, and a snapshot is whole.
func FuzzKubernetes(f *testing.F) {
	for _, seed := range []string{
		kubernetesMesh + crd("VirtualNode", "n", "backendGroups: [{name: '*'}, {name: g}]") + crd("BackendGroup", "g", "virtualservices: [{name: s}]") + crd("VirtualService", "s", "provider: {virtualNode: {virtualNodeRef: {name: n}}}"),
		kubernetesMesh + crd("VirtualRouter", "r", "routes: [{name: a, httpRoute: {match: {prefix: /}, "+toBlue+"}}]") + crd("VirtualGateway", "g", "namespaceSelector: {}") + crd("GatewayRoute", "gr", "virtualGatewayRef: {name: g}"),
		old("Mesh", "m", "") + old("VirtualService", "s", "virtualRouter: {name: r}, routes: [{name: a, http: {retryPolicy: {perRetryTimeoutMillis: 1}}}]") + old("VirtualNode", "n", "serviceDiscovery: {cloudMap: {attributes: {a: b}}}"),
		"{apiVersion: v1, kind: List, items: [{kind: List, apiVersion: v1, items: [1, null]}]}", "{apiVersion: appmesh.k8s.aws/v1beta2, kind: MeshList, items: [{}]}",
		"{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: [], spec: []}", "{apiVersion: v1, kind: Namespace}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := Checks{Params: map[string]string{"A": "a", "B": "${A}"}}.Parse([]Source{{Name: "f", Data: data}})
		for _, finding := range d.Check() {
			if finding.Message == "" || finding.File == "" {
				t.Fatalf("a finding without words or a place: %+v", finding)
			}
		}
		for id, ix := range d.meshes {
			for node := range ix.of[nodeKind] {
				if s, findings := d.Compile(mesh.Resource{Mesh: id.name, Owner: id.owner, Name: node}, Options{}); s != nil {
					whole(t, s)
				} else if len(findings) == 0 {
					t.Fatal("no snapshot and no reason")
				}
			}
		}
	})
}
