//go:build linux

package peers

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/conf"
	"github.com/outrider-mesh/outrider/bench/measure"
)

func TestAChildIsPinnedAndEndedByItsPid(t *testing.T) {
	spawner := NewSpawner()
	cpu := 0
	if proxy, _, err := measure.Cores(); err == nil {
		cpu = proxy
	}
	child, err := spawner.Start("sleeper", cpu, exec.Command("sleep", "300"))
	if err != nil {
		t.Fatal(err)
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(child.cmd.Process.Pid, &set); err != nil || set.Count() != 1 || !set.IsSet(cpu) {
		t.Errorf("affinity %v, %v", set, err)
	}
	if err := child.Ended(); err != nil {
		t.Error(err)
	}
	spawner.Close()
	if err := child.Ended(); err == nil {
		t.Error("still running")
	}
	child.Stop() // again: nothing to do
}

func TestAChildThatEndsTellsItsLastWords(t *testing.T) {
	spawner := NewSpawner()
	defer spawner.Close()
	child, err := spawner.Start("talker", 0, exec.Command("sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo no port left >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	err = child.Await(context.Background(), time.Minute, time.Millisecond, func(context.Context) error { return errors.New("never") })
	if err == nil || !strings.Contains(err.Error(), "no port left") || !strings.Contains(err.Error(), "exit status 3") || len(err.Error()) > tailSize+200 {
		t.Errorf("%.100s", err)
	}
	if _, err := spawner.Start("nobody", 0, exec.Command("/nonexistent/program")); err == nil {
		t.Error("started nothing")
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	spawner := NewSpawner()
	defer spawner.Close()
	child, err := spawner.Start("sleeper", 0, exec.Command("sleep", "300"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = child.Await(ctx, time.Minute, time.Minute, func(context.Context) error { cancel(); return errors.New("not yet") })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not yet") {
		t.Error(err)
	}
}

func TestTheMeshIsWhole(t *testing.T) {
	dir := t.TempDir()
	back := netip.MustParseAddrPort("127.0.0.1:4711")
	mesh, err := WriteMesh(dir, HTTP1, 3, back)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{"mesh.json": 1, "nodes.json": 4, "services.json": 3, "routers.json": 3, "routes.json": 3}
	for file, want := range count {
		f, err := os.Open(filepath.Join(mesh.Documents, file))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for decoder := json.NewDecoder(f); decoder.More(); n++ {
			var d document
			if err := decoder.Decode(&d); err != nil || d.Mesh != "bench" || d.Spec == nil {
				t.Fatalf("%s: %+v, %v", file, d, err)
			}
			if d.Node == "front" && len(d.Spec["backends"].([]any)) != 3 {
				t.Errorf("front lists %v", d.Spec["backends"])
			}
		}
		_ = f.Close()
		if n != want {
			t.Errorf("%s holds %d documents, want %d", file, n, want)
		}
	}
	text, err := os.ReadFile(mesh.Endpoints)
	want := "backend.local: [\"127.0.0.1:4711\"]\nbackend-002.local: [\"127.0.0.1:4711\"]\nbackend-003.local: [\"127.0.0.1:4711\"]\n"
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

func TestEveryProtocolHasItsMesh(t *testing.T) {
	back := netip.MustParseAddrPort("127.0.0.1:4711")
	for protocol, wants := range map[Protocol][]string{
		HTTP1: {"nodes.json", `"protocol": "http"`, "routes.json", `"httpRoute"`},
		HTTP2: {"nodes.json", `"protocol": "http2"`, "routes.json", `"http2Route"`},
		GRPC:  {"routers.json", `"protocol": "grpc"`, "routes.json", `"grpcRoute"`},
		TCP:   {"nodes.json", `"port": 4711`, "nodes.json", `"protocol": "tcp"`},
	} {
		mesh, err := WriteMesh(t.TempDir(), protocol, 1, back)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(wants); i += 2 {
			text, err := os.ReadFile(filepath.Join(mesh.Documents, wants[i]))
			if err != nil || !strings.Contains(string(text), wants[i+1]) {
				t.Errorf("%v: %s has no %s:\n%s%v", protocol, wants[i], wants[i+1], text, err)
			}
		}
	}
}

func TestTheSidecarSeesNothingOfOurEnvironmentThatConfiguresIt(t *testing.T) {
	got := environment([]string{"PATH=/bin", "GOMAXPROCS=2", "APPMESH_X=y", "ENVOY_CONCURRENCY=4", "OUTRIDER_MESH=m", "ECS_X=1", "GOGC=off", "GOPATH=/x"})
	if want := []string{"PATH=/bin", "GOPATH=/x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPeersConfigurationsAreFilledIn(t *testing.T) {
	for name, fill := range map[string]func(string, string) string{"nginx": conf.Nginx, "nginx h2": conf.NginxHTTP2, "haproxy": conf.HAProxy,
		"haproxy h2": conf.HAProxyHTTP2, "haproxy tcp": conf.HAProxyTCP, "haproxy pipes": conf.HAProxyTCPPipes} {
		text := fill("127.0.0.1:1", "127.0.0.1:2")
		if !strings.Contains(text, "127.0.0.1:1 ") || !strings.Contains(text, "127.0.0.1:2") || strings.Contains(text, "@LISTEN@ ") || strings.Contains(text, "@BACKEND@") || strings.Contains(text, "@GLOBAL@") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	if err := Require("/bin/sh"); err != nil {
		t.Error(err)
	}
	if err := Require("/bin/sh", "/nonexistent/nginx"); err == nil || !strings.Contains(err.Error(), "/nonexistent/nginx") {
		t.Error(err)
	}
}

func TestFreePortsAreBelowTheEphemeralRange(t *testing.T) {
	addr, err := freeAddr()
	if err != nil || addr.Port() < 20000 || addr.Port() >= 32000 {
		t.Error(addr, err)
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Skip("left out:", err)
	}
	if low, err := strconv.Atoi(strings.Fields(string(text))[0]); err == nil && low < 32000 {
		t.Logf("this machine takes outgoing ports from %d on: a peer may lose its port to a connection", low)
	}
}
