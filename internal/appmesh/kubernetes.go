package appmesh

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Kubernetes manifests of the App Mesh controller, as people write them and as
// `kubectl get -o yaml` prints them (App Mesh 7, item 3):
//
//	apiVersion: appmesh.k8s.aws/v1beta2
//	kind: VirtualNode
//	metadata: {name: front, namespace: shop}
//	spec: {...}
//
// beside Deployments, Services and all else a cluster holds, which is passed
// over. Manifests refer to each other by Kubernetes name and are known to App
// Mesh by another (awsName), and what mesh or gateway they belong to is said by
// the labels of a third document. So they are kept until all sources are read:
//
//	kubernetes.go         values become manifests; manifests become resources
//	kubernetes_place.go   the names of a manifest, its mesh and its gateway
//	kubernetes_spec.go    a spec's references and spellings become the API's
//	kubernetes_old.go     what v1beta1 wrote otherwise
//
// What the checker then finds in a spec it names by the API's field; the place
// is that of the manifest's own value.

const kubernetesGroup = "appmesh.k8s.aws/"

// groupKind is the kind of a BackendGroup, which is no resource of App Mesh's.
const groupKind = unknownKind

// manifestKinds are the kinds of the controller.
var manifestKinds = [...]struct {
	name string
	kind kind
}{
	{"Mesh", meshKind}, {"VirtualService", serviceKind}, {"VirtualNode", nodeKind}, {"VirtualRouter", routerKind},
	{"VirtualGateway", gatewayKind}, {"GatewayRoute", gatewayRouteKind}, {"BackendGroup", groupKind},
}

// manifests are the Kubernetes documents read so far.
type manifests struct {
	all []*manifest
	// namespaces are the metadata of the Namespace documents.
	namespaces map[string]*value
	// of finds a manifest; meshes and gateways are those of one kind.
	of               map[manifestKey]*manifest
	meshes, gateways []*manifest
	// services are App Mesh's names of the virtual services of a mesh in one
	// namespace, in order.
	services map[[2]string][]string
	// grouped counts the virtual services that backend groups have named.
	grouped int
}

// A manifestKey is how Kubernetes tells objects apart.
type manifestKey struct {
	kind            kind
	namespace, name string
}

// A manifest is one object of the controller's.
type manifest struct {
	kind kind
	// old manifests are v1beta1.
	old      bool
	document *value
	metadata *value
	spec     *value
	// unknown are members that stand beside spec and mean nothing.
	unknown []*member
	key     manifestKey
	// name is what App Mesh calls it, standing where that was said.
	name *value
	// res is the resource it becomes; nil for a BackendGroup.
	res *resource
	// spaces and routes are the selectors of a Mesh or VirtualGateway.
	spaces, routes *value
}

// readKubernetes keeps a manifest. Decision: of other kinds only the labels of
// namespaces are of use; nothing is reported about them.
func readKubernetes(d *Documents, v *value) {
	version, ours := strings.CutPrefix(v.get("apiVersion").str(), kubernetesGroup)
	what := v.get("kind")
	if strings.HasSuffix(what.str(), "List") && v.has("items") {
		d.manifestList(v)
		return
	}
	d.fill(v)
	switch {
	case what.str() == "Namespace" && !ours:
		d.namespace(v.get("metadata"))
	case !ours && strings.Contains(strings.ToLower(v.get("apiVersion").str()), "appmesh"):
		d.documentError(v, v.get("apiVersion").at, fmt.Sprintf("apiVersion %q is not the App Mesh controller's", v.get("apiVersion").str()), "that is "+kubernetesGroup+"v1beta2")
	case !ours:
	case version != "v1beta2" && version != "v1beta1":
		d.documentError(v, v.get("apiVersion").at, fmt.Sprintf("version %q of the controller's documents is not read", version), "v1beta2 and v1beta1 are")
	default:
		d.manifest(v, version == "v1beta1")
	}
}

