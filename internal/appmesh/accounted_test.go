package appmesh

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A reading is one file's values and those that it is read with, before any
// front end has seen them, so that it can be read again with one changed.
type reading struct {
	checks         Checks
	file           string
	values, beside []*value
	whole          bool // all of it is of the mesh
}

// read makes documents of the reading. changed is the leaf that is given
// another value; -1 for none.
func (r *reading) read(changed int) *Documents {
	d := &Documents{checks: r.checks, meshes: map[meshID]*index{}}
	count := 0
	for _, v := range r.values {
		d.document(copyChanged(v, func(leaf *value) {
			if count == changed {
				change(leaf)
			}
			count++
		}))
	}
	for _, v := range r.beside {
		d.document(copyChanged(v, func(*value) {}))
	}
	d.understand()
	return d
}

// copyChanged copies a value and calls f with the copy of every leaf.
func copyChanged(v *value, f func(*value)) *value {
	c := *v
	c.members, c.items = slices.Clone(v.members), slices.Clone(v.items)
	for i := range c.members {
		c.members[i].value = copyChanged(c.members[i].value, f)
	}
	for i := range c.items {
		c.items[i] = copyChanged(c.items[i], f)
	}
	if c.isLeaf() {
		f(&c)
	}
	return &c
}

func (v *value) isLeaf() bool { return v.kind == text || v.kind == number || v.kind == boolean }

// change gives a leaf another value of its kind.
func change(leaf *value) {
	n, err := strconv.ParseInt(leaf.text, 10, 64)
	switch {
	case err == nil && n == 1:
		leaf.text = "2"
	case err == nil:
		leaf.text = strconv.FormatInt(n-1, 10)
	case leaf.text == "true":
		leaf.text = "false"
	case leaf.text == "false":
		leaf.text = "true"
	default:
		leaf.text += "x"
	}
}

// holds reports whether a resource stands in the file.
func (r *reading) holds(res *resource) bool { return res.at.File == r.file }

