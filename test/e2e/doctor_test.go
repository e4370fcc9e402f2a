//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
)

// A task in a namespace, as doctor sees it: with and without rules, without privilege, with a name missing.
func TestDoctorInATask(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	task := newTask(t)
	task.run(t, 1337, 4096)

	code, report := task.doctor(t, 0)
	wantFindings(t, report, "way in: direct works, redirect does not", "rules for IPv4: there are none", "direct: 127.0.0.1:15001 takes connections",
		"user of the sidecar: 1337", "port 15001 (outgoing): held by outrider (pid ", "name", "admin page: LIVE, outrider")
	if code != 0 || strings.Contains(report, "wrong\n") {
		t.Errorf("without rules: exit code %d\n%s", code, report)
	}
	if code, report := task.doctor(t, 0, "--task-definition", taskDefinition); code != 1 || !strings.HasPrefix(report, "wrong\n  way in: direct works, redirect does not") ||
		!strings.Contains(report, "outrider iptables apply --task-definition") {
		t.Errorf("without the rules that were asked for: exit code %d\n%s", code, report)
	}

	kit.Here.Run(t, binary, "iptables", "apply", "--task-definition", taskDefinition)
	code, report = task.doctor(t, 0)
	wantFindings(t, report, "way in: redirect works, direct works", "redirect: a connection to 192.0.2.1:9 came out at port 15001", "rules for IPv4: as planned",
		"rules for IPv6: as planned", "app at 127.0.0.1:8080: listens on [::]:8080", "names: 2 of 2 resolve", "port 9901 (admin): held by outrider", "documents: mesh/m/virtualNode/front")
	if code != 0 || !strings.Contains(report, "\n0 wrong, ") {
		t.Errorf("with rules: exit code %d\n%s", code, report)
	}
	code, report = task.doctor(t, 65534)
	wantFindings(t, report, "way in: redirect works", "rules: running ", "user of the sidecar: 1337, whose traffic the rules let pass")
	if code != 0 {
		t.Errorf("without privilege: exit code %d\n%s", code, report)
	}
	code, report = task.doctor(t, 1337)
	wantFindings(t, report, "way in: direct works; whether redirect does could not be told", "redirect: not tried: user 1337", "user of doctor: 1337")
	if code != 0 {
		t.Errorf("as the sidecar's user: exit code %d\n%s", code, report)
	}

	task.names.missing.Store(true)
	code, report = task.doctor(t, 0)
	wantFindings(t, report, "name svc.local: does not resolve: no such name")
	if code != 1 {
		t.Errorf("with a name missing: exit code %d\n%s", code, report)
	}
	task.names.missing.Store(false)
}

// A sidecar whose user the rules do not ignore, few files, and a port that another process has.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	task := newTask(t)
	kit.Here.Run(t, binary, "iptables", "apply", "--task-definition", taskDefinition)
	code, report := task.doctor(t, 1000)
	wantFindings(t, report, "way in: neither redirect nor direct works", "redirect: a connection to 192.0.2.1:9 was not taken: connection refused",
		"port 15001 (outgoing): free for a sidecar")
	if code != 1 {
		t.Errorf("without a sidecar: exit code %d\n%s", code, report)
	}

	sidecar := task.run(t, 0, 512)
	code, report = task.doctor(t, 0)
	wantFindings(t, report, "user of the sidecar: 0, whose traffic the rules do not let pass (they ignore user 1337)", "sent back to it, in a loop",
		"redirect: not tried: the rules do not let the sidecar's own user pass", "open files: 512 may be open at once (soft limit 512), of the sidecar")
	if code != 1 {
		t.Errorf("a sidecar run by root: exit code %d\n%s", code, report)
	}
	task.end(t, sidecar)

	taken, err := net.Listen("tcp", "127.0.0.1:15001")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	code, report = task.doctor(t, 0, "--format", "json")
	var found struct {
		Verdict  string
		Findings []struct{ Verdict, About, Seen, Why, Fix string }
	}
	if err := json.Unmarshal([]byte(report), &found); err != nil || code != 1 || found.Verdict != "wrong" {
		t.Fatalf("exit code %d, %v\n%s", code, err, report)
	}
	port := slices.IndexFunc(found.Findings, func(f struct{ Verdict, About, Seen, Why, Fix string }) bool {
		return f.About == "port 15001 (outgoing)"
	})
	if port < 0 || found.Findings[port].Verdict != "wrong" || !strings.HasPrefix(found.Findings[port].Seen, "taken by exe (pid 1, ") || !strings.Contains(found.Findings[port].Fix, "--egress-addr") {
		t.Errorf("the port: %s", report)
	}
}