// manifestList reads the entries of `kubectl get -o yaml`. Those of a list of
// one kind (VirtualNodeList) may leave out what they are.
func (d *Documents) manifestList(v *value) {
	d.documents--
	version, what := v.get("apiVersion"), v.get("kind")
	one := &value{kind: text, text: strings.TrimSuffix(what.text, "List"), at: what.at}
	for _, item := range v.get("items").list() {
		d.documents++
		if item.kind == object && one.text != "" && !item.has("kind") && !item.has("apiVersion") {
			item.members = append(item.members, member{"apiVersion", version.at, version}, member{"kind", what.at, one})
		}
		if !isKubernetes(item) {
			d.documentError(item, item.at, "an entry of a "+what.text+" that is no Kubernetes object", "")
			continue
		}
		readKubernetes(d, item)
	}
}

func (d *Documents) namespace(metadata *value) {
	if d.manifests.namespaces == nil {
		d.manifests.namespaces = make(map[string]*value)
	}
	d.manifests.namespaces[metadata.get("name").str()] = metadata
}

func (d *Documents) manifest(v *value, old bool) {
	m := &manifest{kind: kindCount, old: old, document: v}
	var names []string
	for _, k := range manifestKinds {
		if names = append(names, k.name); k.name == v.get("kind").str() {
			m.kind = k.kind
		}
	}
	if m.kind == kindCount {
		what := v.get("kind")
		d.documentError(v, what.at, fmt.Sprintf("kind %q: the App Mesh controller has no such kind", what.text), d.didYouMean(what.text, names))
		return
	}
	d.unique(v)
	for i := range v.members {
		switch b := &v.members[i]; {
		case named(b.name, "metadata") && m.metadata == nil:
			m.metadata = b.value
			d.unique(b.value)
		case named(b.name, "spec") && m.spec == nil:
			m.spec = b.value
		case !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec", "status"}, b.name):
			m.unknown = append(m.unknown, b)
		}
	}
	d.manifests.all = append(d.manifests.all, m)
}

// kubernetes makes resources of the manifests. It runs once all sources are
// read and before resources without a mesh are given one.
func (d *Documents) kubernetes() {
	ms := &d.manifests
	ms.of = make(map[manifestKey]*manifest, len(ms.all))
	known := ms.all[:0]
	for _, m := range ms.all {
		if !d.nameManifest(m) {
			continue
		}
		known = append(known, m)
		if first := ms.of[m.key]; first == nil {
			ms.of[m.key] = m
		} else if m.ambiguous(first) {
			d.manifestError(m, m.metadata.given("name").at, "a second "+m.label()+" of this name, and it is not alike", "first at "+place(first.metadata.given("name").at)+"; what refers to it by name means one of them: remove the other")
		}
		if m.kind == meshKind {
			ms.meshes = append(ms.meshes, m)
		}
	}
	placed := known[:0]
	others := d.meshNames(known)
	for _, m := range known {
		if m.kind == groupKind || d.placeManifest(m, others) {
			placed = append(placed, m)
		}
	}
	ms.all = placed
	ms.sort()
	for _, m := range ms.all {
		t := translator{checker{d, m.res}, m}
		t.manifest()
	}
	d.manifests = manifests{}
}

// ambiguous reports whether a reference to what two manifests call by one name
// means something else with each. What resources say is compared later (settle).
func (m *manifest) ambiguous(first *manifest) bool {
	if m.kind != groupKind {
		return m.name.text != first.name.text
	}
	return difference(m.spec.orNull(), first.spec.orNull(), (*path)(nil).name("spec")) != nil
}

// sort finds what manifests of one kind are asked for.
func (ms *manifests) sort() {
	ms.services = make(map[[2]string][]string)
	for _, m := range ms.all {
		switch m.kind {
		case gatewayKind:
			ms.gateways = append(ms.gateways, m)
		case serviceKind:
			in := [2]string{m.res.mesh, m.key.namespace}
			ms.services[in] = append(ms.services[in], m.res.name)
		}
	}
	for _, names := range ms.services {
		slices.Sort(names)
	}
}

// translator turns one manifest into resources.
type translator struct {
	checker
	m *manifest
}

