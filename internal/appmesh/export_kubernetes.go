package appmesh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A manifestWriter names what Kubernetes calls otherwise than App Mesh. Each
// mesh has a namespace of its own, whose label its namespaceSelector takes.
type manifestWriter struct {
	*exporter
	names  map[*resource]string
	spaces map[meshID]string         // namespaces
	within map[*resource][]*resource // routes by router
}

const (
	meshLabel    = "mesh"    // of namespaces
	gatewayLabel = "gateway" // of gateway routes
)

// manifests is what is exported as the controller's documents.
func (e *exporter) manifests() []*value {
	w := manifestWriter{e, make(map[*resource]string), make(map[meshID]string), make(map[*resource][]*resource)}
	e.leaveOut(w.unsayable)
	w.name()
	var all []*value
	for i, res := range e.chosen {
		if i == 0 || e.chosen[i-1].id().mesh != res.id().mesh {
			all = append(all, w.namespace(res))
		}
		if m := w.manifest(res); m != nil {
			all = append(all, m)
		}
	}
	return all
}

// name names the objects and the namespaces, and finds the routes of routers.
func (w *manifestWriter) name() {
	taken := make(map[string]bool)
	unique := func(prefix, name string) string { return free(taken, prefix+dnsLabel(name), "-")[len(prefix):] }
	for _, res := range w.chosen {
		if w.described(res) == nil { // meshRef has the name as it is
			taken["mesh/"+res.mesh] = true
		}
	}
	for _, res := range w.chosen {
		in := res.id().mesh
		if w.spaces[in] == "" {
			w.spaces[in] = unique("namespace/", res.mesh)
		}
		switch res.kind {
		case meshKind:
			w.names[res] = unique("mesh/", res.name)
		case routeKind:
			router := w.parent(res)
			w.within[router] = append(w.within[router], res)
		default:
			w.names[res] = unique(kinds[res.kind].object+"/"+in.String()+"/", res.name)
		}
	}
}

// unsayable says why manifests cannot say a resource; "" when they can.
func (w *manifestWriter) unsayable(res *resource) (why string) {
	switch {
	case w.described(res) == nil && w.namesakes(res):
		return "its mesh is not described, and manifests do not say which account's it is otherwise"
	case res.kind == routeKind && w.parent(res) == nil:
		return fmt.Sprintf("manifests nest a route in its virtual router, and %q is not written", res.parent)
	case res.kind == gatewayRouteKind && w.parent(res) == nil && gatewayRef(res.parent) == nil:
		return fmt.Sprintf("manifests select a gateway route by its virtual gateway, and %q is not written", res.parent)
	}
	for _, ref := range manifestReferences[res.kind] {
		res.spec.each(ref.way, nil, func(holder *value, _ *path) {
			if name := holder.get(ref.as).str(); strings.Contains(name, "/") {
				why = fmt.Sprintf("%q is no name that an ARN can end in", name)
			}
		})
	}
	return why
}

// gatewayRef names a virtual gateway that no document describes as the
// controller would call it, NAME_NAMESPACE; nil when it would not.
func gatewayRef(called string) *value {
	i := max(0, strings.LastIndexByte(called, '_'))
	name, space := called[:i], called[min(i+1, len(called)):]
	if i == 0 || dnsLabel(name) != name || dnsLabel(space) != space {
		return nil
	}
	return record(member{name: "name", value: say(name)}, member{name: "namespace", value: say(space)})
}

// namespace is the first document of a mesh; res is the first of its resources.
func (w *manifestWriter) namespace(res *resource) *value {
	if res.kind != meshKind {
		msg := fmt.Sprintf("mesh %q is named by meshRef, since no document describes it", res.mesh)
		if res.owner != "" {
			msg += "; that its owner is " + res.owner + " is not said"
		}
		w.found = append(w.found, mesh.Finding{Severity: mesh.Warning, Message: msg, Hint: "the controller wants a document of kind Mesh"})
	}
	space := say(w.spaces[res.id().mesh])
	labels := record(member{name: meshLabel, value: space})
	return record(member{name: "apiVersion", value: say("v1")}, member{name: "kind", value: say("Namespace")},
		member{name: "metadata", value: record(member{name: "name", value: space}, member{name: "labels", value: labels})})
}

