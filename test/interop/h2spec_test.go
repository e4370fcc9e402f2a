//go:build linux

package interop

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/test/tools"
)

// summary is the line that h2spec ends with. test/suite reads it too.
var summary = regexp.MustCompile(`(?m)^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed`)

// h2spec of the issue: all groups (generic, http2, hpack), the strict cases too, against the ingress port of a running sidecar.
func TestH2spec(t *testing.T) {
	h2spec, err := tools.Find("h2spec")
	if err != nil {
		t.Skip("NOT TESTED: ", err)
	}
	for protocol, behind := range map[string]string{"http2": "an HTTP/2 app", "http": "an HTTP/1 app"} {
		t.Run("before "+behind, func(t *testing.T) {
			app := web(t, protocol == "http2")
			s := start(t, "app", protocol, netip.AddrPortFrom(app, 1), app)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, h2spec, "--strict", "--timeout", "5", "--host", s.ingress.Addr().String(), "--port", "15000",
				"--junit-report", filepath.Join(t.TempDir(), "report.xml"))
			output, err := cmd.CombinedOutput()
			counts := summary.FindSubmatch(output)
			if err != nil || counts == nil || string(counts[1]) != string(counts[2]) {
				t.Errorf("%s: %v\n%s", cmd, err, failures(string(output)))
			}
			if counts != nil {
				t.Logf("h2spec before %s: %s", behind, counts[0])
			}
		})
	}
}

// failures is what h2spec says from its list of failures on.
func failures(output string) string {
	if _, list, found := strings.Cut(output, "Failures:"); found {
		return list
	}
	return output
}

// web is an app that answers 200 to everything, on port 8080 of an address of its own: HTTP/2 alone, or HTTP/1 alone.
func web(t *testing.T, http2 bool) netip.Addr {
	t.Helper()
	at := network(t)
	listener, err := net.Listen("tcp", netip.AddrPortFrom(at, 8080).String())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // it may break off: then nobody reads the answer
		_, _ = io.WriteString(w, "hello, h2spec\n")
	})}
	server.Protocols.SetHTTP1(!http2)
	server.Protocols.SetUnencryptedHTTP2(http2)
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // it ends by Close
		close(ended)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return at
}
