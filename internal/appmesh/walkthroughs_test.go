package appmesh

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// The walkthroughs (test/corpus/walkthroughs) are all documents of App Mesh's
// example repository. Each is read here as its deploy script read it.

// fillings are the parameters and variables that the deploy scripts gave.
var fillings = map[string]string{
	"MESH_NAME": "walk", "MeshName": "walk", "AppMeshMeshName": "walk", "ProjectName": "walk", "EnvironmentName": "walk", "AWS::StackName": "walk",
	"APP_NAMESPACE": "shop", "CLOUDMAP_NAMESPACE": "walk.local", "NAMESPACE_NAME": "walk.local", "ServicesDomain": "walk.local", "SERVICES_DOMAIN": "walk.local",
	"DNS_HOSTNAME": "app.walk.local", "VIRTUALSERVICE_NAME": "colorteller-1.walk.local", "VIRTUAL_SERVICE": "colorteller.walk.local",
	"VIRTUAL_SERVICE_NAME": "color.walk.local", "BACKEND_VS_NAME": "color.walk.local", "MeshOwner": "123456789012",
	"CERTIFICATE_ARN": "arn:aws:acm:eu-west-1:123456789012:certificate/c", "ROOT_CA_ARN": "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/r",
	"CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/c", "CertificateAuthorityArn": "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/r",
	"GATEWAY_SAN": "gateway.walk.local", "COLOR_TELLER_SAN": "colorteller.walk.local",
	"PublicLoadBalancer.DNSName": "front.walk.local", "BackendV1LoadBalancer.DNSName": "backend.walk.local", "FRONT_APP_CA_CERT": "ca.pem",
	"VS_ARN": "arn:aws:appmesh:eu-west-1:123456789012:mesh/walk/virtualService/yelb-appserver",
}

// imports are what other stacks exported.
var imports = map[string]string{"AppMeshCert": "arn:aws:acm:eu-west-1:123456789012:certificate/c", "RootCA": "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/r", "EXTLB": "lb.walk.local"}

// fragments are files that are no document by themselves: the deploy script
// gave the names as options beside the spec. The first pattern that takes a
// file names it; the goldens list them.
var fragments = []struct {
	file  *regexp.Regexp
	names string
}{
	{regexp.MustCompile(`howto-mutual-tls.*/colorteller-vn.*\.json$`), "virtualNodeName=colorteller-vn"},
	{regexp.MustCompile(`/colorteller-([a-z]+)-vn(-tls|-update)?\.json$`), "virtualNodeName=colorteller-$1-vn"},
	{regexp.MustCompile(`/colorteller-vr-(\d)\.json$`), "virtualRouterName=colorteller-vr-$1"},
	{regexp.MustCompile(`/colorteller-vs-(\d)\.json$`), "virtualServiceName=colorteller-$1.walk.local"},
	{regexp.MustCompile(`/colorteller-route-(\d)\.json$`), "virtualRouterName=colorteller-vr-$1 routeName=route-$1"},
	{regexp.MustCompile(`/colorteller-route-updated-rewrite\.json$`), "virtualRouterName=colorteller-vr-1 routeName=route-1"},
	{regexp.MustCompile(`/colorteller-vs\.json$`), "virtualServiceName=colorteller.walk.local"},
	{regexp.MustCompile(`/colorteller-gwroute\.json$`), "virtualGatewayName=gateway-vgw gatewayRouteName=colorteller-gwroute"},
	{regexp.MustCompile(`/gateway-vgw.*\.json$`), "virtualGatewayName=gateway-vgw"},
	{regexp.MustCompile(`/colorgateway-vg.*\.json$`), "virtualGatewayName=colorgateway-vg"},
	{regexp.MustCompile(`/colorgateway-route-(\d)\.json$`), "virtualGatewayName=colorgateway-vg gatewayRouteName=route-$1"},
	{regexp.MustCompile(`/colorgateway-route-updated-.*\.json$`), "virtualGatewayName=colorgateway-vg gatewayRouteName=route-1"},
	{regexp.MustCompile(`howto-cross-account/updated-route\.json$`), "virtualRouterName=backend-vr routeName=backend-route"},
	{regexp.MustCompile(`/mesh/mesh\.json$`), ""},
	// These name the resource, and not its mesh.
	{regexp.MustCompile(`update_routes/.*\.json$|howto-grpc/mesh/.*\.json$|howto-http-headers/color-route\.json$|howto-outlier-detection/mesh/.*\.json$`), ""},
}

// beside are documents that a file is read with: the stack whose exports it
// imports, or a mesh that a cluster had.
func beside(file string) (files []string, text string) {
	switch {
	case file == "howto-alb/app.yaml":
		return []string{"howto-alb/infra.yaml"}, ""
	case strings.HasSuffix(file, "-gateway-route.json"):
		return []string{file[:strings.LastIndexByte(file, '/')] + "/yelb-vg.json", strings.Replace(file, "-gateway-route", "-vs", 1)}, ""
	case strings.HasPrefix(file, "blog-eks-multi-account-spire/"), strings.HasPrefix(file, "eks-getting-started/"), strings.HasSuffix(file, "update.template.yaml"):
		return nil, kubernetesObject("Mesh", "name: walk", "namespaceSelector: {}")
	}
	return nil, ""
}