// task is a namespace with an app on 8080, documents, names, and the world behind eth0.
type task struct {
	meshFile string
	names    *nameServer
}

func newTask(t *testing.T) *task {
	world := kit.New(t, "world")
	kit.Connect(t, kit.End{Device: "eth0", Addresses: []string{"10.99.0.1/24", "fd99::1/64"}},
		kit.End{In: world, Device: "eth0", Addresses: []string{"10.99.0.2/24", "fd99::2/64"}})
	kit.Here.Run(t, "ip", "route", "add", "default", "via", "10.99.0.2")
	newBackend(t, "app", netip.MustParseAddrPort("[::]:8080"), nil)
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	mine := &task{meshFile: filepath.Join(dir, "mesh.json"), names: serveNames(t)}
	userMesh("v1", 100).write(t, mine.meshFile)
	resolv := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(resolv, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		t.Skipf("NOT TESTED: putting a file over /etc/resolv.conf: %v", err)
	}
	return mine
}

// run starts a sidecar of a user that may open so many files.
func (k *task) run(t *testing.T, uid uint32, files int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n "$1" && exec "$2" run --mesh "$3"`, "sh", strconv.Itoa(files), binary, k.meshFile)
	cmd.Env = bare("APPMESH_VIRTUAL_NODE_NAME=mesh/m/virtualNode/front")
	live(t, cmd, uid)
	return cmd
}

// end kills a sidecar and waits until its ports are free.
func (k *task) end(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	_ = cmd.Process.Kill()
	free := func() bool {
		l, err := net.Listen("tcp", "127.0.0.1:15001")
		if err == nil {
			l.Close()
		}
		return err == nil
	}
	if err := poll(20*time.Second, nil, free); err != nil {
		t.Fatal(err)
	}
}

// doctor runs the examination as a user, and gives its report on one line for each finding.
func (k *task) doctor(t *testing.T, uid uint32, flags ...string) (code int, report string) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"doctor", "--mesh", k.meshFile, "--node", "mesh/m/virtualNode/front"}, flags...)...)
	cmd.Env = bare()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		if len(line) > 81 && strings.Count(strings.TrimSpace(line), " ") > 0 && !strings.HasPrefix(line, " ") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(string(output), "\n      ", " ")
}

func wantFindings(t *testing.T, report string, findings ...string) {
	t.Helper()
	for _, want := range findings {
		if !strings.Contains(strings.Join(strings.Fields(report), " "), want) {
			t.Errorf("it does not say %q:\n%s", want, report)
		}
	}
}

// nameServer knows v1.test and, unless it is missing, svc.local.
type nameServer struct{ missing atomic.Bool }

func serveNames(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	s := new(nameServer)
	var serving sync.WaitGroup
	serving.Go(func() {
		question := make([]byte, 512)
		for {
			n, peer, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			conn.WriteTo(s.answer(question[:n]), peer)
		}
	})
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	return s
}

func (s *nameServer) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	address, known := map[string][4]byte{"v1.test.": {10, 99, 0, 2}, "svc.local.": {10, 10, 10, 10}}[q.Name.String()]
	switch {
	case !known || q.Name.String() == "svc.local." && s.missing.Load():
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: address}}}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// A gateway is dialled at its own ports, and needs no rules.
func TestDoctorAtAGateway(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	n, door := newNetwork(t), newDoor(t)
	docs := append(behind("red"), gateway(door, "http"), gatewayRoute("all", object{"prefix": "/"}, "red.local", nil))
	s := startGateway(t, n, docs, endpoints{"red.test": {}})
	ask := func(more ...string) (int, string) {
		cmd := exec.Command(binary, append([]string{"doctor", "--mesh", s.meshFile, "--node", "edge", "--admin", s.admin.String()}, more...)...)
		cmd.Env = bare()
		output, _ := cmd.CombinedOutput() // its exit code says it
		return cmd.ProcessState.ExitCode(), string(output)
	}
	_, report := ask()
	wantFindings(t, report, "way in: gateway port "+strconv.Itoa(int(door))+": held by outrider (pid ", "rules: none, as a virtual gateway needs none", "admin page: LIVE", "none of 1 names got an answer")
	if strings.Contains(report, "15001") {
		t.Errorf("it speaks of the egress port:\n%s", report)
	}
	kit.Here.Run(t, binary, "iptables", "apply", "--task-definition", taskDefinition)
	_, report = ask()
	wantFindings(t, report, "rules: IPv4 is intercepted here")
	_ = s.cmd.Process.Kill()
	<-s.done
	code, report := ask()
	wantFindings(t, report, "way in: gateway port "+strconv.Itoa(int(door))+": nobody listens there")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
}
