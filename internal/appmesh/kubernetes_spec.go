package appmesh

import (
	"fmt"
	"strings"
)

// maxGrouped bounds the backends that all backend groups together stand for.
const maxGrouped = 1 << 19

// A manifestReference is a place where a manifest names a resource of its own
// accord: KINDRef {name, namespace} or KINDARN, where the API has the member as
// in the object at the end of way.
type manifestReference struct {
	way  string // names joined by dots, lists marked []
	kind kind
	as   string
}

// manifestReferences are those in the specs of each kind. They are read by
// translator.references and written by manifestWriter.spec.
var manifestReferences = [kindCount][]manifestReference{
	serviceKind: {
		{"provider.virtualNode", nodeKind, "virtualNodeName"},
		{"provider.virtualRouter", routerKind, "virtualRouterName"},
	},
	nodeKind: {{"backends[].virtualService", serviceKind, "virtualServiceName"}},
	routeKind: {
		{"httpRoute.action.weightedTargets[]", nodeKind, "virtualNode"},
		{"http2Route.action.weightedTargets[]", nodeKind, "virtualNode"},
		{"grpcRoute.action.weightedTargets[]", nodeKind, "virtualNode"},
		{"tcpRoute.action.weightedTargets[]", nodeKind, "virtualNode"},
	},
	gatewayRouteKind: {
		{"httpRoute.action.target.virtualService", serviceKind, "virtualServiceName"},
		{"http2Route.action.target.virtualService", serviceKind, "virtualServiceName"},
		{"grpcRoute.action.target.virtualService", serviceKind, "virtualServiceName"},
	},
}

// manifestMeshDiscovery is what a Mesh calls its serviceDiscovery;
// manifestSpellings are the members that are written otherwise than in the API
// (to the checker they are the same, see named).
const manifestMeshDiscovery = "meshServiceDiscovery"

var manifestSpellings = [...][2]string{
	{"certificateArn", "certificateARN"},
	{"certificateAuthorityArns", "certificateAuthorityARNs"},
}

// references makes the API's members of the references in a spec.
func (t *translator) references(spec *value) {
	for _, ref := range manifestReferences[t.res.kind] {
		spec.each(ref.way, nil, func(holder *value, p *path) { t.reference(holder, ref.kind, ref.as, p) })
	}
}

// each calls f with every value at the end of a way.
func (v *value) each(way string, p *path, f func(*value, *path)) {
	if way == "" {
		if v != nil {
			f(v, p)
		}
		return
	}
	name, rest, _ := strings.Cut(way, ".")
	name, isList := strings.CutSuffix(name, "[]")
	at := p.name(name)
	next := v.given(name)
	if !isList {
		next.each(rest, at, f)
		return
	}
	for i, item := range next.list() {
		item.each(rest, at.index(i), f)
	}
}

func (t *translator) mesh() {
	spec := t.res.spec
	if owner := spec.take("meshOwner"); owner != nil {
		if !account(owner.text) {
			t.failValue(owner, (*path)(nil).name("meshOwner"), "must be an account of 12 digits", "")
		}
	}
	spec.rename(manifestMeshDiscovery, "serviceDiscovery")
	if t.m.old {
		spec.take("serviceDiscoveryType") // had one value, dns
	}
}

func (t *translator) service() {
	spec := t.res.spec
	if t.m.old && spec.given("provider") == nil {
		t.oldService()
		return
	}
	t.references(spec)
}

func (t *translator) node() {
	spec := t.res.spec
	if t.m.old {
		spec.given("serviceDiscovery").rename("cloudMap", "awsCloudMap")
	}
	t.discovery(spec.given("serviceDiscovery"))
	t.policy(spec.given("backendDefaults"), (*path)(nil).name("backendDefaults"))
	t.references(spec)
	spec.each("backends[].virtualService", nil, t.policy)
	if groups := spec.take("backendGroups"); groups != nil {
		t.backendGroups(groups)
	}
}

func (t *translator) gateway() {
	t.policy(t.res.spec.given("backendDefaults"), (*path)(nil).name("backendDefaults"))
}

// routes makes resources of the routes nested in a router.
func (t *translator) routes(router *resource, routes *value) {
	p := (*path)(nil).name("routes")
	if routes == nil {
		return
	}
	if routes.kind != list {
		t.wrongType(routes, p, "a list")
		return
	}
	for i, spec := range routes.items {
		t.route(router, spec, p.index(i))
	}
}

