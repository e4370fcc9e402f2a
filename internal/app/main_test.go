package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transcript is text that several goroutines write.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// outrider runs a command to its end.
func outrider(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Main(t.Context(), &Process{Args: args, Stdout: &out, Stderr: &err})
	return code, out.String(), err.String()
}

func TestCommandsSayByTheirExitCodeHowItWent(t *testing.T) {
	dir := t.TempDir()
	good, bad := write(t, dir, "good.json", town("svc-v1")), write(t, dir, "bad.json", strings.Replace(town("svc-v1"), `"virtualNode": "svc-v1"`, `"virtualNode": "svc-v2"`, 1))
	warned := write(t, dir, "warned.json", strings.Replace(town("svc-v1"), `"virtualServiceName": "svc.local"}}]`, `"virtualServiceName": "else.local"}}]`, 1))
	none := filepath.Join(dir, "none")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, ExitUsage, "usage"},
		{[]string{"help"}, ExitFine, "usage"},
		{[]string{"version"}, ExitFine, "outrider"},
		{[]string{"fly"}, ExitUsage, `no such command "fly"`},
		{[]string{"validate"}, ExitUsage, "usage"},
		{[]string{"validate", "-h"}, ExitFine, "strict"},
		{[]string{"validate", "--format", "xml", good}, ExitUsage, "usage"},
		{[]string{"validate", good}, ExitFine, "0 errors"},
		{[]string{"validate", bad}, ExitFindings, "svc-v2"},
		{[]string{"validate", "--format", "json", bad}, ExitFindings, `"severity"`},
		{[]string{"validate", warned}, ExitFine, "warning"},
		{[]string{"validate", "--strict", warned}, ExitFindings, "warning"},
		{[]string{"validate", "--node", "mesh/m/virtualNode/front", good}, ExitFine, "0 errors"},
		{[]string{"validate", "--node", "nonsense", good}, ExitUsage, "nonsense"},
		{[]string{"validate", none}, ExitEnvironment, "none"},
		{[]string{"run", "--no-such-flag"}, ExitUsage, "no-such-flag"},
		{[]string{"run", "--help"}, ExitFine, "--mesh"},
		{[]string{"run", "--version"}, ExitFine, "outrider"},
		{[]string{"run", "--node", "mesh/m/virtualNode/front", "--mesh", none}, ExitEnvironment, "none"},
		{[]string{"run", "--node", "mesh/m/virtualNode/front", "--mesh", bad}, ExitFindings, "not starting"},
		{[]string{"health", "extra"}, ExitUsage, "usage"},
		{[]string{"health", "--wait", "-1s"}, ExitUsage, "usage"},
		{[]string{"iptables"}, ExitUsage, "usage"},
		{[]string{"iptables", "dance"}, ExitUsage, "usage"},
		{[]string{"iptables", "print", "--app-ports", "x"}, ExitUsage, "x"},
		{[]string{"iptables", "verify", "--app-ports", "x"}, ExitUsage, "x"},
		{[]string{"iptables", "verify", "--format", "yaml"}, ExitUsage, "usage"},
		{[]string{"doctor", "--format", "yaml"}, ExitUsage, "usage"},
		{[]string{"doctor", "everything"}, ExitUsage, "usage"},
		{[]string{"doctor", "--app-ports", "x"}, ExitUsage, "x"},
		{[]string{"doctor", "--node", "x"}, ExitUsage, "x"},
		{[]string{"doctor", "--mesh", good}, ExitUsage, "--node"},
		{[]string{"doctor", "--mesh", good, "--node", "nobody"}, ExitUsage, "nobody"},
		{[]string{"doctor", "--mesh", none, "--node", "mesh/m/virtualNode/svc-v1"}, ExitEnvironment, none},
	} {
		code, stdout, stderr := outrider(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
			t.Errorf("%v: exit code %d, want %d, and %q in\n%s%s", tt.args, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

func TestHealthAsksTheAdminPage(t *testing.T) {
	state := make(chan string, 8)
	current := "PRE_INITIALIZING"
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case current = <-state:
		default:
		}
		if r.URL.Path != "/ready" || current != "LIVE" {
			w.WriteHeader(503)
		}
		io.WriteString(w, current+"\n")
	}))
	defer page.Close()
	addr := page.Listener.Addr().String()
	if code, _, stderr := outrider(t, "health", "--admin-addr", addr); code != ExitFindings || !strings.Contains(stderr, "PRE_INITIALIZING") {
		t.Errorf("before LIVE: %d %q", code, stderr)
	}
	state <- "INITIALIZING"
	state <- "LIVE"
	if code, stdout, _ := outrider(t, "health", "--admin-addr", addr, "--wait", "20s"); code != ExitFine || stdout != "LIVE\n" {
		t.Errorf("waiting for LIVE: %d %q", code, stdout)
	}
	if code, _, stderr := outrider(t, "health", "--admin-addr", testkit.Refused(t).String()); code != ExitFindings || stderr == "" {
		t.Errorf("nobody there: %d %q", code, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := Main(ctx, &Process{Args: []string{"health", "--wait", "1h", "--admin-addr", testkit.Refused(t).String()}, Stdout: io.Discard, Stderr: io.Discard}); code != ExitFindings {
		t.Errorf("interrupted: %d", code)
	}
}

func TestHealthFindsTheAdminPageOfThisTask(t *testing.T) {
	for _, tt := range []struct{ environ, want string }{
		{"", "127.0.0.1:9901"},
		{"ENVOY_ADMIN_ACCESS_PORT=9999", "127.0.0.1:9999"},
		{"ENVOY_ADMIN_MODE=uds", "/tmp/envoy_admin.sock"},
		{"OUTRIDER_ADMIN_ADDR=10.0.0.1:1", "10.0.0.1:1"},
		{"OUTRIDER_ADMIN_ADDR=:1, 10.0.0.1:2", "127.0.0.1:1,[::1]:1,10.0.0.1:2"},
		{"OUTRIDER_ADMIN_ADDR=unix:///run/x", "/run/x"},
		{"ENVOY_ADMIN_ACCESS_PORT= 9999 ", "127.0.0.1:9999"},
		{"APPMESH_VIRTUAL_NODE_NAME=mesh/m/virtualNode/n", "127.0.0.1:9901"},
		{"ENVOY_ADMIN_ACCESS_ENABLE_IPV6=1", "127.0.0.1:9901,[::1]:9901"},
		{"OUTRIDER_DRAIN_TIME=nonsense", "127.0.0.1:9901"},
	} {
		page, err := config.ParseAdmin("", []string{"X=y", tt.environ})
		got := ""
		for _, door := range page.Doors() {
			got = strings.TrimPrefix(got+","+door.Address, ",")
		}
		if err != nil || got != tt.want {
			t.Errorf("%q: %s, %v, want %s", tt.environ, got, err, tt.want)
		}
	}
}

func TestHealthSpeaksOverAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	page := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "LIVE\n") })}
	go page.Serve(l)
	defer page.Close()
	if code, stdout, _ := outrider(t, "health", "--admin-addr", path); code != ExitFine {
		t.Errorf("%d %q", code, stdout)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one: %v", err)
	}
}

