package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

// town is the documents of a front node whose backend svc.local goes to a node.
func town(node string) string {
	return fmt.Sprintf(`[
  {"meshName": "m", "spec": {"egressFilter": {"type": "DROP_ALL"}}},
  {"meshName": "m", "virtualNodeName": "front", "spec": {
    "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
    "backends": [{"virtualService": {"virtualServiceName": "svc.local"}}],
    "serviceDiscovery": {"dns": {"hostname": "front.test"}}}},
  {"meshName": "m", "virtualServiceName": "svc.local", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}},
  {"meshName": "m", "virtualRouterName": "r", "spec": {"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}},
  {"meshName": "m", "virtualRouterName": "r", "routeName": "all", "spec": {"httpRoute": {
    "match": {"prefix": "/"}, "action": {"weightedTargets": [{"virtualNode": %q, "weight": 1}]}}}},
  {"meshName": "m", "virtualNodeName": "svc-v1", "spec": {
    "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
    "serviceDiscovery": {"dns": {"hostname": "svc-v1.test", "responseType": "ENDPOINTS"}}}},
  {"meshName": "m", "virtualNodeName": "svc-v3", "spec": {
    "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
    "serviceDiscovery": {"dns": {"hostname": "svc-v3.test", "responseType": "ENDPOINTS"}}}}
]`, node)
}

// life is a sidecar that runs in this process.
type life struct {
	t                      *testing.T
	dir                    string
	ingress, egress, admin netip.AddrPort
	log                    *transcript
	end                    context.CancelFunc
	code                   chan int
}

// begin starts a sidecar; more are further flags.
func begin(t *testing.T, more ...string) *life {
	t.Helper()
	return beginWith(t, town("svc-v1"), more...)
}

// beginWith starts a sidecar with documents of the caller's.
func beginWith(t *testing.T, documents string, more ...string) *life {
	t.Helper()
	v1, v3 := testkit.NewApp(t, testkit.Text("v1")), testkit.NewApp(t, testkit.Text("v3"))
	l := &life{t: t, dir: t.TempDir(), ingress: free(t), egress: free(t), admin: free(t), log: &transcript{}, code: make(chan int, 1)}
	docs := write(t, l.dir, "mesh.json", documents)
	ends := write(t, l.dir, "endpoints.yaml", fmt.Sprintf("svc-v1.test: [%q]\nsvc-v3.test: [%q]\n", v1.Addr, v3.Addr))
	args := append([]string{"run", "--node", "mesh/m/virtualNode/front", "--mesh", docs, "--endpoints", ends,
		"--ingress-addr", l.ingress.String(), "--egress-addr", l.egress.String(), "--admin-addr", l.admin.String()}, more...)
	ctx, cancel := context.WithCancel(t.Context())
	l.end = cancel
	go func() { l.code <- Main(ctx, &Process{Args: args, Stdout: io.Discard, Stderr: l.log}) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("it said:\n%s", l.log)
		}
	})
	testkit.Eventually(t, "LIVE", func() bool { return l.ask("GET", "/ready") == "LIVE" })
	return l
}

// ask asks the admin page.
func (l *life) ask(method, path string) string {
	req, err := http.NewRequest(method, "http://"+l.admin.String()+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(text))
}

func (l *life) over() int {
	l.t.Helper()
	return testkit.Wait(l.t, "the end", l.code)
}

func (l *life) says(what string) {
	l.t.Helper()
	testkit.Eventually(l.t, what, func() bool { return strings.Contains(l.log.String(), what) })
}

