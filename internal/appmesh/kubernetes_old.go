package appmesh

import "strings"

// What v1beta1 wrote otherwise (App Mesh 7): the mesh is named in the spec, a
// virtual service holds its router and routes, nodes are named by
// virtualNodeName, and some fields have other names. Fields that came later are
// read in either version.

// oldName is how the controller of v1beta1 called nodes, routers and routes in
// App Mesh, which took no dots in their names: NAME-NAMESPACE, and NAME.OTHER
// as NAME-OTHER. Virtual services kept their names.
func oldName(namespace, name string) string {
	if strings.Contains(name, ".") {
		return strings.ReplaceAll(name, ".", "-")
	}
	return name + "-" + namespace
}

// oldReference reads virtualNodeName: a node of this namespace, or NODE.OTHER.
func (t *translator) oldReference(v *value) *value {
	if v.kind != text || unfilled(v.text) {
		return v // the checker says so
	}
	name, namespace := v.text, t.m.key.namespace
	if found := t.d.manifests.of[manifestKey{nodeKind, namespace, name}]; found != nil {
		return &value{kind: text, text: found.name.text, at: v.at}
	}
	return &value{kind: text, text: oldName(namespace, name), at: v.at}
}

// oldService makes a router of a virtual service's virtualRouter, and routes of
// its routes. Without a virtualRouter the router has the service's name.
func (t *translator) oldService() {
	spec := t.res.spec
	router := spec.take("virtualRouter")
	if router == nil {
		router = &value{kind: object, at: t.m.name.at}
	}
	if router.kind != object {
		t.wrongType(router, (*path)(nil).name("virtualRouter"), "an object")
		return
	}
	name := router.take("name")
	if name == nil || name.text == "" {
		name = t.m.name
	}
	routes := spec.take("routes")
	if !t.nameable(name, (*path)(nil).name("virtualRouter").name("name")) {
		return
	}
	res := &resource{kind: routerKind, mesh: t.res.mesh, owner: t.res.owner, name: oldName(t.m.key.namespace, name.text), at: name.at, spec: router}
	t.d.resources = append(t.d.resources, res)
	within := translator{checker{t.d, res}, t.m}
	within.routes(res, routes)
	provided := func(name string, v *value) *value {
		return &value{kind: object, at: v.at, members: []member{{name, v.at, v}}}
	}
	called := &value{kind: text, text: res.name, at: name.at}
	spec.members = append(spec.members, member{"provider", name.at, provided("virtualRouter", provided("virtualRouterName", called))})
}

// oldRoute gives a route's members their later names.
func (t *translator) oldRoute() {
	res := t.res
	res.name = oldName(t.m.key.namespace, res.name)
	for _, kind := range [...]string{"http", "http2", "grpc", "tcp"} {
		res.spec.rename(kind, kind+"Route")
		retry := res.spec.given(kind + "Route").given("retryPolicy")
		if millis := retry.take("perRetryTimeoutMillis"); millis != nil {
			unit := &value{kind: text, text: "ms", at: millis.at}
			timeout := &value{kind: object, at: millis.at, members: []member{{"unit", millis.at, unit}, {"value", millis.at, millis}}}
			retry.members = append(retry.members, member{"perRetryTimeout", millis.at, timeout})
		}
	}
}
