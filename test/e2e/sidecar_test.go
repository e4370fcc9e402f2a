//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sidecar is a running Outrider in direct mode.
type sidecar struct {
	t                             *testing.T
	ingress, egress, admin        netip.AddrPort
	app                           netip.Addr
	meshFile, endpointsFile, work string
	cmd                           *exec.Cmd
	log                           *transcript
	done                          chan struct{}
}

// host numbers within a test's network.
const sidecarHost, appHost = 10, 20

// start runs a sidecar for node "front" and returns when it is ready. It ends with the test.
func start(t *testing.T, n network, docs documents, ends endpoints, flags ...string) *sidecar {
	t.Helper()
	s := prepare(t, n, docs, ends)
	s.launch(flags...)
	s.await("ready", func() bool { return s.status("GET", "/ready") == 200 })
	return s
}

// prepare writes the files of a sidecar without starting it.
func prepare(t *testing.T, n network, docs documents, ends endpoints) *sidecar {
	t.Helper()
	dir := t.TempDir()
	s := &sidecar{t: t, ingress: n.at(sidecarHost, 15000), egress: n.at(sidecarHost, 15001), admin: n.at(sidecarHost, 9901), app: n.at(appHost, 0).Addr(),
		meshFile: filepath.Join(dir, "mesh", "mesh.json"), endpointsFile: filepath.Join(dir, "endpoints.yaml"), work: filepath.Join(dir, "work")}
	for _, folder := range []string{filepath.Dir(s.meshFile), s.work} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	docs.write(t, s.meshFile)
	ends.write(t, s.endpointsFile)
	return s
}

func (s *sidecar) flags() []string {
	return []string{"--mesh", s.meshFile, "--endpoints", s.endpointsFile, "--node", "mesh/m/virtualNode/front",
		"--ingress-addr", s.ingress.String(), "--egress-addr", s.egress.String(), "--admin-addr", s.admin.String(), "--app-addr", s.app.String()}
}

func (s *sidecar) launch(flags ...string) {
	s.t.Helper()
	s.run(exec.Command(binary, append(append([]string{"run"}, s.flags()...), flags...)...))
}

// run starts a command as the sidecar; it ends with the test.
func (s *sidecar) run(cmd *exec.Cmd, env ...string) {
	s.t.Helper()
	s.cmd = cmd
	s.cmd.Env = bare(append(env, "TMPDIR="+s.work)...)
	s.cmd.Dir = s.work
	s.log = &transcript{}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.done = make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in ProcessState
		close(s.done)
	}()
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.done
		if strings.Contains(s.log.String(), "DATA RACE") || strings.Contains(s.log.String(), "panic: ") {
			s.t.Error("a data race or a panic")
		}
		if s.t.Failed() {
			s.t.Logf("the sidecar said:\n%s", s.log)
		}
	})
}

// bare is an environment that configures nothing but what is added.
func bare(more ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=/"}
	if folder := os.Getenv("GOCOVERDIR"); folder != "" {
		env = append(env, "GOCOVERDIR="+folder)
	}
	return append(env, more...)
}

// await polls until yes; the test fails after a while, or as soon as the sidecar has ended.
func (s *sidecar) await(what string, yes func() bool) {
	s.t.Helper()
	if err := poll(20*time.Second, s.done, yes); err != nil {
		s.t.Fatalf("waiting until %s: %v", what, err)
	}
}

var errEnded = errors.New("the sidecar has ended")

func poll(patience time.Duration, ended <-chan struct{}, yes func() bool) error {
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ended:
			return errEnded
		case <-deadline:
			return fmt.Errorf("gave up after %s", patience)
		case <-tick.C:
		}
	}
	return nil
}

func (s *sidecar) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code; -1 for a signal.
func (s *sidecar) exit(patience time.Duration) int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("still there after %s", patience)
	}
	return s.cmd.ProcessState.ExitCode()
}

// ask sends a request to the admin interface.
func (s *sidecar) ask(method, path string, edit ...func(*http.Request)) (status int, body string) {
	s.t.Helper()
	status, body, err := s.tryAsk(method, path, edit...)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, body
}

func (s *sidecar) tryAsk(method, path string, edit ...func(*http.Request)) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.admin.String()+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Close = true
	for _, e := range edit {
		e(request)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// status is 0 where nobody answers.
func (s *sidecar) status(method, path string) int {
	status, _, _ := s.tryAsk(method, path)
	return status
}

// stat adds up the counters and gauges whose names end so.
func (s *sidecar) stat(suffix string) (sum int) {
	s.t.Helper()
	_, body, err := s.tryAsk("GET", "/stats")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasSuffix(name, suffix) {
			n, _ := strconv.Atoi(value) // histograms are no numbers
			sum += n
		}
	}
	return sum
}

// transcript keeps what a process says; safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
