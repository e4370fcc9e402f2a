//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/bench/compare"
	"github.com/outrider-mesh/outrider/bench/measure"
	"github.com/outrider-mesh/outrider/bench/peers"
)

// The test binary is the command itself when asked to be: for commands that pin or replace their process.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_IS_MAIN") != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func bench(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BENCH_IS_MAIN=1")
	return cmd
}

func TestAWrongCommandLineIsRefusedBeforeAnythingIsDone(t *testing.T) {
	for _, line := range []string{
		"", "nonsense", "load", "load --rate x http://127.0.0.1/", "load http://192.0.2.1/", "load https://127.0.0.1/", "load --rate -1 http://127.0.0.1/",
		"load --duration 0s http://127.0.0.1/", "load --connections 60000 http://127.0.0.1/", "load --body -1 http://127.0.0.1/", "load --header x http://127.0.0.1/",
		"backend x", "backend --listen 0.0.0.0:0", "backend --listen x",
		"compare --peers nobody", "compare --peers nginx,nginx", "compare --peers ,", "compare --rounds 0", "compare --duration 1ms", "compare --warmup -1s", "compare --scenarios x",
		"compare --peers direct --proxy-cpu 1", "compare --scenarios h3*", "backend --grpc x", "held --connections 0", "held --streams-each 1001", "idle --nodes 1", "idle --connections 0", "mallocs --requests 0", "validate --nodes 1", "validate --runs 0", "all --rounds 0",
	} {
		if code := exitCode(dispatch(context.Background(), strings.Fields(line))); code != 2 {
			t.Errorf("bench %s: exit code %d", line, code)
		}
	}
}

func TestExitCodesSayWhatHappened(t *testing.T) {
	for want, err := range map[int]error{0: nil, 1: errFound, 2: usageError{errors.New("x")}, 3: errors.New("x")} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	if got := exitCode(flag.ErrHelp); got != 0 {
		t.Errorf("help: %d", got)
	}
}

func TestAMissingProxyIsAnErrorOfTheMachine(t *testing.T) {
	err := dispatch(context.Background(), []string{"compare", "--peers", "outrider", "--outrider", "/nonexistent/outrider"})
	if err == nil || exitCode(err) != 3 || !strings.Contains(err.Error(), "/nonexistent/outrider") {
		t.Error(err)
	}
}

func TestLoadMeasuresTheBackend(t *testing.T) {
	addr := startBackend(t)
	histogram := filepath.Join(t.TempDir(), "x.hgrm")
	out, err := bench("load", "--requests", "100", "--connections", "4", "--rate", "5000", "--outstanding", "100", "--histogram", histogram, "http://"+addr+"/16k").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "100 succeeded, 0 failed") || strings.Contains(string(out), "\r") {
		t.Errorf("%s%v", out, err)
	}
	if _, err := os.Stat(histogram); err != nil {
		t.Error(err)
	}
	cmd := bench("load", "--requests", "10", "http://"+addr+"/nothing")
	out, _ = cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "status 4xx 10") {
		t.Errorf("%sexit code %d", out, cmd.ProcessState.ExitCode())
	}
}

// startBackend runs bench backend until the test ends and returns its address.
func startBackend(t *testing.T) string {
	t.Helper()
	cmd := bench("backend")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error("the backend ended with", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

func TestASmokeRunEndsAllThatItStarted(t *testing.T) {
	if _, _, err := measure.Cores(); err != nil {
		t.Skip("left out:", err)
	}
	names := "direct"
	for _, peer := range []string{"nginx", "haproxy"} {
		if _, err := os.Stat("/usr/sbin/" + peer); err != nil {
			t.Log("left out:", err)
			continue
		}
		names += "," + peer
	}
	if strings.Contains(names, "haproxy") {
		names += ",haproxy-pipes"
	}
	dir := t.TempDir()
	cmd := bench("compare", "--smoke", "--peers", names, "--scenarios", "get-1k-8,open-1000,post-16k,ping-beside-bulk,ws-*,h2c-*,grpc-*,tcp-*")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n### ") != 13 {
		t.Fatalf("%s%v", out, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAnEarlierOutriderIsAProgramOrARevision(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "old")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := earlierProgram(t.Context(), program, dir); got != program || err != nil {
		t.Error(got, err)
	}
	t.Chdir(dir)
	if _, err := earlierProgram(t.Context(), "HEAD", t.TempDir()); err == nil || !strings.Contains(err.Error(), "neither a program nor a revision") {
		t.Error(err)
	}
	for file, text := range map[string]string{"go.mod": "module example.test/old\n\ngo 1.26.0\n", "cmd/outrider/main.go": "package main\n\nfunc main() { println(\"old\") }\n"} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"init -q", "add .", "-c user.name=x -c user.email=x@example.test -c commit.gpgsign=false commit -q --no-verify -m x"} {
		if said, err := exec.Command("git", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("left out: git %s: %v: %s", line, err, said)
		}
	}
	t.Chdir("cmd") // the whole history, from wherever one stands in it
	built, err := earlierProgram(t.Context(), "HEAD", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(built).CombinedOutput(); string(said) != "old\n" || err != nil {
		t.Error(string(said), err)
	}
	if _, err := earlierProgram(t.Context(), "nothing", t.TempDir()); err == nil {
		t.Error("a revision that is not there was built")
	}
}

func TestWithoutAnEarlierBuildTheComparisonGoesOnUnlessOneWasAskedFor(t *testing.T) {
	t.Chdir(t.TempDir())
	scenarios, err := compare.Pick([]string{"get-1k-8"})
	if err != nil {
		t.Fatal(err)
	}
	f := compareFlags{plan: compare.Plan{Scenarios: scenarios, Peers: []string{peers.Before, peers.Direct}}}
	missing, err := f.prepareBefore(t.Context(), t.TempDir())
	if err != nil || len(missing) != 1 || !strings.Contains(missing[0], beforeHTTP2) || len(f.plan.Peers) != 1 {
		t.Error(missing, f.plan.Peers, err)
	}
	f.plan.Peers, f.before = []string{peers.Before, peers.Direct}, "nothing"
	if _, err := f.prepareBefore(t.Context(), t.TempDir()); err == nil {
		t.Error("what was asked for is missing, and no error")
	}
}

func TestInterruptedItLeavesNothing(t *testing.T) {
	if _, _, err := measure.Cores(); err != nil {
		t.Skip("left out:", err)
	}
	dir := t.TempDir()
	cmd := bench("compare", "--peers", "direct", "--duration", "5m")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var family []int
	for deadline := time.Now().Add(20 * time.Second); len(family) < 2 && time.Now().Before(deadline); { // until the backend runs
		family = measure.Family(cmd.Process.Pid)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d: %s", code, out.String())
	}
	for _, pid := range family {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d of %v still there: %v", pid, family, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
