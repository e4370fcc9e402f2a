package app

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

func TestExplainSaysByItsExitCodeHowItEnds(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.json", town("svc-v1"))
	bad := write(t, dir, "bad.json", strings.Replace(town("svc-v1"), `"virtualNode": "svc-v1"`, `"virtualNode": "svc-v2"`, 1))
	empty := write(t, dir, "empty.json", `{"meshName": "m", "spec": {}}`)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--mesh", good, "--node", "front", "http://svc.local:8080/"}, ExitFine, "forwarded"},
		{[]string{"--mesh", good + ", " + good, "--node", "front", "http://svc.local:8080/"}, ExitFine, "forwarded"},
		{[]string{"--mesh", good, "--node", "front", "http://svc.local:8080/", "--format", "json"}, ExitFine, `"kind": "forwarded"`},
		{[]string{"--mesh", good, "--node", "mesh/m/virtualNode/front", "PUT", "http://svc.local:8080/"}, ExitFine, "PUT http"},
		{[]string{"--mesh", good, "--node", "front", "http://else.local:8080/"}, ExitFindings, "answered 404"},
		{[]string{"--mesh", good, "--node", "front", "http://svc.local:81/"}, ExitFindings, "closed"},
		{[]string{"--mesh", good, "--node", "front", "--inbound", "http://any/"}, ExitFine, "cds_ingress_m_front_http_8080"},
		{[]string{"--mesh", good, "http://svc.local:8080/"}, ExitUsage, "mesh/m/virtualNode/svc-v3"},
		{[]string{"--mesh", good, "--node", "nobody", "http://svc.local:8080/"}, ExitUsage, `--node "nobody": name one of these`},
		{[]string{"--mesh", good, "--node", "a/b", "http://svc.local:8080/"}, ExitUsage, "not mesh/MESH/virtualNode/NODE"},
		{[]string{"--mesh", good, "--node", "mesh/m/virtualNode/nobody", "http://svc.local:8080/"}, ExitFindings, `no virtual node "nobody"`},
		{[]string{"--mesh", bad, "--node", "front", "http://svc.local:8080/"}, ExitFindings, "errors within reach of mesh/m/virtualNode/front"},
		{[]string{"--mesh", empty, "http://svc.local:8080/"}, ExitFindings, "no virtual node and no virtual gateway is in the documents"},
		{[]string{"--mesh", filepath.Join(dir, "none"), "http://svc.local:8080/"}, ExitEnvironment, "none"},
		{[]string{"--mesh", good, "--node", "front", "svc.local"}, ExitUsage, "is no URL"},
		{[]string{"--mesh", good, "--node", "front", "http://svc.local/", "-H", "x: a\r\nb"}, ExitUsage, "a line break"},
		{[]string{"http://svc.local/"}, ExitUsage, "give either --mesh"},
		{[]string{"--mesh", good, "--admin", "127.0.0.1:1", "http://svc.local/"}, ExitUsage, "give either --mesh"},
		{[]string{"--admin", "127.0.0.1:1", "--node", "front", "http://svc.local/"}, ExitUsage, "--node goes with --mesh"},
		{[]string{"--admin", "nonsense", "http://svc.local/"}, ExitUsage, "nonsense"},
		{[]string{"--admin", free(t).String(), "http://svc.local/"}, ExitEnvironment, "asking the admin page"},
		{[]string{"--admin", "unix://" + filepath.Join(dir, "none.sock"), "http://svc.local/"}, ExitEnvironment, "asking the admin page"},
		{[]string{"--mesh", good}, ExitUsage, "usage: outrider explain"},
		{[]string{"--mesh", good, "--port", "65536", "http://a/"}, ExitUsage, "usage: outrider explain"},
		{[]string{"--help"}, ExitFine, "usage: outrider explain"},
	} {
		code, stdout, stderr := outrider(t, append([]string{"explain"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
			t.Errorf("%v: exit code %d, want %d, and %q in\n%s%s", tt.args, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

func TestExplainStandsForTheResourceOfTheEnvironment(t *testing.T) {
	docs := write(t, t.TempDir(), "mesh.json", town("svc-v1"))
	for _, variable := range resourceVariables {
		for value, want := range map[string]int{
			"arn:aws:appmesh:us-west-2:123456789012:mesh/m/virtualNode/front": ExitFine,
			"mesh/m/virtualNode/svc-v1":                                       ExitFindings, // which has no backend
			"front":                                                           ExitUsage,
		} {
			var out, err strings.Builder
			p := &Process{Args: []string{"explain", "--mesh", docs, "http://svc.local:8080/"}, Environ: []string{variable + "=" + value}, Stdout: &out, Stderr: &err}
			if code := Main(t.Context(), p); code != want {
				t.Errorf("%s=%s: exit code %d, want %d\n%s%s", variable, value, code, want, &out, &err)
			}
		}
	}
}

// What a running sidecar says is what it does, with the endpoints it has.
func TestARunningSidecarExplains(t *testing.T) {
	l := begin(t)
	code, stdout, stderr := outrider(t, "explain", "--admin", l.admin.String(), "http://svc.local:8080/", "--format", "json")
	var e explain.Explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil || code != ExitFine {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if !e.Live || len(e.Targets) != 1 || len(e.Targets[0].Endpoints) != 1 || e.Targets[0].Endpoints[0].Turn != 1 {
		t.Errorf("told %+v", e)
	}
	if _, stdout, _ := outrider(t, "explain", "--admin", l.admin.String(), "http://svc.local:8080/"); !strings.Contains(stdout, "healthy, picked next") || strings.Contains(stdout, "\x1b") {
		t.Errorf("told\n%s", stdout)
	}
	if code, stdout, _ := outrider(t, "explain", "--admin", l.admin.String(), "http://else.local:8080/"); code != ExitFindings || !strings.Contains(stdout, "answered 404") {
		t.Errorf("of a stranger, exit code %d:\n%s", code, stdout)
	}
	if got := l.ask("GET", "/explain?url=http://svc.local:8080/"); !strings.Contains(got, `"live": true`) {
		t.Errorf("GET /explain: %s", got)
	}
	// A change is explained once it is in force.
	write(t, l.dir, "mesh.json", town("svc-v3"))
	testkit.Eventually(t, "the change explained", func() bool {
		_, stdout, _ := outrider(t, "explain", "--admin", l.admin.String(), "http://svc.local:8080/")
		return strings.Contains(stdout, "cds_egress_m_svc-v3_http_8080")
	})
	l.end()
	l.over()
}

func TestExplainAsksOverAUnixSocketAndTakesNoForAnAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	answer := `{"resource": "mesh/m/virtualNode/n", "verdict": {"kind": "closed"}}`
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("port") == "7" {
			w.WriteHeader(http.StatusForbidden)
		}
		w.Write([]byte(answer))
	})}
	go server.Serve(listener)
	defer server.Close()
	ask := func(more ...string) (int, string) {
		code, stdout, stderr := outrider(t, append([]string{"explain", "--admin", "unix://" + path, "http://a/"}, more...)...)
		return code, stdout + stderr
	}
	if code, said := ask(); code != ExitFindings || !strings.Contains(said, "closed") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if code, said := ask("--port", "7"); code != ExitEnvironment || !strings.Contains(said, "403 Forbidden") {
		t.Errorf("refused: exit code %d: %s", code, said)
	}
	answer = "no JSON"
	if code, said := ask(); code != ExitEnvironment || !strings.Contains(said, "reading the sidecar's answer") {
		t.Errorf("nonsense: exit code %d: %s", code, said)
	}
}