func TestASidecarLives(t *testing.T) {
	before := testkit.Descriptors(t)
	l := begin(t)
	if got := testkit.Get(t, l.egress, "svc.local", "/"); got.Body != "v1" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	for _, want := range []string{"LIVE", "mesh/m/virtualNode/front", "documents read", "listener rds_egress_http_8080", "retries=\"2", "15s"} {
		l.says(want)
	}
	// A good change is put in force; one with errors is not, and what is stays.
	write(t, l.dir, "mesh.json", town("svc-v3"))
	testkit.Eventually(t, "the change in force", func() bool { return testkit.Get(t, l.egress, "svc.local", "/").Body == "v3" })
	write(t, l.dir, "mesh.json", town("nobody"))
	l.says("changed documents rejected")
	if got := testkit.Get(t, l.egress, "svc.local", "/"); got.Body != "v3" {
		t.Errorf("after a bad change: %d %q", got.Status, got.Body)
	}
	if stats := l.ask("GET", "/stats?filter=update_rejected"); !strings.Contains(stats, ": 1") {
		t.Errorf("stats: %s", stats)
	}
	write(t, l.dir, "mesh.json", "[")
	testkit.Eventually(t, "the broken text refused", func() bool { return strings.Count(l.log.String(), "what is in force stays") == 2 })
	write(t, l.dir, "mesh.json", town("svc-v1"))
	testkit.Eventually(t, "the repair in force", func() bool { return testkit.Get(t, l.egress, "svc.local", "/").Body == "v1" })
	l.end()
	if code := l.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
	for _, addr := range []netip.AddrPort{l.ingress, l.egress, l.admin} {
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Errorf("%s is still open", addr)
		}
	}
	testkit.NoMoreDescriptors(t, before+2) // the two apps of the test
}

// A change that is made while the sidecar starts is not lost: nobody watches
// the documents yet when they are read.
func TestAChangeDuringTheStartIsSeen(t *testing.T) {
	l := begin(t, "--drain-time", "0s")
	write(t, l.dir, "mesh.json", town("svc-v3"))
	testkit.Eventually(t, "the change in force", func() bool { return testkit.Get(t, l.egress, "svc.local", "/").Body == "v3" })
	l.end()
	l.over()
}

func TestQuitEndsASidecar(t *testing.T) {
	l := begin(t)
	if got := l.ask("GET", "/quitquitquit"); strings.Contains(got, "OK") {
		t.Errorf("GET may not end it: %q", got)
	}
	l.ask("POST", "/quitquitquit")
	if code := l.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
}

func TestHealthCanBeFailedByHandAndTakenBack(t *testing.T) {
	l := begin(t)
	l.ask("POST", "/healthcheck/fail")
	if got := l.ask("GET", "/ready"); got == "LIVE" {
		t.Errorf("still %s", got)
	}
	if got := testkit.Get(t, l.egress, "svc.local", "/"); got.Status != 200 || !got.Close {
		t.Errorf("got %d, close %v", got.Status, got.Close)
	}
	l.ask("POST", "/healthcheck/ok")
	if got := l.ask("GET", "/ready"); got != "LIVE" {
		t.Errorf("now %s", got)
	}
	l.end()
	l.over()
}

func TestListenersAreDrainedByHand(t *testing.T) {
	l := begin(t)
	l.ask("POST", "/drain_listeners?inboundonly")
	testkit.Eventually(t, "the ingress port closed", func() bool {
		c, err := net.Dial("tcp", l.ingress.String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if got := testkit.Get(t, l.egress, "svc.local", "/"); got.Status != 200 {
		t.Errorf("egress: got %d", got.Status)
	}
	l.end()
	if code := l.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	taken := testkit.NewEcho(t, "")
	docs := write(t, t.TempDir(), "mesh.json", town("svc-v1"))
	for _, flag := range []string{"--ingress-addr", "--egress-addr", "--admin-addr"} {
		args := []string{"run", "--node", "mesh/m/virtualNode/front", "--mesh", docs,
			"--ingress-addr", free(t).String(), "--egress-addr", free(t).String(), "--admin-addr", free(t).String()}
		for i, a := range args {
			if a == flag {
				args[i+1] = taken.String()
			}
		}
		code, _, stderr := outrider(t, args...)
		if code != ExitEnvironment || !strings.Contains(stderr, taken.String()) || !strings.Contains(stderr, "another process has the port") {
			t.Errorf("%s: exit code %d, %q", flag, code, stderr)
		}
	}
}
