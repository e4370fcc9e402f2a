//go:build linux

package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A load balancer's view: clients that leave once /ready says 503 see no failure, however the drain ends.
func TestDrainUnderLoad(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	app := newBackend(t, "app", n.at(appHost, 8080), nil)
	s := start(t, n, userMesh("v1", 100), ends, "--drain-time", "20s")
	out := busy(t, plain(t, s.egress), svc+"/")
	in := busy(t, plain(t, s.ingress), "http://front.local:8080/")
	s.await("there is load", func() bool { return out.calls.Load() > 100 && in.calls.Load() > 100 })

	s.signal(syscall.SIGTERM)
	s.await("/ready says 503", func() bool { return s.status("GET", "/ready") == 503 })
	// Still served, and told to come back elsewhere.
	response, err := plain(t, s.ingress).Get("http://front.local:8080/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || !response.Close {
		t.Errorf("while draining: %s, close %v", response.Status, response.Close)
	}
	out.finish(t)
	in.finish(t)
	app.server.Close() // ECS stops the app first; its refusing port lets the drain end early
	if code := s.exit(15 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestADrainEndsWhenItsTimeIsOver(t *testing.T) {
	s, release := hanging(t, "--drain-time", "1s")
	defer release()
	s.signal(syscall.SIGTERM)
	if code := s.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	s, release := hanging(t, "--drain-time", "10m")
	defer release()
	s.signal(syscall.SIGTERM)
	s.await("it drains", func() bool { return s.status("GET", "/ready") == 503 })
	s.signal(syscall.SIGTERM)
	s.exit(5 * time.Second)
}

func TestQuitQuitQuit(t *testing.T) {
	s := start(t, newNetwork(t), userMesh("v1", 100), endpoints{})
	if status, _ := s.ask("GET", "/quitquitquit"); status != 405 {
		t.Errorf("GET /quitquitquit: %d, want 405", status)
	}
	s.ask("POST", "/quitquitquit")
	if code := s.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// hanging is a sidecar with an exchange that does not end until release.
func hanging(t *testing.T, flags ...string) (s *sidecar, release func()) {
	t.Helper()
	n := newNetwork(t)
	arrived, over := make(chan struct{}), make(chan struct{})
	v1 := newBackend(t, "v1", n.at(31, 8080), func(http.ResponseWriter, *http.Request) bool {
		close(arrived)
		<-over
		return true
	})
	s = start(t, n, userMesh("v1", 100), endpoints{"v1.test": {v1.addr.String()}}, flags...)
	ended := make(chan struct{})
	c := plain(t, s.egress)
	go func() {
		defer close(ended)
		_, _ = c.Post(svc+"/", "text/plain", strings.NewReader("x")) // it is cut off
	}()
	<-arrived
	return s, func() { close(over); <-ended }
}
