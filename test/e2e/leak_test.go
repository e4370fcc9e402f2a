//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Goroutines and descriptors after a second round of load are no more than after the first.
func TestLoadLeavesNothingBehind(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 50, "v2", 50), ends)
	rush(t, s)
	var goroutines, descriptors int
	// The first round settles when its client connections have gone.
	s.await("the first round's connections have gone", func() bool { return s.stat("http.egress.downstream_cx_active") == 0 })
	s.await("its goroutines too", func() bool {
		a, b := s.goroutines(), s.goroutines()
		goroutines, descriptors = a, s.descriptors()
		return a == b
	})
	for range 3 {
		rush(t, s)
	}
	const slack = 10 // an idle connection more, an admin request under way
	s.await(fmt.Sprintf("there are about %d goroutines again", goroutines), func() bool { return s.goroutines() <= goroutines+slack })
	s.await(fmt.Sprintf("there are about %d descriptors again", descriptors), func() bool { return s.descriptors() <= descriptors+slack })
}

// rush is forty clients that each connect anew for every request, some of them leaving before the answer.
func rush(t *testing.T, s *sidecar) {
	t.Helper()
	var clients sync.WaitGroup
	for range 40 {
		c := plain(t, s.egress)
		c.Transport.(*http.Transport).DisableKeepAlives = true
		clients.Go(func() {
			for range 25 {
				if status, _, _, err := get(c, svc+"/"); err != nil || status != 200 {
					t.Error(status, err)
				}
				leaveEarly(t, s)
			}
		})
	}
	clients.Wait()
}

// leaveEarly asks and does not wait for the answer.
func leaveEarly(t *testing.T, s *sidecar) {
	conn, err := net.Dial("tcp", s.egress.String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: svc.local\r\n\r\n"); err != nil {
		t.Error(err)
	}
}

func (s *sidecar) goroutines() int {
	s.t.Helper()
	_, body := s.ask("GET", "/stats/prometheus")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "go_goroutines "); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatal("no go_goroutines")
	return 0
}

func (s *sidecar) descriptors() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}