// manifest is one resource's document; nil for routes, which stand in their
// routers.
func (w *manifestWriter) manifest(res *resource) *value {
	metadata := record(member{name: "name", value: say(w.names[res])})
	if res.kind != meshKind {
		metadata.set("namespace", say(w.spaces[res.id().mesh]))
	}
	spec := record(member{name: "awsName", value: say(res.name)})
	if res.kind != meshKind && w.described(res) == nil {
		spec.set("meshRef", record(member{name: "name", value: say(res.mesh)}))
	}
	switch res.kind {
	case meshKind:
		spec.set("namespaceSelector", selecting(meshLabel, w.spaces[res.id().mesh]))
		if res.owner != "" {
			spec.set("meshOwner", say(res.owner))
		}
	case routeKind:
		return nil
	case gatewayKind:
		spec.set("namespaceSelector", selecting(meshLabel, w.spaces[res.id().mesh]))
		spec.set("gatewayRouteSelector", selecting(gatewayLabel, w.names[res]))
	case gatewayRouteKind:
		if gateway := w.parent(res); gateway != nil {
			metadata.set("labels", record(member{name: gatewayLabel, value: say(w.names[gateway])}))
		} else {
			spec.set("virtualGatewayRef", gatewayRef(res.parent))
		}
	}
	spec.members = append(spec.members, w.spec(res).members...)
	if res.kind == routerKind {
		w.routes(res, spec)
	}
	return record(member{name: "apiVersion", value: say(kubernetesGroup + "v1beta2")}, member{name: "kind", value: say((&manifest{kind: res.kind}).label())},
		member{name: "metadata", value: metadata}, member{name: "spec", value: spec})
}

func selecting(label, value string) *value {
	return record(member{name: "matchLabels", value: record(member{name: label, value: say(value)})})
}

// routes nests the routes of a router in it.
func (w *manifestWriter) routes(router *resource, spec *value) {
	routes := &value{kind: list}
	for _, route := range w.within[router] {
		body := record(member{name: "name", value: say(route.name)})
		body.members = append(body.members, w.spec(route).members...)
		routes.items = append(routes.items, body)
	}
	if len(routes.items) > 0 {
		spec.set("routes", routes)
	}
}

// spec is a resource's spec with the controller's references and spellings.
func (w *manifestWriter) spec(res *resource) *value {
	spec := res.canonical()
	for _, ref := range manifestReferences[res.kind] {
		spec.each(ref.way, nil, func(holder *value, _ *path) {
			for i := range holder.members {
				if m := &holder.members[i]; m.name == ref.as {
					w.refer(res, m, ref.kind)
				}
			}
		})
	}
	if res.kind == meshKind {
		spec.rename("serviceDiscovery", manifestMeshDiscovery)
	}
	return respelt(spec)
}

// refer turns a name of App Mesh's into a reference: to the manifest of that
// name, or by ARN where there is none.
func (w *manifestWriter) refer(res *resource, m *member, k kind) {
	if to := w.find(res, k, m.value.text); to != nil {
		m.name, m.value = kinds[k].object+"Ref", record(member{name: "name", value: say(w.names[to])})
		return
	}
	account := res.owner
	if account == "" || w.described(res) == nil {
		account = "${AWS_ACCOUNT_ID}" // nor would a reader learn it
	}
	w.add(mesh.Warning, res, res.at, fmt.Sprintf("the %s %q is not written, so that it is referred to by ARN", kinds[k].label, m.value.text),
		"fill in its account and region; Outrider asks for neither")
	m.name = kinds[k].object + "ARN"
	m.value = say("arn:aws:appmesh:${AWS_REGION}:" + account + ":mesh/" + res.mesh + "/" + kinds[k].object + "/" + m.value.text)
}

// respelt spells the members of a canonical value as the controller does.
func respelt(v *value) *value {
	for i := range v.members {
		m := &v.members[i]
		if s := slices.IndexFunc(manifestSpellings[:], func(s [2]string) bool { return s[0] == m.name }); s >= 0 {
			m.name = manifestSpellings[s][1]
		}
		respelt(m.value)
	}
	for _, item := range v.items {
		respelt(item)
	}
	return v
}

// dnsLabel is what a name becomes as the name of an object in Kubernetes
// (RFC 1123 label), with room left for a number.
func dnsLabel(name string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	label = strings.Trim(label, "-")
	if label = strings.TrimRight(label[:min(len(label), 56)], "-"); label == "" {
		return "x"
	}
	return label
}