// allOf is all that was understood of documents: every resource with its
// canonical spec, and every finding.
func allOf(d *Documents) string {
	var lines []string
	for _, res := range d.resources {
		lines = append(lines, fmt.Sprint(res.kind, res.mesh, res.owner, res.parent, res.name, res.dated, written(res.spec)))
	}
	for _, f := range d.findings {
		lines = append(lines, fmt.Sprint(f.Position, f.Severity, f.Resource, f.Field, f.Value, f.Message, f.Hint))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// unheeded are the leaves that change neither a resource nor a finding, by the
// form of the document and their paths, each with the reason. No field of a
// spec is among them. testdata/unheeded.golden lists those that are met.
var unheeded = []struct {
	form string
	path *regexp.Regexp
	why  string
}{
	{ofCloudFormation, regexp.MustCompile(`^\.(AWSTemplateFormatVersion|Description|Metadata|Transform)([.[]|$)`), "says nothing of the mesh"},
	{ofCloudFormation, regexp.MustCompile(`^\.(Parameters|Mappings|Conditions|Rules)\.`), "known by what the mesh makes of it; cloudformation_test.go and intrinsic_test.go have each of them"},
	{ofCloudFormation, regexp.MustCompile(`^\.Outputs\.`), "for people and other stacks; cloudformation_test.go has imports"},
	{ofCloudFormation, regexp.MustCompile(`^\.Resources\.\w+\.DependsOn([.[]|$)`), "the order in which CloudFormation makes resources"},

	{ofManifest, regexp.MustCompile(`^(\.items\[\d+\])?\.metadata\.(namespace|name)$`), "awsName is the name, and nothing refers to this manifest by Kubernetes' name"},
	{ofManifest, regexp.MustCompile(`^(\.items\[\d+\])?\.spec\.(podSelector|namespaceSelector|gatewayRouteSelector)\.`), "which pods a resource is for: a sidecar is told its resource; namespaces count where there are several meshes"},
	{ofManifest, regexp.MustCompile(`^(\.items\[\d+\])?\.spec\.serviceDiscoveryType$`), "v1beta1 had one value, dns"},

	{ofTerraform, regexp.MustCompile(`^\.(lineage|serial|version|terraform_version|format_version)$`), "which state this is"},
	{ofTerraform, regexp.MustCompile(`^\.(values\.)?outputs\.`), "for people and other programs"},
	{ofTerraform, regexp.MustCompile(`\.resources\[\d+\]\.(address|mode|name|index|module|provider|provider_name|schema_version|depends_on|sensitive_values)([.[]|$)`), "what the tool calls a resource, and makes before it"},
	{ofTerraform, regexp.MustCompile(`\.instances\[\d+\]\.(index_key|schema_version|private|dependencies|sensitive_attributes)([.[]|$)`), "what the tool calls an instance, and makes before it"},
	{ofTerraform, regexp.MustCompile(`\.(instances\[\d+\]\.attributes|resources\[\d+\]\.values)\.(id|arn|region|resource_owner|created_date|tags|tags_all)([.[]|$)`), "not of the spec; resource_owner is not the mesh's owner"},
	{ofTerraform, regexp.MustCompile(`\.child_modules\[\d+\]\.address$`), "what the tool calls a module"},

	{ofPulumi, regexp.MustCompile(`^\.(version|deployment\.manifest|deployment\.secrets_providers)([.[]|$)`), "which state this is"},
	{ofPulumi, regexp.MustCompile(`^\.deployment\.resources\[\d+\]\.(urn|custom|id|parent|provider|created|modified|propertyDependencies|dependencies)([.[]|$)`), "what the tool calls a resource, and makes before it"},
	{ofPulumi, regexp.MustCompile(`^\.deployment\.resources\[\d+\]\.outputs\.(id|arn|region|resourceOwner|createdDate|tags|tagsAll|__meta)([.[]|$)`), "not of the spec; resourceOwner is not the mesh's owner"},
	{ofPulumi, regexp.MustCompile(`^\.deployment\.resources\[\d+\]\.inputs\.`), "what was asked for; outputs are what there is"},

	{ofRequest, regexp.MustCompile(`^(\.\w+)?\.(metadata|status|tags|clientToken)([.[]|$)`), "not of the spec"},
}

// The forms of documents.
const (
	ofCloudFormation = "CloudFormation"
	ofManifest       = "Kubernetes"
	ofTerraform      = "Terraform"
	ofPulumi         = "Pulumi"
	ofRequest        = "request"
)

func formOf(document *value) string {
	switch {
	case isCloudFormation(document):
		return ofCloudFormation
	case isKubernetes(document):
		return ofManifest
	case isTerraform(document):
		return ofTerraform
	case isPulumi(document):
		return ofPulumi
	}
	return ofRequest
}

// excuse is why a leaf need not be heeded; "" if it must.
func excuse(form, path string) string {
	for _, u := range unheeded {
		if u.form == form && u.path.MatchString(path) {
			return form + ": " + u.why
		}
	}
	return ""
}

// A tally is what was looked at, and the paths that were excused, by the
// excuse.
type tally struct {
	looked  int
	excused map[string]map[string]bool
}

// of checks that every leaf of a reading that is part of a mesh is used, found
// fault with, or excused in words; and that all that was understood has its
// place in the file.
func (a *tally) of(t *testing.T, r *reading) {
	before := r.read(-1)
	want := allOf(before)
	if again := allOf(r.read(-1)); again != want {
		t.Fatalf("%s: read twice it is not the same", r.file)
	}
	found := map[mesh.Position]bool{}
	for _, f := range before.findings {
		found[f.Position] = true
	}
	places := map[mesh.Position]bool{}
	number, was := -1, a.looked
	for _, document := range r.values {
		ours, form := ofMesh(document), formOf(document)
		nodes(document, "", func(v *value, path string) {
			places[v.at] = true
			for _, m := range v.members {
				places[m.at] = true // attributes are a map in some forms
			}
			if !v.isLeaf() {
				return
			}
			number++
			if !ours(path) {
				return
			}
			a.looked++
			if !some(number, 10) || found[v.at] || allOf(r.read(number)) != want {
				return
			}
			why := excuse(form, path)
			if why == "" {
				t.Errorf("%s: %s %q is dropped in silence", v.at, path, v.text)
				return
			}
			if a.excused[why] == nil {
				a.excused[why] = make(map[string]bool)
			}
			a.excused[why][anonymous(path)] = true
		})
	}
	for _, res := range before.resources {
		if !r.holds(res) {
			continue
		}
		nodes(res.spec, "", func(v *value, path string) {
			if v.isLeaf() && !places[v.at] {
				t.Errorf("%s: %s of %s has a place where nothing stands", v.at, path, res)
			}
		})
	}
	if a.looked == was && r.whole {
		t.Errorf("%s: no leaf was looked at", r.file)
	}
}

// anonymous is a path without numbers, and without names that a template gave.
func anonymous(path string) string {
	path = regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[]")
	return regexp.MustCompile(`^\.(Parameters|Mappings|Conditions|Rules|Outputs|Resources)\.\w+`).ReplaceAllString(path, ".$1.*")
}

// nodes calls f for every value, with its path, in the order of copyChanged.
func nodes(v *value, path string, f func(*value, string)) {
	for _, m := range v.members {
		nodes(m.value, path+"."+m.name, f)
	}
	for i, item := range v.items {
		nodes(item, fmt.Sprintf("%s[%d]", path, i), f)
	}
	f(v, path)
}

// ofMesh says which paths of a document are of the mesh: in a template the
// resources of App Mesh, in a manifest all or nothing.
func ofMesh(document *value) func(path string) bool {
	switch {
	case isTaskDefinition(document), isContainer(document):
		return func(string) bool { return false }
	case isCloudFormation(document):
		return func(path string) bool {
			rest, ok := strings.CutPrefix(path, ".Resources.")
			if !ok {
				return true
			}
			name, _, _ := strings.Cut(rest, ".")
			return strings.HasPrefix(document.get("Resources", name, "Type").str(), typePrefix)
		}
	case isKubernetes(document):
		return func(path string) bool {
			of := document
			if item := itemOf(document.get("items"), ".items", path); item != nil {
				of = item
			}
			return strings.HasPrefix(of.get("apiVersion").str(), kubernetesGroup)
		}
	case isPulumi(document):
		return func(path string) bool {
			res := itemOf(document.get("deployment", "resources"), ".deployment.resources", path)
			return res == nil || strings.HasPrefix(res.get("type").str(), "aws:appmesh/")
		}
	}
	return func(string) bool { return true }
}

// itemOf is the item of a list at up that a path leads through; nil for none.
func itemOf(all *value, up, path string) *value {
	n, ok := strings.CutPrefix(path, up+"[")
	if !ok {
		return nil
	}
	n, _, _ = strings.Cut(n, "]")
	i, _ := strconv.Atoi(n)
	return all.items[i]
}

// TestEveryLeafIsAccountedFor: no value of any document of the corpus, nor of
// those that show a form whole, is dropped in silence.
//
// `go test ./internal/appmesh -run Accounted -update` rewrites
// testdata/unheeded.golden.
func TestEveryLeafIsAccountedFor(t *testing.T) {
	a := tally{excused: make(map[string]map[string]bool)}
	for _, file := range walkthroughs(t) {
		a.of(t, asDeployed(t, file))
	}
	if a.looked < 3800 {
		t.Errorf("only %d leaves of the walkthroughs were looked at", a.looked)
	}
	data, err := os.ReadFile(filepath.Join("testdata", "kubernetes-v1beta1.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	_, archive := splitArchive(data)
	all := Parse(corpus(t, "every-field")).resources
	for _, s := range slices.Concat(corpus(t, "guide"), corpus(t, "every-field"), corpus(t, "terraform"), archive[:1], []Source{
		{Name: "every-field.terraform.json", Data: []byte(inTerraform.document(all))},
		{Name: "every-field.pulumi.json", Data: []byte(inPulumi.document(all))},
	}) {
		values, err := readText(s.Name, s.Data)
		if err != nil {
			t.Fatal(err)
		}
		a.of(t, &reading{file: s.Name, values: values, whole: true})
	}
	if raceEnabled {
		return
	}
	var b strings.Builder
	for _, u := range unheeded {
		why := u.form + ": " + u.why
		fmt.Fprintf(&b, "%s\n", why)
		for _, path := range slices.Sorted(maps.Keys(a.excused[why])) {
			fmt.Fprintf(&b, "  %s\n", path)
		}
		if len(a.excused[why]) == 0 {
			t.Errorf("nothing needs the excuse %s", why)
		}
	}
	keepsTo(t, "testdata/unheeded.golden", b.String())
}