func TestASocketThatADeadProcessLeftIsReplacedAndAFileIsNot(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "left.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	again, err := listenSocket(left)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	file := write(t, dir, "precious", "text")
	if l, err := listenSocket(file); err == nil {
		l.Close()
		t.Error("a file was replaced")
	}
	if text, _ := os.ReadFile(file); string(text) != "text" {
		t.Errorf("the file now holds %q", text)
	}
}

func TestAnAddressThatCannotBeBoundIsExplained(t *testing.T) {
	for errno, want := range map[error]string{
		syscall.EADDRINUSE:    "another process has the port",
		syscall.EACCES:        "CAP_NET_BIND_SERVICE",
		syscall.EADDRNOTAVAIL: "no such address",
	} {
		if err := explainBind(fmt.Errorf("listening on x: %w", errno)); !strings.Contains(err.Error(), want) || !errors.Is(err, errno) {
			t.Errorf("%v", err)
		}
	}
	if err := explainBind(io.EOF); err != io.EOF {
		t.Errorf("%v", err)
	}
}

func TestFindingsTellTheExitCode(t *testing.T) {
	of := func(s ...mesh.Severity) (list []mesh.Finding) {
		for _, severity := range s {
			list = append(list, mesh.Finding{Severity: severity})
		}
		return list
	}
	for _, tt := range []struct {
		findings        []mesh.Finding
		lenient, strict int
	}{
		{nil, ExitFine, ExitFine},
		{of(mesh.NotYet), ExitFine, ExitFine},
		{of(mesh.NotYet, mesh.Warning), ExitFine, ExitFindings},
		{of(mesh.Warning, mesh.Error), ExitFindings, ExitFindings},
	} {
		if a, b := findingsCode(tt.findings, false), findingsCode(tt.findings, true); a != tt.lenient || b != tt.strict {
			t.Errorf("%v: %d and %d, want %d and %d", tt.findings, a, b, tt.lenient, tt.strict)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".next", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// free is an address that can be bound.
func free(t *testing.T) netip.AddrPort { return testkit.Refused(t) }
