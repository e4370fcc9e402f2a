package appmesh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// nameManifest finds out what a manifest is called, in Kubernetes and in App
// Mesh; false when that cannot be told.
func (d *Documents) nameManifest(m *manifest) bool {
	name := m.metadata.given("name")
	if name == nil {
		d.documentError(m.document, m.document.at, "a "+m.label()+" without metadata.name", "")
		return false
	}
	ok := d.manifestName(m, "metadata.name", name)
	m.key = manifestKey{m.kind, "", name.text}
	if m.kind != meshKind { // meshes belong to the whole cluster
		m.key.namespace = "default"
		if space := m.metadata.given("namespace"); space != nil {
			ok = d.manifestName(m, "metadata.namespace", space) && ok
			m.key.namespace = space.text
		}
	}
	if m.kind == groupKind {
		return ok
	}
	m.name = &value{kind: text, text: m.defaultName(m.kind, m.key.namespace, name.text), at: name.at}
	if aws := m.spec.given("awsName"); aws != nil && (aws.kind != text || aws.text != "") {
		ok = d.manifestName(m, "awsName", aws) && ok
		m.name = &value{kind: text, text: aws.text, at: aws.at}
	}
	m.res = &resource{kind: m.kind, name: m.name.text, at: m.name.at, spec: m.spec}
	m.spaces, m.routes = m.spec.given("namespaceSelector"), m.spec.given("gatewayRouteSelector")
	if m.kind == meshKind {
		m.res.mesh, m.res.owner = m.res.name, m.meshOwner()
	}
	return ok
}

func (m *manifest) label() string {
	for _, k := range manifestKinds {
		if k.kind == m.kind {
			return k.name
		}
	}
	return "document"
}

// defaultName is how the controller calls in App Mesh what has no awsName, as
// a manifest of m's version sees it (App Mesh 7; for v1beta1 the controller of
// that time).
func (m *manifest) defaultName(k kind, namespace, name string) string {
	switch {
	case k == meshKind, m.old && k == serviceKind:
		return name
	case m.old:
		return oldName(namespace, name)
	case k == serviceKind:
		return name + "." + namespace
	}
	return name + "_" + namespace
}

// nameOf is App Mesh's name of what a manifest refers to. Where no document
// describes that, it is what the controller would call it.
func (ms *manifests) nameOf(m *manifest, k kind, namespace, name string) string {
	if found := ms.of[manifestKey{k, namespace, name}]; found != nil {
		return found.name.text
	}
	return m.defaultName(k, namespace, name)
}

