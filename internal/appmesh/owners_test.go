package appmesh

import (
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

func ownedNode(owner, name, hostname string) string {
	if owner != "" {
		owner = "meshOwner: '" + owner + "', "
	}
	return "{meshName: m, " + owner + "virtualNodeName: " + name + ", spec: " + hostSpec(hostname) + "}"
}

// TestOwners: whose mesh a resource is of, and which mesh a sidecar means.
func TestOwners(t *testing.T) {
	const us, them, third = "111122223333", "444455556666", "777788889999"
	ours, theirs := "{meshName: m, meshOwner: '"+us+"'}", "{meshName: m, meshOwner: '"+them+"', spec: {egressFilter: {type: ALLOW_ALL}}}"
	for _, c := range []struct {
		says, resource string
		documents      []string
		// taken is the hostname of the node that the sidecar is, and the mesh's
		// egress filter; "" where it does not start.
		taken string
		want  []string
	}{
		{"nobody names an owner", "mesh/m/virtualNode/n", []string{"{meshName: m}", ownedNode("", "n", "x")}, "x DROP_ALL", nil},
		{"only the sidecar does", "mesh/m@" + us + "/virtualNode/n", []string{"{meshName: m}", ownedNode("", "n", "x")}, "x DROP_ALL", nil},
		{"only the nodes do, as those that share it", "mesh/m@" + us + "/virtualNode/n", []string{"{meshName: m, spec: {egressFilter: {type: ALLOW_ALL}}}", ownedNode(us, "n", "x")}, "x ALLOW_ALL", nil},
		{"the owner's own sidecar names none", "mesh/m/virtualNode/n", []string{ours, ownedNode("", "n", "x"), ownedNode(us, "other", "y")}, "x DROP_ALL", nil},
		{"the sidecar names another than the only one", "mesh/m@" + them + "/virtualNode/n", []string{ours, ownedNode(us, "n", "x")}, "x DROP_ALL",
			[]string{`b.yaml: warning: virtual node "n": belongs to a mesh of account ` + us + `, the sidecar's resource to one of ` + them}},

		{"two meshes of one name and one node name", "mesh/m@" + us + "/virtualNode/n", []string{ours, theirs, ownedNode(us, "n", "x"), ownedNode(them, "n", "y")}, "x DROP_ALL", nil},
		{"the other of them", "mesh/m@" + them + "/virtualNode/n", []string{ours, theirs, ownedNode(us, "n", "x"), ownedNode(them, "n", "y")}, "y ALLOW_ALL", nil},
		{"a sidecar that says neither", "mesh/m/virtualNode/n", []string{ours, theirs, ownedNode(us, "n", "x"), ownedNode(them, "n", "y")}, "",
			[]string{`: error: mesh/m/virtualNode/n: 2 accounts have a mesh "m", and the resource names no owner | write mesh/MESH@OWNER/virtualNode/n, with one of m@` + us + `, m@` + them}},
		{"a sidecar that says a third", "mesh/m@" + third + "/virtualNode/n", []string{ours, theirs, ownedNode(us, "n", "x")}, "",
			[]string{`: error: mesh/m@` + third + `/virtualNode/n: 2 accounts have a mesh "m", and none of them is of account ` + third + ` | write mesh/MESH@OWNER/virtualNode/n, with one of m@` + us + `, m@` + them}},
		{"a resource that says neither is nobody's", "mesh/m@" + us + "/virtualNode/n", []string{ours, theirs, ownedNode(us, "n", "x"), ownedNode("", "other", "y")}, "x DROP_ALL",
			[]string{`d.yaml: warning: virtual node "other": has no meshOwner, and 2 accounts have a mesh "m" | add meshOwner: one of ` + us + `, ` + them}},
		{"and stops those who may need it", "mesh/m@" + us + "/virtualNode/n", []string{ours, theirs, strings.Replace(ownedNode(us, "n", "x"), "spec: {", "spec: {backends: [{virtualService: {virtualServiceName: s}}], ", 1), "{meshName: m, virtualServiceName: s, spec: {}}"}, "",
			[]string{`c.yaml: warning: virtual node "n": backends[0].virtualService.virtualServiceName "s": no such virtual service in mesh "m"`,
				`d.yaml: error: virtual service "s": has no meshOwner, and 2 accounts have a mesh "m" | add meshOwner: one of ` + us + `, ` + them}},

		{"describe output says it in metadata", "mesh/m@" + us + "/virtualNode/n", []string{ours, theirs,
			"{virtualNode: {meshName: m, virtualNodeName: n, spec: " + hostSpec("x") + ", metadata: {meshOwner: '" + us + "', resourceOwner: '" + them + "'}}}"}, "x DROP_ALL", nil},
		{"whoever wrote a resource into a shared mesh is not its owner", "mesh/m/virtualNode/n", []string{ours,
			"{virtualNode: {meshName: m, virtualNodeName: n, spec: " + hostSpec("x") + ", metadata: {resourceOwner: '" + them + "', arn: 'arn:aws:appmesh:eu-west-1:" + them + ":mesh/m/virtualNode/n'}}}"}, "x DROP_ALL", nil},
		{"a mesh's ARN names its owner", "mesh/m@" + them + "/virtualNode/n", []string{ours, "{mesh: {meshName: m, spec: {egressFilter: {type: ALLOW_ALL}}, metadata: {arn: 'arn:aws:appmesh:eu-west-1:" + them + ":mesh/m'}}}", ownedNode(them, "n", "y")}, "y ALLOW_ALL", nil},
		{"any ARN names the mesh", "mesh/m/virtualNode/n", []string{"{meshName: m}", "{meshName: other}",
			"{virtualNode: {virtualNodeName: n, spec: " + hostSpec("x") + ", metadata: {arn: 'arn:aws:appmesh:eu-west-1:" + them + ":mesh/m/virtualNode/n'}}}"}, "x DROP_ALL", nil},

		{"CloudFormation says MeshOwner", "mesh/m@" + them + "/virtualNode/n", []string{ours, theirs,
			"Resources: {N: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: m, MeshOwner: " + them + ", VirtualNodeName: n, Spec: " + hostSpec("x") + "}}}"}, "x ALLOW_ALL", nil},
		{"a Kubernetes Mesh says it for all that is of it", "mesh/m@" + them + "/virtualNode/n", []string{ours,
			kubernetesObject("Mesh", "name: shared", "awsName: m, meshOwner: '"+them+"', namespaceSelector: {}, egressFilter: {type: ALLOW_ALL}") +
				kubernetesObject("VirtualNode", "name: n", "awsName: n, "+hostSpec("x")[1:len(hostSpec("x"))-1])}, "x ALLOW_ALL", nil},
		{"also for what names it", "mesh/m@" + them + "/virtualNode/n", []string{ours,
			kubernetesObject("Mesh", "name: shared", "awsName: m, meshOwner: '"+them+"'") + kubernetesObject("Mesh", "name: second", "") +
				kubernetesObject("VirtualNode", "name: n", "awsName: n, meshRef: {name: shared}, "+hostSpec("x")[1:len(hostSpec("x"))-1])}, "x DROP_ALL", nil},

		{"a reference by ARN", "mesh/m/virtualNode/n", []string{"{meshName: m}", ownedNode("", "n", "x"),
			"{meshName: m, virtualServiceName: s, spec: {provider: {virtualNode: {virtualNodeName: 'arn:aws:appmesh:eu-west-1:" + them + ":mesh/m/virtualNode/n'}}}}"}, "x DROP_ALL", nil},
		{"a reference by ARN into another mesh", "mesh/m/virtualNode/n", []string{"{meshName: m}", ownedNode("", "n", "x"),
			"{meshName: m, virtualServiceName: s, spec: {provider: {virtualNode: {virtualNodeName: 'arn:aws:appmesh:eu-west-1:" + them + ":mesh/other/virtualNode/n'}}}}"}, "x DROP_ALL",
			[]string{`c.yaml: warning: virtual service "s": provider.virtualNode.virtualNodeName "arn:aws:appmesh:eu-west-1:` + them + `:mesh/other/virtualNode/n": is of mesh "other", and this of mesh "m" | App Mesh's references do not leave their mesh`}},
	} {
		t.Run(c.says, func(t *testing.T) {
			d := Parse(numbered(c.documents))
			res, err := mesh.ParseResource(c.resource)
			if err != nil {
				t.Fatal(err)
			}
			snapshot, findings := d.Compile(res, Options{})
			if got := strings.Join(abouts(findings), "\n"); got != strings.Join(c.want, "\n") {
				t.Errorf(" got %s\nwant %s", got, strings.Join(c.want, "\n     "))
			}
			taken := ""
			if snapshot != nil {
				ix, _ := d.meshOf(res)
				taken = ix.find(nodeKind, res.Name).spec.get("serviceDiscovery", "dns", "hostname").text + " " + strings.ToUpper(strings.ReplaceAll(snapshot.Egress.String(), "-", "_"))
			}
			if taken != c.taken {
				t.Errorf("taken %q, want %q", taken, c.taken)
			}
		})
	}
}

// TestSeveralMeshes: meshes of every form lie in one folder and nobody sees
// the others' nodes, even those of one name.
func TestSeveralMeshes(t *testing.T) {
	folder := numbered([]string{
		"[{meshName: cli}, {meshName: cli, virtualNodeName: n, spec: " + hostSpec("cli.local") + "}]",
		"Resources: {M: {Type: 'AWS::AppMesh::Mesh', Properties: {MeshName: cfn}}, N: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: !GetAtt M.MeshName, VirtualNodeName: n, Spec: " + hostSpec("cfn.local") + "}}}",
		kubernetesObject("Mesh", "name: k8s", "namespaceSelector: {}") + kubernetesObject("VirtualNode", "name: n", "awsName: n, "+hostSpec("k8s.local")[1:len(hostSpec("k8s.local"))-1]),
	})
	d := Parse(folder)
	noErrors(t, d.Check())
	for i, name := range []string{"cli", "cfn", "k8s"} {
		alone, _ := Parse(folder[i:i+1]).Compile(mesh.Resource{Mesh: name, Name: "n"}, Options{})
		together, fs := d.Compile(mesh.Resource{Mesh: name, Name: "n"}, Options{})
		if alone == nil || together == nil || alone.Version != together.Version || plan(alone) != plan(together) || len(fs) > 0 {
			t.Errorf("%s: alone\n%swith others\n%s%v", name, plan(alone), plan(together), fs)
		}
	}
}

// TestCrossAccount: the walkthrough's two accounts, each with its template, as
// the sidecars of both.
func TestCrossAccount(t *testing.T) {
	d := Checks{Params: map[string]string{"ProjectName": "walk", "MeshName": "walk-mesh", "MeshOwner": "123456789012"}}.Parse(slices.Concat(
		corpus(t, "walkthroughs/howto-cross-account/primary-account/mesh.yaml"), corpus(t, "walkthroughs/howto-cross-account/secondary-account/mesh.yaml")))
	noErrors(t, d.Check())
	for _, name := range []string{"mesh/walk-mesh/virtualNode/backend-1-vn", "mesh/walk-mesh@123456789012/virtualNode/backend-2-vn"} {
		res, err := mesh.ParseResource(name)
		if err != nil {
			t.Fatal(err)
		}
		s, fs := d.Compile(res, Options{})
		if s == nil {
			t.Fatalf("%s: %v", name, fs)
		}
		noErrors(t, fs)
	}
}

// TestReadARN says what an ARN tells.
func TestReadARN(t *testing.T) {
	for text, want := range map[string]arn{
		"arn:aws:appmesh:eu-west-1:111122223333:mesh/m":                             {"111122223333", "m", true},
		"arn:aws-cn:appmesh:cn-north-1:111122223333:mesh/m/virtualRouter/r/route/x": {"111122223333", "m", false},
		"arn:aws:appmesh:${AWS::Region}:${AWS::AccountId}:mesh/m":                   {},
		"arn:aws:appmesh:eu-west-1:${ACCOUNT}:mesh/m/virtualNode/n":                 {"", "m", false},
		"arn:aws:appmesh:eu-west-1:111122223333:mesh/${MESH}/virtualNode/n":         {},
		"arn:aws:acm:eu-west-1:111122223333:certificate/c":                          {},
		"arn:aws:appmesh:eu-west-1:111122223333:mesh":                               {},
		"mesh/m/virtualNode/n": {},
		"":                     {},
	} {
		if got := readARN(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
