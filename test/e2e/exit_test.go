//go:build linux

package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// outrider runs the binary to its end.
func outrider(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = bare("TMPDIR=" + t.TempDir())
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	documents{theMesh("ALLOW_ALL"), node("front", "svc.local"), service("svc.local", "router"), router("router"),
		route("router", "all", "/", "v1", 100)}.write(t, broken)
	dangling := filepath.Join(dir, "dangling.json")
	documents{theMesh("ALLOW_ALL"), node("front", "absent.local")}.write(t, dangling)
	unreadable := filepath.Join(dir, "unreadable.json")
	if err := os.WriteFile(unreadable, []byte(`{"meshName": `), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"version":                                   {[]string{"version"}, 0, ""},
		"the guide's mesh is valid":                 {[]string{"validate", top + "/examples/guide"}, 0, "0 errors"},
		"a route without its target is an error":    {[]string{"validate", broken}, 1, "v1"},
		"a missing backend is a warning":            {[]string{"validate", dangling}, 0, "warning"},
		"which --strict counts":                     {[]string{"validate", "--strict", dangling}, 1, "warning"},
		"text that is no JSON":                      {[]string{"validate", unreadable}, 1, "unreadable.json"},
		"validate as JSON":                          {[]string{"validate", "--format", "json", broken}, 1, `"`},
		"run does not start on errors in its reach": {[]string{"run", "--mesh", broken, "--node", "mesh/m/virtualNode/front"}, 1, "v1"},
		"no command":                                {nil, 2, "usage"},
		"an unknown command":                        {[]string{"fly"}, 2, "fly"},
		"an unknown flag":                           {[]string{"run", "--no-such-flag"}, 2, "no-such-flag"},
		"a resource that is none":                   {[]string{"run", "--mesh", broken, "--node", "mesh/m/virtualnode"}, 2, "node"},
		"a drain time that is none":                 {[]string{"run", "--drain-time", "soon"}, 2, "soon"},
		"rules for the guide's task, without root":  {[]string{"iptables", "print", "--task-definition", top + "/examples/ecs/task-definition.json"}, 0, "APPMESH_INGRESS"},
		"a port that is none":                       {[]string{"iptables", "print", "--app-ports", "80800"}, 2, "80800"},
		"nobody answers a health check":             {[]string{"health", "--admin-addr", "127.255.255.1:9"}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, output := outrider(t, test.args...)
			if code != test.code || !strings.Contains(strings.ToLower(output), strings.ToLower(test.says)) {
				t.Errorf("outrider %s: exit code %d, want %d, and %q in\n%s", strings.Join(test.args, " "), code, test.code, test.says, output)
			}
		})
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	for name, pick := range map[string]func(*sidecar) string{
		"ingress": func(s *sidecar) string { return s.ingress.String() },
		"egress":  func(s *sidecar) string { return s.egress.String() },
		"admin":   func(s *sidecar) string { return s.admin.String() },
	} {
		t.Run(name, func(t *testing.T) {
			s := prepare(t, newNetwork(t), userMesh("v1", 100), endpoints{})
			taken := pick(s)
			listener, err := net.Listen("tcp", taken)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			code, output := outrider(t, append([]string{"run"}, s.flags()...)...)
			if code != 3 || !strings.Contains(output, taken) {
				t.Errorf("exit code %d, want 3 and %s in\n%s", code, taken, output)
			}
		})
	}
}

func TestKill9LeavesNoFiles(t *testing.T) {
	s := start(t, newNetwork(t), userMesh("v1", 100), endpoints{})
	s.signal(syscall.SIGKILL)
	s.exit(5 * time.Second)
	left, err := os.ReadDir(s.work) // its working directory, and the folder for temporary files
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
