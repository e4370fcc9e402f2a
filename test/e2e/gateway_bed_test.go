//go:build linux

package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// newDoor draws a port for a gateway's listener, which is bound on all addresses: below those that the kernel gives away, and one
// that nobody has.
func newDoor(t *testing.T) uint16 {
	t.Helper()
	for range 50 {
		port := uint16(20000 + (uint32(os.Getpid())*2654435761>>8+networks.Add(1)*7)%12000)
		listener, err := net.Listen("tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), port).String())
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// gateway is "edge" with listeners: gateway(9080, "http", 9083, "grpc").
func gateway(listeners ...any) object {
	all := []object{}
	for i := 0; i < len(listeners); i += 2 {
		all = append(all, object{"portMapping": object{"port": listeners[i], "protocol": listeners[i+1]}})
	}
	return document("virtualGatewayName", "edge", object{"listeners": all})
}

// gatewayRoute sends what matches to a virtual service; rewrite may be nil.
func gatewayRoute(name string, match object, service string, rewrite object) object {
	action := object{"target": object{"virtualService": object{"virtualServiceName": service}}}
	if rewrite != nil {
		action["rewrite"] = rewrite
	}
	d := document("gatewayRouteName", name, object{"httpRoute": object{"match": match, "action": action}})
	d["virtualGatewayName"] = "edge"
	return d
}

// inRoute makes a gateway route one of a protocol.
func inRoute(protocol string, d object) object {
	spec := d["spec"].(object)
	body := spec["httpRoute"]
	delete(spec, "httpRoute")
	spec[protocol+"Route"] = body
	return d
}

// behind are the virtual services NAME.local, each with a router of its own whose route sends all to the node NAME.
func behind(names ...string) documents {
	docs := documents{theMesh("DROP_ALL")}
	for _, name := range names {
		docs = append(docs, service(name+".local", name), router(name), route(name, name, "/", name, 1), node(name))
	}
	return docs
}

// startGateway runs the binary for the gateway "edge".
func startGateway(t *testing.T, n network, docs documents, ends endpoints, flags ...string) *sidecar {
	t.Helper()
	return start(t, n, docs, ends, append([]string{"--node", "mesh/m/virtualGateway/edge"}, flags...)...)
}

// seen is a request as an app saw it.
type seen struct {
	App, Proto, Method, URI, Host string
	Header                        http.Header
}

// mirror is an app that answers with what it saw, and tries to speak in the mesh's name.
func mirror(t *testing.T, name string, addr netip.AddrPort) *backend {
	t.Helper()
	return newBackend(t, name, addr, showing(name))
}

func showing(name string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // curl takes it ill when an HTTP/2 server does not
		w.Header().Set("X-App-Mesh-Virtual-Service", "from-the-app")
		_ = json.NewEncoder(w).Encode(seen{name, r.Proto, r.Method, r.RequestURI, r.Host, r.Header}) // the client may have left
		return true
	}
}

// mirrors starts an app for each node, on hosts 31, 32 and so on.
func mirrors(t *testing.T, n network, names ...string) endpoints {
	t.Helper()
	ends := endpoints{}
	for i, name := range names {
		ends[name+".test"] = []string{mirror(t, name, n.at(byte(31+i), 8080)).addr.String()}
	}
	return ends
}

// reply is what curl was answered.
type reply struct {
	status  int
	version string
	header  http.Header
	body    string
	seen    seen // by an app; zero where none answered
}

// curl sends a request by real curl to an address, whatever the URL names.
func curl(t *testing.T, to netip.AddrPort, args ...string) reply {
	t.Helper()
	r, err := tryCurl(t, to, args...)
	if err != nil {
		t.Errorf("curl %s: %v: %s", strings.Join(args, " "), err, r.body)
	}
	return r
}

func tryCurl(t *testing.T, to netip.AddrPort, args ...string) (r reply, err error) {
	t.Helper()
	dir := t.TempDir()
	head, body := filepath.Join(dir, "head"), filepath.Join(dir, "body")
	args = append([]string{"-sS", "--max-time", "20", "--path-as-is", "--globoff", "--connect-to", "::" + to.String(), "-D", head, "-o", body, "-w", "%{http_code} %{http_version}"}, args...)
	cmd := exec.CommandContext(t.Context(), "curl", args...)
	cmd.Env = bare()
	output, err := cmd.CombinedOutput()
	if err != nil {
		return reply{body: string(output)}, err
	}
	code, version, _ := strings.Cut(string(output), " ")
	r = reply{version: version, header: http.Header{}}
	if r.status, err = strconv.Atoi(code); err != nil {
		return r, err
	}
	lines, _ := os.ReadFile(head) // none where nothing came
	for line := range strings.Lines(string(lines)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			r.header.Add(name, value)
		}
	}
	text, _ := os.ReadFile(body) // none where it is empty
	r.body = string(text)
	_ = json.Unmarshal(text, &r.seen) // only an app's answer is JSON
	return r, nil
}

// short is who answered and what it saw: "a GET /x" or "404".
func (r *reply) short() string {
	if r.seen.App == "" {
		return strconv.Itoa(r.status)
	}
	return r.seen.App + " " + r.seen.Method + " " + r.seen.URI
}
