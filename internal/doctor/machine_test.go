package doctor

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/iptables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a machine in memory.
type place struct {
	files    fstest.MapFS
	tcp      string // lines of /proc/net/tcp
	inodes   int
	tables   []iptables.Comparison
	tableErr error
	names    map[string][]string
	closed   map[uint16]bool // ports of loopback that refuse
	world    error           // what a connection to elsewhere ends in; nil: it is redirected
	page     map[string]answer
	uid      uint32
	tried    int
	dropped  uint16 // a port of loopback whose packets are dropped
	mute     bool   // no DNS server answers
}

const sidecarPID = 7

// wellDone is a task in which all is as it should be: a sidecar of user 1337, rules, an app of user 1000 on 8080.
func wellDone() *place {
	p := &place{files: fstest.MapFS{}, closed: map[uint16]bool{}, uid: 1000,
		names: map[string][]string{"svc.local": {"10.10.10.10"}, "v1.test": {"10.0.0.1"}},
		page: map[string]answer{"/ready": {status: 200, text: "LIVE\n"},
			"/server_info": {status: 200, text: `{"version": "1", "state": "LIVE", "node": {"id": "mesh/m/virtualNode/front", "user_agent_name": "outrider"}}`}},
	}
	force := iptables.InForce{IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8080}, IgnoredUIDs: []uint32{1337}}
	p.tables = []iptables.Comparison{{Family: iptables.IPv4, Variant: iptables.NFT, InForce: force}, {Family: iptables.IPv6, Variant: iptables.NFT, InForce: force}}
	p.process(sidecarPID, "outrider", 1337, 1337)
	for _, at := range []string{"0.0.0.0:15000", "127.0.0.1:15001", "0.0.0.0:9901"} {
		p.listen(at, sidecarPID, 1337)
	}
	p.process(8, "app", 1000, 1000)
	p.listen("0.0.0.0:8080", 8, 1000)
	p.write("etc/resolv.conf", "# the VPC's\nnameserver 10.0.0.2\n")
	p.write(fmt.Sprintf("proc/%d/limits", sidecarPID), "Limit Soft Hard\nMax open files            1024                 65536                files     \n")
	p.write("proc/self/limits", "Max open files            1024                 4096                files     \n")
	p.write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
	p.write("proc/sys/net/netfilter/nf_conntrack_max", "262144\n")
	p.write("proc/sys/net/netfilter/nf_conntrack_count", "12\n")
	return p
}

func (p *place) write(name, text string) { p.files[name] = &fstest.MapFile{Data: []byte(text)} }

func (p *place) process(pid int, name string, uid, gid uint32) {
	p.write(fmt.Sprintf("proc/%d/status", pid), fmt.Sprintf("Name:\t%s\nUid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\n", name, uid, uid, uid, uid, gid, gid, gid, gid))
}

// listen opens a port; pid 0 is a process that cannot be seen.
func (p *place) listen(at string, pid int, uid uint32) {
	p.inodes++
	p.line(at, "0.0.0.0:0", "0A", uid)
	if pid != 0 {
		p.files[fmt.Sprintf("proc/%d/fd/%d", pid, p.inodes)] = &fstest.MapFile{Data: fmt.Appendf(nil, "socket:[%d]", p.inodes), Mode: fs.ModeSymlink}
	}
}

func (p *place) line(local, remote, state string, uid uint32) {
	p.tcp += fmt.Sprintf("   0: %s %s %s 00000000:00000000 00:00000000 00000000 %5d        0 %d 1 0 100 0 0 10 0\n", end(local), end(remote), state, uid, p.inodes)
}

// end spells an address as the kernel does.
func end(text string) string {
	at := netip.MustParseAddrPort(text)
	b := at.Addr().AsSlice()
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	return strings.ToUpper(hex.EncodeToString(b)) + fmt.Sprintf(":%04X", at.Port())
}