func (t *translator) route(router *resource, spec *value, p *path) {
	if spec.kind != object {
		t.wrongType(spec, p, "an object")
		return
	}
	name := spec.take("name")
	if name == nil {
		t.fail(spec.at, p.name("name"), "is required", "")
		return
	}
	if !t.nameable(name, p.name("name")) {
		return
	}
	res := &resource{kind: routeKind, mesh: router.mesh, owner: router.owner, parent: router.name, name: name.text, at: name.at, spec: spec}
	within := translator{checker{t.d, res}, t.m}
	if t.m.old {
		within.oldRoute()
	}
	within.references(spec)
	t.d.resources = append(t.d.resources, res)
}

// nameable checks the name of something nested in a resource. What is wrong is
// the resource's fault: without a route, say, its router does not start.
func (t *translator) nameable(v *value, p *path) bool {
	switch {
	case v.kind != text && v.kind != number && v.kind != boolean:
		return t.wrongType(v, p, "text")
	case unfilled(v.text):
		return t.filled(v, p)
	case v.text == "" || len(v.text) > 255 || strings.ContainsAny(v.text, "/ \t\r\n"):
		return t.refuse(v, p, `must be 1 to 255 characters without "/" and blanks`, "")
	}
	return true
}

// reference makes the API's member as of the ways in which an object names a
// resource: KINDRef {name, namespace} and KINDARN. Both at once are left to the
// checker, to which they are one field given twice.
func (t *translator) reference(holder *value, k kind, as string, p *path) {
	if holder == nil || holder.kind != object {
		return
	}
	for i := range holder.members {
		m := &holder.members[i]
		switch {
		case m.value.kind == null:
		case named(m.name, kinds[k].object+"Ref"):
			m.value, m.name = t.referred(m.value, k, p.name(m.name)), as
		case named(m.name, kinds[k].object+"ARN"):
			if m.value.kind == text && !isARN(m.value.text) {
				t.refuse(m.value, p.name(m.name), "is not an ARN", "by name it is written as "+kinds[k].object+"Ref: {name: NAME}")
			}
			m.name = as
		case t.m.old && k == nodeKind && named(m.name, "virtualNodeName"):
			m.value, m.name = t.oldReference(m.value), as
		}
	}
}

// referred is App Mesh's name of what {name, namespace} names, standing where
// the name does.
func (t *translator) referred(ref *value, k kind, p *path) *value {
	refused := &value{kind: invalid, at: ref.at}
	if ref.kind != object {
		t.wrongType(ref, p, "an object with name and namespace")
		return refused
	}
	var name *value
	namespace := &value{kind: text, text: t.m.key.namespace}
	for i := range ref.members {
		switch m := &ref.members[i]; {
		case m.name == "uid", m.value.kind == null:
		case m.name == "name":
			name = m.value
		case m.name == "namespace":
			namespace = m.value
		default:
			t.fail(m.at, p.name(m.name), "no such field", "known here: name, namespace")
		}
	}
	if name == nil || name.text == "" {
		t.fail(ref.at, p.name("name"), "is required", "")
		return refused
	}
	for _, v := range []*value{name, namespace} {
		if v.kind != text && v.kind != number && v.kind != boolean {
			t.wrongType(v, p, "made of texts")
			return refused
		}
		if unfilled(v.text) {
			return v // the checker says so
		}
	}
	return &value{kind: text, text: t.d.manifests.nameOf(t.m, k, namespace.text, name.text), at: name.at}
}

// discovery reads attributes that are a map, as v1beta1 has them.
func (t *translator) discovery(v *value) {
	attributes := v.given("awsCloudMap").given("attributes")
	if attributes == nil || attributes.kind != object {
		return
	}
	pairs := &value{kind: list, at: attributes.at}
	for _, m := range attributes.members {
		key := &value{kind: text, text: m.name, at: m.at}
		pairs.items = append(pairs.items, &value{kind: object, at: m.at, members: []member{{"key", m.at, key}, {"value", m.value.at, m.value}}})
	}
	*attributes = *pairs
}

// policy takes the mode out of a client policy: real manifests have it there,
// and Kubernetes, which knows no such field, passed over it.
func (t *translator) policy(holder *value, p *path) {
	if mode := holder.given("clientPolicy").given("tls").take("mode"); mode != nil {
		t.warnValue(mode, p.name("clientPolicy").name("tls").name("mode"), "a client policy has no mode: Kubernetes passed over it, and so does this",
			"whether TLS is demanded is said by enforce")
	}
}

