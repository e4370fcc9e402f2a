//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// The ways in which real programs name a proxy, by real curl.
func TestCurlByProxy(t *testing.T) {
	needCurl(t)
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	outside := newBackend(t, "outside", n.at(40, 9090), nil)
	s := start(t, n, userMesh("v1", 100), ends)
	proxy := "http://" + s.egress.String()
	for name, test := range map[string]struct {
		env  string
		args []string
		want string
	}{
		"http_proxy and a service of the mesh":   {"http_proxy=" + proxy, []string{svc + "/"}, "v1 200"},
		"a tunnel to a service of the mesh":      {"", []string{"--proxytunnel", "--proxy", proxy, svc + "/"}, "v1 200"},
		"http_proxy and a name that is unlisted": {"http_proxy=" + proxy, []string{"http://unlisted.local:8080/"}, "404"},
		"http_proxy and an address outside":      {"http_proxy=" + proxy, []string{fmt.Sprintf("http://%s/", outside.addr)}, "outside 200"},
		"a tunnel to an address outside":         {"", []string{"--proxytunnel", "--proxy", proxy, fmt.Sprintf("http://%s/", outside.addr)}, "outside 200"},
		"a body that is announced":               {"http_proxy=" + proxy, []string{"-d", "hello", svc + "/upload"}, "5 <nil> 200"},
		"an upload of unknown length": {"http_proxy=" + proxy,
			[]string{"-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue", "-d", "hello", svc + "/upload"}, "5 <nil> 200"},
		"only the head":   {"http_proxy=" + proxy, []string{"--head", "-o", "/dev/null", svc + "/"}, "200"},
		"HTTP/1.0":        {"http_proxy=" + proxy, []string{"--http1.0", svc + "/"}, "v1 200"},
		"several at once": {"http_proxy=" + proxy, []string{svc + "/a", svc + "/b"}, "v1 200 v1 200"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "--max-time", "20", "-w", " %{http_code} "}, test.args...)...)
			cmd.Env = bare(test.env)
			output, err := cmd.CombinedOutput()
			if got := strings.Join(strings.Fields(string(output)), " "); err != nil || got != test.want {
				t.Errorf("%s: %q %v, want %q", cmd, got, err, test.want)
			}
		})
	}
}