// gone takes the sockets on a port away.
func (p *place) gone(ports ...uint16) {
	lines := strings.SplitAfter(p.tcp, "\n")
	for _, port := range ports {
		p.closed[port] = true
		lines = slices.DeleteFunc(lines, func(line string) bool {
			f := strings.Fields(line)
			return len(f) > 1 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port))
		})
	}
	p.tcp = strings.Join(lines, "")
}

func (p *place) machine() Machine {
	return Machine{
		Root: p, UID: p.uid, GID: p.uid, CPUs: 2,
		Dial:    p.dial,
		Resolve: p.resolve,
		Verify: func(context.Context, iptables.Config) ([]iptables.Comparison, error) {
			return p.tables, p.tableErr
		},
	}
}

func (p *place) Open(name string) (fs.File, error) {
	p.write("proc/self/net/tcp", "  sl  local_address rem_address   st\n"+p.tcp)
	return p.files.Open(name)
}

func (p *place) ReadLink(name string) (string, error)   { return p.files.ReadLink(name) }
func (p *place) Lstat(name string) (fs.FileInfo, error) { return p.files.Lstat(name) }

func (p *place) dial(ctx context.Context, _, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	switch {
	case !at.Addr().IsLoopback():
		if at != nobody {
			return nil, errors.New("traffic to " + address)
		}
		if p.tried++; p.world != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp4", Err: p.world}
		}
		p.line("127.0.0.1:15001", "10.0.0.9:40000", "01", 1337)
		return p.conn(nil), nil
	case p.dropped == at.Port():
		return nil, &net.OpError{Op: "dial", Net: "tcp4", Err: os.ErrDeadlineExceeded}
	case p.closed[at.Port()]:
		return nil, &net.OpError{Op: "dial", Net: "tcp4", Err: syscall.ECONNREFUSED}
	case at.Port() == 9901:
		return p.conn(p.page), nil
	}
	return p.conn(nil), nil
}

// conn is one end of a connection, at whose other end is the admin page or nobody.
func (p *place) conn(page map[string]answer) net.Conn {
	here, there := net.Pipe()
	if page != nil {
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(page[r.URL.Path].status)
			fmt.Fprint(w, page[r.URL.Path].text)
		})}
		go server.Serve(&once{conn: there})
	} else {
		there.Close()
	}
	return known{here}
}

// once is a listener with one connection.
type once struct{ conn net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if conn := o.conn; conn != nil {
		o.conn = nil
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// known is a connection with the address that the other end sees.
type known struct{ net.Conn }

func (known) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.9:40000"))
}

func (p *place) resolve(ctx context.Context, host string) (addrs []netip.Addr, err error) {
	if p.mute {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	list, known := p.names[host]
	if !known {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, text := range list {
		if text == "never" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

// front is a node with a listener on 8080, which may call svc.local.
func front() *mesh.Snapshot {
	local := &mesh.Cluster{Name: "app", Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}}}
	v1 := &mesh.Cluster{Name: "v1", Discovery: mesh.Discovery{Kind: mesh.StrictDNS, Host: "v1.test", Port: 8080}}
	route := func(c *mesh.Cluster) []mesh.Route {
		return []mesh.Route{{Targets: []mesh.Target{{Cluster: c, Weight: 1}}}}
	}
	return &mesh.Snapshot{
		Resource: mesh.Resource{Mesh: "m", Name: "front"},
		Inbound:  []*mesh.Listener{{Port: 8080, VirtualHosts: []mesh.VirtualHost{{Name: "app", Routes: route(local)}}}},
		Outbound: []*mesh.Listener{{Direction: mesh.Egress, Port: 8080, VirtualHosts: []mesh.VirtualHost{{Name: "svc.local", Routes: route(v1)}}}},
		Clusters: []*mesh.Cluster{local, v1},
	}
}

func patient() Patient {
	return Patient{
		Rules: iptables.Config{IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8080}, IgnoredUIDs: []uint32{1337}, EnableIPv6: true},
		Apply: "outrider iptables apply", Ingress: 15000, Egress: 15001, Snapshot: front(),
		Admin: config.Admin{Addrs: config.Value[[]netip.AddrPort]{V: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9901")}}},
	}
}