// backendGroups adds to a node's backends the virtual services of its groups,
// each once. The group "*" is every virtual service of a namespace.
func (t *translator) backendGroups(groups *value) {
	p := (*path)(nil).name("backendGroups")
	if groups.kind != list {
		t.wrongType(groups, p, "a list")
		return
	}
	spec := t.res.spec
	backends := spec.given("backends")
	switch {
	case backends == nil:
		spec.take("backends")
		backends = &value{kind: list, at: groups.at}
		spec.members = append(spec.members, member{"backends", groups.at, backends})
	case backends.kind != list:
		return
	}
	known := make(map[string]bool)
	for _, b := range backends.items {
		v := *b.given("virtualService").given("virtualServiceName").orNull()
		nameOfARN(&v)
		known[v.text] = true
	}
	for i, group := range groups.items {
		services := t.members(group, p.index(i))
		if t.d.manifests.grouped > maxGrouped {
			t.fail(group.at, p.index(i), fmt.Sprintf("backend groups stand for more than %d backends in all", maxGrouped), "list the backends that a node calls")
			return
		}
		for _, service := range services {
			if known[service.text] {
				continue
			}
			known[service.text] = true
			named := &value{kind: object, at: service.at, members: []member{{"virtualServiceName", service.at, service}}}
			backends.items = append(backends.items, &value{kind: object, at: service.at, members: []member{{"virtualService", service.at, named}}})
		}
	}
}

// members are App Mesh's names of a group's virtual services. Decision: a
// group that no document describes is an error of the node, since it cannot be
// told what the node may call.
func (t *translator) members(ref *value, p *path) []*value {
	group, name := t.groupNamed(ref, p)
	if name == nil {
		return nil
	}
	ms := &t.d.manifests
	var services []*value
	if name.text == "*" {
		all := ms.services[[2]string{t.res.mesh, group.namespace}]
		if ms.grouped += len(all); ms.grouped > maxGrouped {
			return nil
		}
		for _, service := range all {
			services = append(services, &value{kind: text, text: service, at: name.at})
		}
		return services
	}
	m := ms.of[group]
	if m == nil {
		t.failValue(name, p.name("name"), fmt.Sprintf("no such BackendGroup in namespace %q", group.namespace), t.d.orHidden(""))
		return nil
	}
	listed := m.spec.given("virtualservices")
	if listed == nil || listed.kind != list {
		t.warnValue(name, p.name("name"), "the group lists no virtualservices", "see "+place(m.document.at))
	}
	refs := listed.list()
	if ms.grouped += len(refs); ms.grouped > maxGrouped {
		return nil
	}
	within := translator{t.checker, m}
	for i, ref := range refs {
		if v := within.referred(ref, serviceKind, p.name("virtualservices").index(i)); v.kind != invalid {
			services = append(services, &value{kind: text, text: v.text, at: v.at})
		}
	}
	return services
}

// groupNamed reads the reference to a group; a nil name when it is refused.
func (t *translator) groupNamed(ref *value, p *path) (manifestKey, *value) {
	key := manifestKey{groupKind, t.m.key.namespace, ""}
	if ref.kind != object {
		t.wrongType(ref, p, "an object with name and namespace")
		return key, nil
	}
	var name *value
	for i := range ref.members {
		switch m := &ref.members[i]; {
		case m.value.kind == null:
		case m.name == "name":
			name, key.name = m.value, m.value.text
		case m.name == "namespace":
			key.namespace = m.value.text
		default:
			t.fail(m.at, p.name(m.name), "no such field", "known here: name, namespace")
		}
	}
	if name == nil {
		t.fail(ref.at, p.name("name"), "is required", "")
	}
	return key, name
}

// group checks a BackendGroup, which only its nodes make use of.
func (t *translator) group() {
	for i := range t.m.spec.all() {
		m := &t.m.spec.members[i]
		switch {
		case named(m.name, "virtualservices") && (m.value.kind == list || m.value.kind == null), named(m.name, "meshRef"):
		case named(m.name, "virtualservices"):
			t.d.documentError(t.m.document, m.value.at, "virtualservices must be a list, not "+m.value.kind.String(), "")
		default:
			t.d.documentError(t.m.document, m.at, m.name+": no such field", "known here: virtualservices")
		}
	}
}

// rename gives a member the API's name.
func (v *value) rename(from, to string) {
	if v == nil {
		return
	}
	for i := range v.members {
		if named(v.members[i].name, from) {
			v.members[i].name = to
		}
	}
}

// orNull is v, or a null where there is none.
func (v *value) orNull() *value {
	if v == nil {
		return &value{}
	}
	return v
}
