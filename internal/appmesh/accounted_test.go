package appmesh

import (
	"fmt"
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

// unheeded are the leaves that change neither a resource nor a finding, by
// their paths, each with the reason. No field of a spec is among them.
var unheeded = []struct {
	path *regexp.Regexp
	why  string
}{
	// CloudFormation
	{regexp.MustCompile(`^\.(AWSTemplateFormatVersion|Description|Metadata|Transform)`), "says nothing of the mesh"},
	{regexp.MustCompile(`^\.(Parameters|Mappings|Conditions|Rules)\.`), "known by what the mesh makes of it; cloudformation_test.go and intrinsic_test.go have each of them"},
	{regexp.MustCompile(`^\.Outputs\.`), "for people and other stacks; cloudformation_test.go has imports"},
	{regexp.MustCompile(`^\.Resources\.\w+\.DependsOn`), "the order in which CloudFormation makes resources"},
	{regexp.MustCompile(`^\.Resources\.\w+\.Properties\.Tags`), "for people and bills"},
	// Kubernetes
	{regexp.MustCompile(`^(\.items\[\d+\])?\.metadata\.(namespace|name)$`), "awsName is the name, and nothing refers to this manifest by Kubernetes' name"},
	{regexp.MustCompile(`^(\.items\[\d+\])?\.metadata\.labels\.`), "for people, and for selectors that are not needed where there is one mesh"},
	{regexp.MustCompile(`^(\.items\[\d+\])?\.spec\.(podSelector|namespaceSelector|gatewayRouteSelector)\.`), "which pods a resource is for: a sidecar is told its resource; namespaces count where there are several meshes"},
	{regexp.MustCompile(`^(\.items\[\d+\])?\.spec\.serviceDiscoveryType$`), "v1beta1 had one value, dns"},
	{regexp.MustCompile(`^(\.items\[\d+\])?\.spec\.meshRef\.uid$`), "the cluster's own number of the mesh"},
	// Terraform and Pulumi
	{regexp.MustCompile(`^\.(lineage|serial|version|terraform_version|format_version|manifest|deployment\.manifest|deployment\.secrets_providers)([.[]|$)`), "which state this is"},
	{regexp.MustCompile(`^\.(values\.)?outputs\.`), "for people and other programs"},
	{regexp.MustCompile(`\.resources\[\d+\]\.(address|mode|name|index|module|provider|provider_name|schema_version|depends_on|sensitive_values|urn|custom|id|parent|created|modified|propertyDependencies|dependencies)([.[]|$)`), "what the tool calls a resource, and makes before it"},
	{regexp.MustCompile(`\.instances\[\d+\]\.(index_key|schema_version|private|dependencies|sensitive_attributes)([.[]|$)`), "what the tool calls an instance, and makes before it"},
	{regexp.MustCompile(`\.(attributes|values|outputs)\.(id|arn|region|resource_owner|resourceOwner|created_date|createdDate|tags|tags_all|tagsAll|__meta)([.[]|$)`), "not of the spec; resource_owner is not the mesh's owner"},
	{regexp.MustCompile(`^\.deployment\.resources\[\d+\]\.inputs\.`), "what was asked for; outputs are what there is"},
	{regexp.MustCompile(`^\.address$|\.child_modules\[\d+\]\.address$|\.root_module\.address$`), "what the tool calls a module"},
	// describe output and requests
	{regexp.MustCompile(`^(\.\w+)?\.(metadata|status|tags|clientToken)([.[]|$)`), "not of the spec"},
}

// accounted checks that every leaf of a reading that is part of a mesh is
// used, found fault with, or excused in words; and that all that was
// understood has its place in the file. It returns how many were looked at.
func accounted(t *testing.T, r *reading) int {
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
	number, looked := -1, 0
	for _, document := range r.values {
		ours := ofMesh(document)
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
			looked++
			if found[v.at] || allOf(r.read(number)) != want {
				return
			}
			for _, u := range unheeded {
				if u.path.MatchString(path) {
					return
				}
			}
			t.Errorf("%s: %s %q is dropped in silence", v.at, path, v.text)
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
	return looked
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
func TestEveryLeafIsAccountedFor(t *testing.T) {
	total := 0
	for _, file := range walkthroughs(t) {
		total += accounted(t, asDeployed(t, file))
	}
	if total < 3800 {
		t.Errorf("only %d leaves of the walkthroughs were looked at", total)
	}
	data, err := os.ReadFile(filepath.Join("testdata", "kubernetes-v1beta1.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	_, archive := splitArchive(data)
	for _, s := range slices.Concat(corpus(t, "guide"), corpus(t, "every-field"), corpus(t, "terraform"), archive[:1]) {
		values, err := readText(s.Name, s.Data)
		if err != nil {
			t.Fatal(err)
		}
		if accounted(t, &reading{file: s.Name, values: values}) == 0 {
			t.Errorf("%s: no leaf was looked at", s.Name)
		}
	}
}