// strangers are files of the walkthroughs without a mesh in them, and what
// they are.
var strangers = []struct{ file, is string }{
	{`(/app|/ecs-service|/application|/ecs-colorapp|/fargate-colorteller|/appmesh-nodejs|/yelb-cloudformation-ECS-AppMesh-deployment)\.ya?ml$`, "a template of the application alone"},
	{`task-def\.json$`, "an ECS task definition"},
	{`/envoy-container\.json$`, "a container of an ECS task definition"},
}

// walkthroughs lists the files, by their paths.
func walkthroughs(t *testing.T) []string {
	var files []string
	root := filepath.Join("..", "..", "test", "corpus", "walkthroughs")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !slices.Contains([]string{"README.md", "LICENSE", "NOTICE"}, entry.Name()) {
			name, err = filepath.Rel(root, name)
			files = append(files, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil || len(files) < 150 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	return files
}

// asDeployed reads a file and what it is read with.
func asDeployed(t *testing.T, file string) *reading {
	r := &reading{checks: Checks{Params: fillings, Imports: imports}, file: file}
	r.values = deployedValues(t, file)
	files, text := beside(file)
	if names := fragment(file); names != "" {
		files = append(files, siblings(t, file, names)...)
	}
	for _, other := range files {
		r.beside = append(r.beside, deployedValues(t, other)...)
	}
	if text != "" {
		values, err := readText("mesh", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r.beside = append(r.beside, values...)
	}
	return r
}

// siblings are the other fragments of a walkthrough, the first of each name.
func siblings(t *testing.T, file, names string) []string {
	top, _, _ := strings.Cut(file, "/")
	seen := map[string]bool{names: true}
	var files []string
	for _, other := range walkthroughs(t) {
		if name := fragment(other); strings.HasPrefix(other, top+"/mesh/") && name != "" && !seen[name] && !strings.HasSuffix(name, " ") {
			seen[name] = true
			files = append(files, other)
		}
	}
	return files
}

// fragment is what a file's deploy script named it; "" where it names itself.
func fragment(file string) string {
	for _, f := range fragments {
		if found := f.file.FindStringSubmatchIndex(file); found != nil {
			names := "meshName=walk " + f.names
			return string(f.file.ExpandString(nil, names, file, found))
		}
	}
	return ""
}

// deployedValues reads the values of one file, with the names it was given.
func deployedValues(t *testing.T, file string) []*value {
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "corpus", "walkthroughs", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	values, err := readText(file, data)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range strings.Fields(fragment(file)) {
		name, given, _ := strings.Cut(option, "=")
		values[0].members = append(values[0].members, member{name, values[0].at, &value{kind: text, text: given, at: values[0].at}})
	}
	return values
}

// TestWalkthroughs: what each file is read as: how many resources of each
// kind, which nodes and gateways of its cannot be started, and what is found in it.
//
// `go test ./internal/appmesh -run Walkthroughs -update` rewrites
// testdata/walkthroughs.
func TestWalkthroughs(t *testing.T) {
	got := map[string]*bytes.Buffer{}
	for _, file := range walkthroughs(t) {
		top, _, _ := strings.Cut(file, "/")
		if got[top] == nil {
			got[top] = &bytes.Buffer{}
		}
		asDeployed(t, file).report(t, got[top])
	}
	for top, b := range got {
		name := filepath.Join("testdata", "walkthroughs", top+".golden")
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, b.Bytes()) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, b.Bytes(), want)
		}
	}
}

// report writes what a file is read as.
func (r *reading) report(t *testing.T, b *bytes.Buffer) {
	d := r.read(-1)
	var counts [kindCount]int
	var stopped []string
	total := 0
	for _, res := range d.resources {
		if !r.holds(res) {
			continue
		}
		total++
		counts[res.kind]++
		as := mesh.Resource{Mesh: res.mesh, Owner: res.owner, Name: res.name}
		switch res.kind {
		case nodeKind:
		case gatewayKind:
			as.Kind = mesh.VirtualGateway
		default:
			continue
		}
		if s, _ := d.Compile(as, Options{}); s == nil {
			stopped = append(stopped, res.name)
		}
	}
	fmt.Fprintf(b, "== %s\n", r.file)
	if names := fragment(r.file); names != "" {
		fmt.Fprintf(b, "a fragment: its deploy script gave it %s\n", names)
	}
	stranger := ""
	for _, s := range strangers {
		if regexp.MustCompile(s.file).MatchString("/" + r.file) {
			stranger = s.is
		}
	}
	switch {
	case total > 0:
		for k, n := range counts {
			if n > 0 {
				fmt.Fprintf(b, "%d %s\n", n, kinds[k].label)
			}
		}
	case stranger == "":
		t.Errorf("%s: no resource was read", r.file)
	default:
		fmt.Fprintf(b, "no resource: %s\n", stranger)
	}
	if len(stopped) > 0 {
		fmt.Fprintf(b, "not started: %s\n", strings.Join(stopped, ", "))
	}
	findings := once(slices.DeleteFunc(slices.Clone(d.findings), func(f finding) bool { return f.File != r.file }))
	for i := range findings {
		findings[i].File = filepath.Base(r.file)
	}
	_ = WriteText(b, findings, 1)
	b.WriteByte('\n')
}
