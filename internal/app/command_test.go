package app

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	dir := t.TempDir()
	warned := write(t, dir, "warned.json", strings.Replace(town("svc-v1"), `"virtualServiceName": "svc.local"}}]`, `"virtualServiceName": "else.local"}}]`, 1))
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"validate", warned, "--strict"}, ExitFindings},
		{[]string{"validate", warned, "--format", "json", warned}, ExitFine},
		{[]string{"validate", "--", warned}, ExitFine},
		{[]string{"validate", "--", warned, "--strict"}, ExitEnvironment}, // a path that is not there
		{[]string{"validate", warned, "--no-such-flag"}, ExitUsage},
		{[]string{"iptables", "--app-ports", "8080", "--ignored-uid", "1337", "print"}, ExitFine},
		{[]string{"iptables", "print", "apply"}, ExitUsage},
	} {
		if code, stdout, stderr := outrider(t, tt.args...); code != tt.code {
			t.Errorf("%v: exit code %d, want %d\n%s%s", tt.args, code, tt.code, stdout, stderr)
		}
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	for _, args := range [][]string{{"validate", "--help"}, {"health", "--help"}, {"iptables", "--help"}, {"iptables", "print", "--help"},
		{"validate", "x", "-h"}, {"check", "--help"}, {"run", "--help"}, {"--help"}} {
		code, stdout, stderr := outrider(t, args...)
		if code != ExitFine || !strings.Contains(stdout, "usage: outrider") && !strings.Contains(stdout, "usage:\n") || stderr != "" {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

// Every command is in the usage text, which fits a terminal.
func TestTheUsageListsEveryCommand(t *testing.T) {
	for _, name := range []string{"run", "validate", "check", "explain", "diff", "export", "schema", "health", "iptables", "doctor", "version"} {
		if !strings.Contains(usage, "    outrider "+name) {
			t.Errorf("no %s", name)
		}
	}
	for line := range strings.Lines(usage) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// A name alone says whom a command speaks of, wherever it takes --node; and what is not there is told alike.
func TestCommandsTakeTheirFlagsAlike(t *testing.T) {
	dir := t.TempDir()
	docs, nothing := write(t, dir, "mesh.json", town("svc-v1")), write(t, dir, "nothing.yaml", "# nothing\n")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"validate", "--node", "front", docs}, ExitFine, "0 errors"},
		{[]string{"validate", "--node", "nobody", docs}, ExitUsage, "mesh/m/virtualNode/front"},
		{[]string{"check", "--node", "front", "--mesh", docs}, ExitFine, "within reach of mesh/m/virtualNode/front"},
		{[]string{"check", "--mesh", nothing}, ExitFindings, "no resource of App Mesh is in the documents"},
		{[]string{"doctor", "--mesh", nothing}, ExitFindings, "no virtual node and no virtual gateway is in the documents"},
		{[]string{"iptables", "print", "--task-definition", dir + "/none"}, ExitEnvironment, "reading the task definition: open"},
		{[]string{"doctor", "--task-definition", dir + "/none"}, ExitEnvironment, "reading the task definition: open"},
		{[]string{"doctor", "none"}, ExitUsage, "usage: outrider doctor"},
	} {
		if code, stdout, stderr := outrider(t, tt.args...); code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
			t.Errorf("%v: exit code %d, want %d, and %q in\n%s%s", tt.args, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

func TestValidateSaysWhatIsNotThere(t *testing.T) {
	empty, comments, cut, mixed := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	write(t, comments, "later.yaml", "# later\n")
	write(t, cut, "mesh.json", "")
	write(t, mixed, "mesh.json", town("svc-v1"))
	if err := syscall.Mkfifo(filepath.Join(mixed, "pipe.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(mixed, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{empty}, ExitFindings, empty + ": error: no document here"},
		{[]string{filepath.Join(empty, "*.yaml")}, ExitFindings, "error: no document here"},
		{[]string{mixed + "/mesh.json", empty}, ExitFindings, empty + ": error: no document here"},
		{[]string{comments}, ExitFindings, "error: no document in " + comments},
		{[]string{cut}, ExitFindings, filepath.Join(cut, "mesh.json") + ": error: holds nothing: is it half written?"},
		{[]string{mixed}, ExitFindings, "pipe.yaml: error: cannot be read: it is a pipe, not a file"},
		{[]string{mixed}, ExitFindings, "link.yaml: error: cannot be read: the link leads to nowhere"},
		{[]string{"--node", "mesh/m/virtualNode/front", mixed}, ExitFine, "pipe.yaml: warning: cannot be read"},
	} {
		if code, stdout, stderr := outrider(t, append([]string{"validate"}, tt.args...)...); code != tt.code || !strings.Contains(stdout, tt.says) {
			t.Errorf("%v: exit code %d, want %d, and %q in\n%s%s", tt.args, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

func TestHealthTakesTheAddressesThatRunTakes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "admin.sock")
	socket, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	live := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "LIVE\n") })
	overSocket := &http.Server{Handler: live}
	go overSocket.Serve(socket)
	defer overSocket.Close()
	page := httptest.NewServer(live)
	defer page.Close()
	here := netip.MustParseAddrPort(page.Listener.Addr().String())
	port, closed := strconv.Itoa(int(here.Port())), testkit.Refused(t).String()
	for _, tt := range []struct {
		env, flag string
		code      int
	}{
		{"OUTRIDER_ADMIN_ADDR=unix://" + path, "", ExitFine},
		{"OUTRIDER_ADMIN_ADDR=" + closed, "unix://" + path, ExitFine},
		{"", here.String(), ExitFine},
		{"", closed + ", " + here.String(), ExitFine},
		{"", "0.0.0.0:" + port, ExitFine},
		{"", ":" + port, ExitFine},
		{"ENVOY_ADMIN_ACCESS_PORT= " + port + " ", "", ExitFine},
		{"", closed, ExitFindings},
		{"", "localhost", ExitUsage},
		{"", "unix://relative", ExitUsage},
		{"ENVOY_ADMIN_ACCESS_PORT=x", "", ExitUsage},
	} {
		args := []string{"health"}
		if tt.flag != "" {
			args = append(args, "--admin-addr", tt.flag)
		}
		var out bytes.Buffer
		if code := Main(t.Context(), &Process{Args: args, Environ: []string{tt.env}, Stdout: &out, Stderr: &out}); code != tt.code {
			t.Errorf("%q %q: exit code %d, want %d: %s", tt.env, tt.flag, code, tt.code, out.String())
		}
	}
}

func TestAClosedPortIsShownNoLonger(t *testing.T) {
	h := hold(t)
	h.answer <- netip.MustParseAddrPort("127.0.0.1:1")
	h.says("LIVE")
	shown := engine{h.sidecar}
	if n := len(shown.Listeners()); n != 2 {
		t.Errorf("%d ports before", n)
	}
	h.sidecar.drainPorts(false, true, false)
	if left := shown.Listeners(); len(left) != 1 || !left[0].Egress {
		t.Errorf("after the ingress port was closed: %v", left)
	}
	h.sidecar.drainPorts(false, false, false)
	if left := shown.Listeners(); len(left) != 0 {
		t.Errorf("after both were closed: %v", left)
	}
	h.end()
	h.over()
}

func TestAFindingIsOneLine(t *testing.T) {
	for _, tt := range []struct {
		finding mesh.Finding
		want    string
	}{
		{mesh.Finding{Message: "m"}, "error: m"},
		{mesh.Finding{Position: mesh.Position{File: "f", Line: 1, Column: 2}, Severity: mesh.Warning, Resource: "r", Field: "a.b", Value: "v", Message: "m", Hint: "h"},
			`f:1:2: warning: r: a.b "v": m (h)`},
	} {
		if got := findingLine(tt.finding); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
