package config

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// adminWish is what App Mesh's variables say about the admin interface; they
// make an address only together.
type adminWish struct {
	port Value[int]
	v6   Value[bool]
	uds  Value[bool]
}

// udsPath is where App Mesh's agent put Envoy's admin socket.
const udsPath = "/tmp/envoy_admin.sock"

// ParseAdmin says where a sidecar of this environment has its admin interface,
// by the rules of ParseRun: for those who ask it. addr is what a flag
// --admin-addr gave, empty for none. The error is a *UsageError.
func ParseAdmin(addr string, environ []string) (Admin, error) {
	p := &parser{run: new(Run), env: variables(environ)}
	for _, v := range appMesh {
		switch v.name {
		case "ENVOY_ADMIN_MODE", "ENVOY_ADMIN_ACCESS_PORT", "ENVOY_ADMIN_ACCESS_ENABLE_IPV6":
			if text, ok := p.env[v.name]; ok {
				v.read(p, text)
			}
		}
	}
	given := make(map[string]string)
	if addr != "" {
		given[adminFlag] = addr
	}
	for _, s := range settings {
		if s.flag == adminFlag {
			p.readSetting(s, given)
		}
	}
	p.settleAdmin()
	return p.run.Admin, p.err()
}

// setAdmin takes addresses, unix:///path, or the path alone.
func (p *parser) setAdmin(text, from string) error {
	path, ok := strings.CutPrefix(text, "unix://")
	if ok || strings.HasPrefix(text, "/") {
		if !strings.HasPrefix(path, "/") {
			return errors.New("the path of a unix socket must be absolute")
		}
		p.run.Admin.Socket = Value[string]{path, from}
		p.run.Admin.Addrs = Value[[]netip.AddrPort]{}
		return nil
	}
	addrs, err := addresses(text)
	if err != nil {
		return err
	}
	p.run.Admin.Addrs = Value[[]netip.AddrPort]{addrs, from}
	p.run.Admin.Socket = Value[string]{}
	return nil
}

func (p *parser) setAdminPort(text, from string) error {
	port, err := strconv.Atoi(text)
	p.admin.port = Value[int]{port, from}
	return err
}

func (p *parser) setAdminV6(text, from string) error {
	p.admin.v6 = Value[bool]{text == "true", from}
	return nil
}

func (p *parser) setAdminMode(text, from string) error {
	p.admin.uds = Value[bool]{text == "uds", from}
	return nil
}

// settleAdmin chooses the address when neither flag nor OUTRIDER_ADMIN_ADDR
// did: all addresses in an App Mesh task, as the image had it, else loopback.
func (p *parser) settleAdmin() {
	admin, wish := &p.run.Admin, p.admin
	if admin.Addrs.From != "" || admin.Socket.From != "" {
		return
	}
	if wish.uds.V {
		admin.Socket = Value[string]{udsPath, wish.uds.From}
		return
	}
	port, from := uint16(9901), fromDefault
	if wish.port.From != "" {
		port, from = uint16(wish.port.V), wish.port.From
	}
	host := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if name := p.appMeshTask(); name != "" {
		host = netip.IPv4Unspecified()
		from += ", on all addresses as " + name + " is set"
	}
	admin.Addrs = Value[[]netip.AddrPort]{[]netip.AddrPort{netip.AddrPortFrom(host, port)}, from}
	if wish.v6.V {
		admin.Addrs = Value[[]netip.AddrPort]{onAll(port), wish.v6.From}
	}
	if !host.IsLoopback() && admin.Open.V {
		p.warn(mesh.Warning, admin.Open.From, "whoever reaches port %d can drain and stop this sidecar", port)
	}
}

// appMeshTask is the first APPMESH_ variable that is set, by name.
func (p *parser) appMeshTask() string {
	var names []string
	for name := range p.env {
		if strings.HasPrefix(name, "APPMESH_") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}