// meshNames are the meshes that a manifest which says nothing may be of when
// there is no document of kind Mesh: those that other documents name.
func (d *Documents) meshNames(all []*manifest) []string {
	var names []string
	for _, res := range d.resources {
		if res.mesh != "" {
			names = append(names, res.mesh)
		}
	}
	for _, m := range all {
		if ref := m.meshRef(); m.res != nil && ref.str() != "" && !unfilled(ref.text) {
			names = append(names, d.manifests.nameOf(m, meshKind, "", ref.text))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// meshRef is the Kubernetes name of the mesh that a manifest names: meshName
// in v1beta1, meshRef as the cluster fills it in since.
func (m *manifest) meshRef() *value {
	if name := m.spec.given("meshName"); name != nil {
		return name
	}
	return m.spec.given("meshRef").given("name")
}

// meshOwner is the account that a mesh's manifest says it belongs to, or "".
func (m *manifest) meshOwner() string {
	if m == nil || !account(m.spec.given("meshOwner").str()) {
		return ""
	}
	return m.spec.given("meshOwner").text
}

// placeManifest finds a manifest's mesh: the one it names, or the one whose
// namespaceSelector takes its namespace. Decisions: a single Mesh is taken
// whatever it selects (the Namespace may be labelled elsewhere), with a warning
// where the labels are known and differ. Without any Mesh the only mesh that
// other documents know is taken, as for the API's own form.
func (d *Documents) placeManifest(m *manifest, others []string) bool {
	ms := &d.manifests
	if m.kind == meshKind {
		return true
	}
	if ref := m.meshRef(); ref != nil {
		m.res.mesh = ms.nameOf(m, meshKind, "", ref.text)
		m.res.owner = ms.of[manifestKey{meshKind, "", ref.text}].meshOwner()
		return d.manifestName(m, "the mesh's name", ref)
	}
	space := ms.namespaces[m.key.namespace]
	one, fits := choose(ms.meshes, func(x *manifest) bool { return selects(x.spaces, space.get("labels")) })
	switch {
	case one != nil:
		m.res.mesh, m.res.owner = one.name.text, one.meshOwner()
		if !fits && space != nil && one.spaces != nil {
			d.add(finding{owner: m.res, Finding: mesh.Finding{Position: m.name.at, Severity: mesh.Warning, Resource: m.res.String(),
				Message: fmt.Sprintf("the labels of namespace %q are not those that mesh %q selects", m.key.namespace, one.name.text),
				Hint:    "it is taken to be of this mesh, the only one here; see " + place(one.name.at)}})
		}
	case len(ms.meshes) > 1:
		d.manifestError(m, m.name.at, fmt.Sprintf("which of %d meshes it belongs to cannot be told: no one of them alone selects namespace %q", len(ms.meshes), m.key.namespace),
			"add the Namespace with its labels, or meshRef: {name: MESH} to the spec")
		return false
	case len(others) == 1:
		m.res.mesh = others[0]
		d.add(finding{owner: m.res, Finding: mesh.Finding{Position: m.name.at, Severity: mesh.Warning, Resource: m.res.String(),
			Message: fmt.Sprintf("no document of kind Mesh: taken to be of mesh %q, the only one here", others[0])}})
	default:
		d.manifestError(m, m.name.at, "has no mesh: there is no document of kind Mesh", "add it, or meshRef: {name: MESH} to the spec")
		return false
	}
	return true
}

// gatewayOf finds the virtual gateway of a gateway route: the one it names, or
// the one whose selectors take it, as for meshes.
func (t *translator) gatewayOf(ref *value) bool {
	p := (*path)(nil).name("virtualGatewayRef")
	if ref != nil {
		name := t.referred(ref, gatewayKind, p)
		t.res.parent = name.str()
		return name.kind == text && t.d.manifestName(t.m, "virtualGatewayRef.name", name)
	}
	var gateways []*manifest
	for _, m := range t.d.manifests.gateways {
		if m.res.mesh == t.res.mesh {
			gateways = append(gateways, m)
		}
	}
	space := t.d.manifests.namespaces[t.m.key.namespace]
	one, fits := choose(gateways, func(m *manifest) bool {
		return selects(m.spaces, space.get("labels")) && (m.routes == nil || selects(m.routes, t.m.metadata.given("labels")))
	})
	if one == nil {
		t.noGateway(gateways)
		return false
	}
	t.res.parent = one.name.text
	if !fits && space != nil && one.spaces != nil {
		t.warn(t.m.name.at, nil, fmt.Sprintf("its labels, or those of namespace %q, are not those that virtual gateway %q selects", t.m.key.namespace, one.name.text),
			"it is taken to be of this gateway, the only one here; see "+place(one.name.at))
	}
	return true
}

// noGateway reports a gateway route that belongs to none of the gateways, or
// may belong to several. It concerns all of them.
func (t *translator) noGateway(gateways []*manifest) {
	const hint = "add the gateway and the Namespace with its labels, or virtualGatewayRef: {name: GATEWAY} to the spec"
	if len(gateways) == 0 {
		t.d.manifestError(t.m, t.m.name.at, "which virtual gateway it belongs to cannot be told: none is described here", hint)
		return
	}
	msg := fmt.Sprintf("which of %d virtual gateways it belongs to cannot be told: no one of them alone selects it", len(gateways))
	for _, m := range gateways {
		t.d.add(finding{owner: m.res, feature: feature{msg, t.m.name.at.String()}, Finding: mesh.Finding{Position: t.m.name.at,
			Severity: mesh.Error, Resource: t.res.String(), Message: msg, Hint: hint}})
	}
}

// choose picks the one that is asked for: the only one there is, with whether
// it fits, or the only one that fits.
func choose(all []*manifest, fits func(*manifest) bool) (*manifest, bool) {
	if len(all) == 1 {
		return all[0], fits(all[0])
	}
	var one *manifest
	for _, m := range all {
		if !fits(m) {
			continue
		}
		if one != nil {
			return nil, false
		}
		one = m
	}
	return one, one != nil
}

// selects reports whether a label selector takes labels. As in Kubernetes, an
// absent selector takes nothing and an empty one everything.
func selects(selector, labels *value) bool {
	if selector == nil || selector.kind != object {
		return false
	}
	for _, want := range selector.given("matchLabels").all() {
		if got := labels.member(want.name); got == nil || got.text != want.value.text {
			return false
		}
	}
	for _, e := range selector.given("matchExpressions").list() {
		label := labels.member(e.given("key").str())
		among := label != nil && slices.ContainsFunc(e.given("values").list(), func(v *value) bool { return v.text == label.text })
		switch e.given("operator").str() {
		case "In":
			if !among {
				return false
			}
		case "NotIn":
			if among {
				return false
			}
		case "Exists":
			if label == nil {
				return false
			}
		case "DoesNotExist":
			if label != nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// isARN reports whether a text is an ARN of App Mesh, or may become one once
// somebody has filled it in.
func isARN(s string) bool { return strings.HasPrefix(s, "arn:") || unfilled(s) }
