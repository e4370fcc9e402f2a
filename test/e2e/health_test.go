//go:build linux

package e2e

import (
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
)

// guideHealth is the command of the guide's task definition; ECS runs it by sh.
const guideHealth = "curl -s http://localhost:9901/server_info | grep state | grep -q LIVE"

func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: apt-get install curl")
	}
}

func TestTheGuidesHealthCommandAtAnotherAddress(t *testing.T) {
	needCurl(t)
	s := start(t, newNetwork(t), userMesh("v1", 100), endpoints{})
	command := strings.Replace(guideHealth, "localhost:9901", s.admin.String(), 1)
	if output, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Errorf("%s: %v %s", command, err, output)
	}
	if s.ask("POST", "/healthcheck/fail"); exec.Command("sh", "-c", command).Run() == nil {
		t.Error("the health command succeeds after /healthcheck/fail")
	}
}

// The command word for word, with the environment of the guide's task, in a namespace where port 9901 is ours.
func TestTheGuidesHealthCommandWordForWord(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	needCurl(t)
	kit.Here.Run(t, "ip", "address", "add", "10.88.0.1/32", "dev", "lo")
	cmd := exec.Command(binary, "run", "--mesh", top+"/examples/guide")
	cmd.Env = bare("APPMESH_VIRTUAL_NODE_NAME=mesh/my-mesh/virtualNode/user-service-v1")
	said := &transcript{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	defer func() { _ = cmd.Process.Kill(); <-ended }()
	err := poll(20*time.Second, ended, func() bool { return exec.Command("sh", "-c", guideHealth).Run() == nil })
	if err != nil {
		t.Fatalf("%s: %v\n%s", guideHealth, err, said)
	}
	if output, err := exec.Command(binary, "health", "--wait", "10s").CombinedOutput(); err != nil {
		t.Errorf("outrider health: %v %s", err, output)
	}
	strangersAreKeptOut(t, "10.88.0.1:9901")
	if _, err := net.Dial("tcp", "10.88.0.1:15001"); err == nil {
		t.Error("15001 is open to others than loopback")
	}
	if conn, err := net.Dial("tcp", "10.88.0.1:15000"); err != nil {
		t.Errorf("15000 must listen on all addresses: %v", err)
	} else {
		conn.Close()
	}
}

// strangersAreKeptOut: a peer at that address is not a loopback peer.
func strangersAreKeptOut(t *testing.T, admin string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for path, want := range map[string]int{"/ready": 200, "/server_info": 200, "/stats": 200, "/stats/prometheus": 200,
		"/config_dump": 403, "/clusters": 403, "/quitquitquit": 403} {
		response, err := c.Get("http://" + admin + path)
		if err != nil {
			t.Error(err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("a stranger asks for %s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestHealthWaits(t *testing.T) {
	s := prepare(t, newNetwork(t), userMesh("v1", 100), endpoints{})
	waiting := exec.Command(binary, "health", "--wait", "20s", "--admin-addr", s.admin.String())
	waiting.Env = bare()
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	s.launch()
	if err := waiting.Wait(); err != nil {
		t.Errorf("outrider health --wait 20s: %v", err)
	}
}
