package appmesh

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// mixedForms are the forms that a part of a mesh is written in.
var mixedForms = []struct {
	name  string
	write func(*testing.T, *Documents) []byte
}{
	{"cli.json", as(CLI)},
	{"template.json", as(CloudFormation)},
	{"manifests.yaml", as(Kubernetes)},
	{"terraform.json", func(_ *testing.T, d *Documents) []byte { return []byte(inTerraform.document(d.resources)) }},
	{"pulumi.json", func(_ *testing.T, d *Documents) []byte { return []byte(inPulumi.document(d.resources)) }},
}

func as(f Format) func(*testing.T, *Documents) []byte {
	return func(t *testing.T, d *Documents) []byte {
		var b bytes.Buffer
		findings, err := d.Export(&b, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.Severity == mesh.Error {
				t.Errorf("%s: %s", f.Resource, f.Message)
			}
		}
		return b.Bytes()
	}
}

// TestMixedForms deals the resources of a mesh over files of five forms, at
// random, some of them into two: every node's snapshot is that of the
// original, in version and plan.
func TestMixedForms(t *testing.T) {
	for name, d := range mixable(t) {
		want := snapshots(t, d)
		if len(want) == 0 {
			t.Errorf("%s: no node starts", name)
		}
		for seed := range uint64(12) {
			if !some(int(seed), 6) {
				continue
			}
			r := rand.New(rand.NewPCG(seed, 4))
			mixed := Parse(deal(t, r, d))
			got := snapshots(t, mixed)
			for node, s := range want {
				if got[node] != s {
					t.Errorf("%s, seed %d: %s: %s", name, seed, node, differ(got[node], s))
				}
			}
			if t.Failed() {
				for _, f := range mixed.Check() {
					if f.Severity == mesh.Error {
						t.Logf("%s: %s %s %q: %s", f.Position, f.Resource, f.Field, f.Value, f.Message)
					}
				}
				return
			}
		}
	}
}

// mixable are whole meshes without errors, one of each form and more.
func mixable(t *testing.T) map[string]*Documents {
	all := map[string]*Documents{
		"every-field": Parse(corpus(t, "every-field")),
		"terraform":   Parse(corpus(t, "terraform/terraform.tfstate")),
	}
	for _, file := range []string{"howto-http-headers/app.yaml", "howto-ecs-basics/deploy/3-routing.yaml", "howto-metrics-extension-ecs/deploy/djapp-v5.yaml",
		"howto-k8s-connection-pools/v1beta2/manifest.yaml.template", "howto-k8s-http-headers/v1beta1/manifest.yaml.template", "howto-k8s-ipv6/v1beta2/dns/manifest.yaml.template",
		"howto-circuit-breakers/mesh/colorteller-white-vn-update.json", "howto-k8s-tls-acm/v1beta2/manifest.yaml.template"} {
		all[file] = asDeployed(t, file).read(-1)
	}
	return all
}

// deal writes the resources of d into files of all forms. Routes lie with
// their router, and gateway routes with their gateway, as manifests want it.
func deal(t *testing.T, r *rand.Rand, d *Documents) []Source {
	hands := make([][]*resource, len(mixedForms))
	for _, group := range groups(d) {
		for range 1 + r.IntN(4)/3 { // now and then into two
			i := r.IntN(len(hands))
			for _, res := range group {
				if !slices.Contains(hands[i], res) {
					hands[i] = append(hands[i], res)
				}
			}
		}
	}
	var sources []Source
	for i, hand := range hands {
		if len(hand) == 0 {
			continue
		}
		part := &Documents{meshes: make(map[meshID]*index), resources: hand}
		part.index()
		sources = append(sources, Source{Name: mixedForms[i].name, Data: mixedForms[i].write(t, part)})
	}
	r.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
	return sources
}

func groups(d *Documents) [][]*resource {
	var all [][]*resource
	at := make(map[string]int)
	for _, res := range d.resources {
		key := fmt.Sprint(res.kind, res.name)
		switch {
		case res.kind == routeKind:
			key = fmt.Sprint(routerKind, res.parent)
		case res.kind == gatewayRouteKind:
			key = fmt.Sprint(gatewayKind, res.parent)
		}
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], res)
	}
	return all
}

// origin is what a plan says of where a value came from.
var origin = regexp.MustCompile(`(?m) \([^()]+:\d+\)| \S+\.(json|yaml|template|tfstate):\d+$`)

// snapshots are the version and the plan of every node and gateway that can be
// started.
func snapshots(t *testing.T, d *Documents) map[string]string {
	all := make(map[string]string)
	for id, ix := range d.meshes {
		for _, k := range []struct {
			of kind
			as mesh.ResourceKind
		}{{nodeKind, mesh.VirtualNode}, {gatewayKind, mesh.VirtualGateway}} {
			for name := range ix.of[k.of] {
				res := mesh.Resource{Mesh: id.name, Kind: k.as, Name: name}
				if s, _ := d.Compile(res, Options{}); s != nil {
					lines := strings.Split(origin.ReplaceAllString(plan(s), ""), "\n")
					if k.of == gatewayKind { // whose plan tells services in the order of their places
						slices.Sort(lines)
					}
					all[res.String()] = s.Version + "\n" + strings.Join(lines, "\n")
				}
			}
		}
	}
	return all
}

// documentSets are the directories of test/corpus and the archives of testdata.
func documentSets(t *testing.T) map[string][]Source {
	sets := make(map[string][]Source)
	root := filepath.Join("..", "..", "test", "corpus")
	entries, err := filepath.Glob(filepath.Join(root, "*"))
	walks, _ := filepath.Glob(filepath.Join(root, "walkthroughs", "*"))
	if err != nil || len(entries) == 0 || len(walks) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, entry := range append(entries, walks...) {
		if info, err := os.Stat(entry); err == nil && info.IsDir() && filepath.Base(entry) != "walkthroughs" {
			sources, _, err := ReadPaths([]string{entry})
			if err != nil {
				t.Fatal(err)
			}
			sets[filepath.Base(entry)] = sources
		}
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, archived := splitArchive(data)
		sources := corpus(t, setting(head, "corpus"))
		for _, s := range archived {
			if s.Name != "want" {
				sources = append(sources, s)
			}
		}
		sets[filepath.Base(file)] = sources
	}
	return sets
}