// manifest adds the resource, if the manifest is one, and those nested in it.
func (t *translator) manifest() {
	for _, b := range t.m.unknown {
		t.beside(b, `no such field beside "spec"`)
	}
	t.metadata()
	if t.m.kind == groupKind {
		t.group()
		return
	}
	if t.res.spec == nil {
		t.res.spec = &value{kind: object, at: t.m.document.at}
		if t.m.kind != meshKind {
			t.fail(t.m.document.at, nil, "spec is required", "")
		}
	}
	t.known()
	if t.m.kind == gatewayRouteKind && !t.gatewayOf(t.res.spec.take("virtualGatewayRef")) {
		return
	}
	t.d.resources = append(t.d.resources, t.res)
	switch t.m.kind {
	case meshKind:
		t.mesh()
	case serviceKind:
		t.service()
	case nodeKind:
		t.node()
	case routerKind:
		t.routes(t.res, t.res.spec.take("routes"))
	case gatewayKind:
		t.gateway()
	case gatewayRouteKind:
		t.references(t.res.spec)
	}
}

// known takes out of a spec what has done its part: names, the mesh, and which
// pods are the resource's (a sidecar is told what it is).
func (t *translator) known() {
	spec := t.res.spec
	spec.take("awsName")
	if t.m.kind != meshKind {
		spec.take("meshRef")
		spec.take("meshName")
	}
	switch t.m.kind {
	case meshKind:
		spec.take("namespaceSelector")
	case nodeKind:
		spec.take("podSelector")
	case gatewayKind:
		spec.take("podSelector")
		spec.take("namespaceSelector")
		spec.take("gatewayRouteSelector")
	}
}

// objectMeta are the fields of metadata, of which names and labels count.
var objectMeta = [...]string{"name", "namespace", "labels", "annotations", "generateName", "uid", "resourceVersion", "generation",
	"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers", "ownerReferences", "managedFields",
	"selfLink", "clusterName"}

func (t *translator) metadata() {
	for i := range t.m.metadata.all() {
		if b := &t.m.metadata.members[i]; !slices.Contains(objectMeta[:], b.name) {
			t.beside(b, `no such field in "metadata"`)
		}
	}
}

// beside reports a member that stands outside of the spec.
func (t *translator) beside(b *member, msg string) {
	if t.res == nil {
		t.d.documentError(t.m.document, b.at, b.name+": "+msg, "")
		return
	}
	t.fail(b.at, (*path)(nil).name(b.name), msg, "")
}

// take removes a member however its name is written and returns its value;
// nil where there is none, or null.
func (v *value) take(name string) *value {
	if v == nil || v.kind != object {
		return nil
	}
	for i := range v.members {
		if !named(v.members[i].name, name) {
			continue
		}
		taken := v.members[i].value
		v.members = slices.Delete(v.members, i, i+1)
		if taken.kind == null {
			return nil
		}
		return taken
	}
	return nil
}

// given is spelt without null.
func (v *value) given(name string) *value {
	if found := v.spelt(name); found != nil && found.kind != null {
		return found
	}
	return nil
}

// templateHint says what to do with a text that cannot be read because it is a
// template; "" when it is none.
func templateHint(data []byte) string {
	for _, mark := range [...][2]string{{"{{", "}}"}, {"${", "}"}} {
		if i := bytes.Index(data, []byte(mark[0])); i >= 0 {
			if n := bytes.Index(data[i:], []byte(mark[1])); n >= 0 && n < 200 {
				return fmt.Sprintf("this looks like a template: fill in %s and the like first, with the tool it was made for (helm template, envsubst), and read what comes out",
					data[i:i+n+len(mark[1])])
			}
		}
	}
	return ""
}

// manifestError reports a manifest that becomes no resource. Several of one
// cause are told of once.
func (d *Documents) manifestError(m *manifest, at mesh.Position, msg, hint string) {
	f := mesh.Finding{Position: at, Severity: mesh.Error, Message: msg, Hint: hint}
	if m.res != nil {
		f.Resource = m.res.String()
	}
	d.add(finding{about: m.document, feature: feature{msg, hint}, Finding: f})
}

// manifestName checks a name in a manifest as Documents.name does, and says of
// a placeholder how to fill it in.
func (d *Documents) manifestName(m *manifest, field string, v *value) bool {
	if v.kind == text && unfilled(v.text) {
		d.manifestError(m, v.at, placeholder.FindString(v.text)+" is a template variable that nobody has filled in", fillHint(v.text))
		return false
	}
	return d.name(m.document, &member{field, v.at, v})
}
