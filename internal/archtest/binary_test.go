package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sidecar = "./cmd/outrider"

// platforms are what every landing must build for.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/arm64"}

// TestBuildsForEveryPlatformWithoutCgo builds every package, and links the
// commands: a package that a platform leaves out passes, a sidecar does not.
func TestBuildsForEveryPlatformWithoutCgo(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: builds for " + strings.Join(platforms, ", "))
	}
	builds := [][]string{{"build", "./..."}}
	if hasGoFiles(filepath.Join(root(t), "cmd")) {
		builds = append(builds, []string{"build", "-o", t.TempDir() + "/", "./cmd/..."})
	}
	for _, platform := range platforms {
		t.Run(platform, func(t *testing.T) {
			goos, goarch, _ := strings.Cut(platform, "/")
			for _, args := range builds {
				build := goCommand(t, args...)
				build.Env = append(build.Env, "GOOS="+goos, "GOARCH="+goarch)
				if out, err := build.CombinedOutput(); err != nil {
					t.Errorf("go %s: %v\n%s\twhy: laptops are darwin/arm64, Graviton is linux/arm64, and cgo would tie the binary to one libc", strings.Join(args, " "), err, out)
				}
			}
		})
	}
}

// TestSidecarBinary looks at what is linked into the binary, dependencies of
// dependencies included.
func TestSidecarBinary(t *testing.T) {
	if !hasGoFiles(filepath.Join(root(t), "cmd", "outrider")) {
		t.Skip("left out: there is no " + sidecar + " yet")
	}
	out, err := goCommand(t, "list", "-deps", sidecar).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", sidecar, err)
	}
	linked := strings.Fields(string(out))
	for _, template := range []string{"text/template", "html/template"} {
		if slices.Contains(linked, template) {
			t.Errorf("the sidecar links %s\n\twhy: it keeps the linker from dropping unused methods; find who asks for it with: go mod why %s", template, template)
		}
	}
	for _, p := range linked {
		if dir, ours := strings.CutPrefix(p, module+"/"); ours && under(forTests, dir) {
			t.Errorf("the sidecar links %s\n\twhy: it is for tests", dir)
		}
	}
	t.Run("peers of the tests", checkUnlinked)
	t.Run("methods by name", checkReflectMethods)
}

// unlinked are dependencies that the sidecar must not link, and who may be the
// exception: importers whose own need it is.
var unlinked = []struct {
	dependency, except, why string
}{
	{"google.golang.org/grpc", "", "the sidecar passes gRPC on by its own HTTP/2; the library is what tests and bench/ speak"},
	{"google.golang.org/genproto", "", "it comes with gRPC"},
	{"google.golang.org/protobuf", "github.com/prometheus", "megabytes; the Prometheus client alone has brought it so far"},
	{"github.com/coder/websocket", "", "a WebSocket is bytes to the sidecar; the library is what tests speak"},
}

// checkUnlinked asks who imports what among all that is linked.
func checkUnlinked(t *testing.T) {
	out, err := goCommand(t, "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, sidecar).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", sidecar, err)
	}
	for _, broken := range wrongImporters(string(out)) {
		t.Error(broken)
	}
}

// wrongImporters reads lines "importer imported imported ...".
func wrongImporters(list string) (broken []string) {
	for _, line := range strings.Split(list, "\n") {
		importer, imported, _ := strings.Cut(line, " ")
		for _, name := range strings.Fields(imported) {
			for _, u := range unlinked {
				if holds(u.dependency, name) && !holds(u.dependency, importer) && (u.except == "" || !holds(u.except, importer)) {
					broken = append(broken, importer+" links "+name+" into the sidecar\n\twhy not: "+u.why)
				}
			}
		}
	}
	return broken
}

func TestWrongImportersAreFound(t *testing.T) {
	list := "a.b/ours google.golang.org/grpc/codes net/http\n" +
		"github.com/prometheus/common/expfmt google.golang.org/protobuf/proto\n" +
		"google.golang.org/protobuf/proto google.golang.org/protobuf/internal/x\n" +
		"a.b/other google.golang.org/protobuf/proto github.com/coder/websocket\n"
	var got []string
	for _, broken := range wrongImporters(list) {
		sentence, _, _ := strings.Cut(broken, "\n")
		got = append(got, sentence)
	}
	want := []string{
		"a.b/ours links google.golang.org/grpc/codes into the sidecar",
		"a.b/other links google.golang.org/protobuf/proto into the sidecar",
		"a.b/other links github.com/coder/websocket into the sidecar",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// checkReflectMethods asks the linker which reachable functions look methods
// up by a name known only at run time: one of them is enough to keep every
// exported method of every reachable type.
func checkReflectMethods(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: links the sidecar")
	}
	build := goCommand(t, "build", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "sidecar"), sidecar)
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("linking %s: %v\n%.2000s", sidecar, err, out)
	}
	for _, name := range methodLookups(out) {
		t.Errorf("%s looks methods up by name\n\twhy: the linker must then keep every exported method of every type", name)
	}
}

// methodLookups reads the linker's -dumpdep, whose lines are "from -> to" with
// marks behind the names: "pkg.f <ReflectMethod> -> pkg.g <UsedInIface>".
func methodLookups(dump []byte) (names []string) {
	for _, line := range strings.Split(string(dump), "\n") {
		from, _, _ := strings.Cut(line, " -> ")
		name, marks, _ := strings.Cut(from, " <")
		if strings.Contains(marks, "ReflectMethod>") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestMethodLookupsAreFoundInTheDump(t *testing.T) {
	dump := " -> main.main\nmain.main -> a.f <ReflectMethod>\na.f <ReflectMethod> -> reflect.Value.Addr\n" +
		"a.f <ReflectMethod> -> b.g <UsedInIface>\nb.g <UsedInIface> <ReflectMethod> -> c.h\nc.h <UsedInIface> -> d.i\n"
	if got, want := methodLookups([]byte(dump)), []string{"a.f", "b.g"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// goCommand runs the go command in the module's root, as the project builds:
// without cgo and without fetching anything.
func goCommand(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	return cmd
}

func hasGoFiles(dir string) bool {
	here, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	below, _ := filepath.Glob(filepath.Join(dir, "*", "*.go"))
	return len(here)+len(below) > 0
}
