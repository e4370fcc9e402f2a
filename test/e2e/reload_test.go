//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// swaps is how many sets of documents the sidecar takes while it is busy.
const swaps = 50

// Fifty swaps of weights, endpoints, removed and re-added nodes; a WebSocket, a long answer and an upload cross all of them, and
// no request fails.
func TestReloadUnderLoad(t *testing.T) {
	n := newNetwork(t)
	tell := make(chan string)
	stream := func(w http.ResponseWriter, r *http.Request) bool { return r.URL.Path == "/stream" && relate(w, tell) }
	ends := []endpoints{{}, {}}
	var all []*backend
	for i, name := range []string{"v1", "v2", "v3"} {
		first, second := newBackend(t, name, n.at(byte(31+i), 8080), stream), newBackend(t, name, n.at(byte(41+i), 8080), stream)
		all = append(all, first, second)
		ends[0][name+".test"] = []string{first.addr.String(), second.addr.String()}
		ends[1][name+".test"] = []string{second.addr.String()}
	}
	variants := []documents{
		patient("v1", 80, "v2", 20), patient("v1", 50, "v2", 50), patient("v1", 0, "v2", 100), patient("v3", 100), patient("v1", 10, "v2", 10, "v3", 80),
	}
	s := start(t, n, variants[0], ends[0])

	ws := dialWebSocket(t, s.egress, "svc.local:8080")
	lines := openStream(t, s)
	up := openUpload(t, s)
	load := busy(t, plain(t, s.egress), svc+"/")
	for i := 1; i <= swaps; i++ {
		before := s.stat("lds.update_success")
		ends[i%2].write(t, s.endpointsFile)
		variants[i%len(variants)].write(t, s.meshFile)
		s.await(fmt.Sprintf("swap %d is counted", i), func() bool { return s.stat("lds.update_success") > before })
		tell <- fmt.Sprint("swap ", i)
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("swap %d\n", i) {
			t.Fatalf("after swap %d the long answer says %q, %v", i, line, err)
		}
		if err := ws.echo(fmt.Sprint("swap ", i)); err != nil {
			t.Fatalf("after swap %d the WebSocket: %v", i, err)
		}
		if _, err := up.body.Write(make([]byte, 100_000)); err != nil {
			t.Fatalf("after swap %d the upload: %v", i, err)
		}
	}
	close(tell)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("the end of the long answer: %q, %v", rest, err)
	}
	up.body.Close()
	if got := <-up.answer; got != fmt.Sprintf("200 %d <nil>", swaps*100_000) {
		t.Errorf("the upload: %s", got)
	}
	load.finish(t)
	for _, b := range all {
		if b.served.Load() == 0 {
			t.Errorf("%s at %s was never asked", b.name, b.addr)
		}
	}
	if rejected := s.stat("lds.update_rejected"); rejected != 0 {
		t.Errorf("%d updates were rejected", rejected)
	}
}

// patient is userMesh without a time limit for answers.
func patient(targets ...any) documents {
	docs := userMesh(targets...)
	with(docs[4], object{"perRequest": object{"value": 0, "unit": "s"}}, "spec", "httpRoute", "timeout")
	return docs
}

// relate answers with a line for everything it is told.
func relate(w http.ResponseWriter, tell <-chan string) bool {
	flush := http.NewResponseController(w).Flush
	_ = flush() // the reader will notice a missing head
	for line := range tell {
		fmt.Fprintln(w, line)
		_ = flush() // likewise
	}
	return true
}

func openStream(t *testing.T, s *sidecar) *bufio.Reader {
	t.Helper()
	c := plain(t, s.egress)
	c.Timeout = 0
	response, err := c.Get(svc + "/stream")
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return bufio.NewReader(response.Body)
}

// upload is a request whose body is written while the test goes on.
type upload struct {
	body   *io.PipeWriter
	answer chan string
}

func openUpload(t *testing.T, s *sidecar) upload {
	t.Helper()
	reader, writer := io.Pipe()
	u := upload{writer, make(chan string, 1)}
	c := plain(t, s.egress)
	c.Timeout = 0
	t.Cleanup(func() { writer.CloseWithError(io.ErrClosedPipe) })
	go func() {
		response, err := c.Post(svc+"/upload", "application/octet-stream", reader)
		if err != nil {
			u.answer <- err.Error()
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		u.answer <- fmt.Sprintf("%d %s", response.StatusCode, text)
		if err != nil {
			t.Log(err)
		}
	}()
	return u
}

// work is clients that call until they are told to leave.
type work struct {
	leave   atomic.Bool
	calls   atomic.Int64
	workers sync.WaitGroup
	mu      sync.Mutex
	failure []string
}

func busy(t *testing.T, c *http.Client, url string) *work {
	w := &work{}
	for range 4 {
		w.workers.Go(func() {
			for !w.leave.Load() {
				w.calls.Add(1)
				if status, body, _, err := get(c, url); err != nil || status != 200 {
					w.mu.Lock()
					w.failure = append(w.failure, fmt.Sprintf("%d %q %v", status, body, err))
					w.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { w.leave.Store(true); w.workers.Wait() })
	return w
}

func (w *work) finish(t *testing.T) {
	t.Helper()
	w.leave.Store(true)
	w.workers.Wait()
	if len(w.failure) > 0 {
		t.Errorf("%d of %d requests failed: %s", len(w.failure), w.calls.Load(), strings.Join(w.failure[:min(5, len(w.failure))], "; "))
	}
	if w.calls.Load() == 0 {
		t.Error("there was no load")
	}
}

func TestARejectedReloadChangesNothing(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 100), ends)
	c := plain(t, s.egress)

	bad := userMesh("v2", 100)
	bad[4] = route("router", "all", "/", "v9", 100)
	bad.write(t, s.meshFile)
	s.await("the bad documents are rejected", func() bool { return s.stat("lds.update_rejected") > 0 })
	want(t, c, svc+"/", 200, "v1")
	if !strings.Contains(s.log.String(), "v9") {
		t.Error("the log does not name what is missing")
	}

	if err := os.WriteFile(s.meshFile, []byte(`[{"meshName": "m", `), 0o644); err != nil {
		t.Fatal(err)
	}
	before := s.stat("lds.update_rejected")
	s.await("the broken text is rejected", func() bool { return s.stat("lds.update_rejected") > before })
	want(t, c, svc+"/", 200, "v1")

	userMesh("v2", 100).write(t, s.meshFile)
	s.await("good documents are taken", func() bool { _, body, _, _ := get(c, svc+"/"); return body == "v2" })
}

func TestABrokenDocumentThatIsNotNeededStopsNothing(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := prepare(t, n, userMesh("v1", 100), ends)
	other := filepath.Join(filepath.Dir(s.meshFile), "other.json")
	documents{node("somebody-else")}.write(t, other)
	s.launch("--mesh", other)
	c := plain(t, s.egress)
	s.await("v1 answers", func() bool { _, body, _, _ := get(c, svc+"/"); return body == "v1" })

	if err := os.WriteFile(other, []byte(`{"meshName": "m", "virtualNodeName": "somebody-else", "spec": {"listeners": `), 0o644); err != nil {
		t.Fatal(err)
	}
	userMesh("v2", 100).write(t, s.meshFile)
	s.await("v2 answers", func() bool { _, body, _, _ := get(c, svc+"/"); return body == "v2" })
}
