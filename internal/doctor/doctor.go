package doctor

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/iptables"
)

// Patient is what ought to be here.
type Patient struct {
	// Rules are the rules as planned; a valid Config.
	Rules iptables.Config
	// RulesAsked: whoever asks wants these rules, not only to hear whether there are any.
	RulesAsked bool
	// Apply is the command that puts the rules in force.
	Apply string
	// Ingress, Egress are the ports that the sidecar binds. A gateway has no use for them.
	Ingress, Egress uint16
	Admin           config.Admin
	// Warnings and Refused are what config.ParseRun says of the environment.
	Warnings []config.Warning
	Refused  error
	// Snapshot is what the documents say; nil without documents.
	Snapshot *mesh.Snapshot
	// NoSnapshot says why there is none, if there is none.
	NoSnapshot string
	// Errors is how many errors the documents have within reach, if that is why there is no Snapshot.
	Errors int
}

func (p *Patient) gateway() bool {
	return p.Snapshot != nil && p.Snapshot.Resource.Kind == mesh.VirtualGateway
}

// Machine is the place where the patient is looked at. It exists so that tests can pretend one.
type Machine struct {
	// Root is the file system from its root: /proc, /sys, /etc. It must know symbolic links (fs.ReadLinkFS).
	Root fs.FS
	// UID and GID are whose connections the examinations make.
	UID, GID uint32
	CPUs     int
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolve gives the addresses of a name, as an app would get them.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Verify holds the kernel's rules against a plan.
	Verify func(ctx context.Context, cfg iptables.Config) ([]iptables.Comparison, error)
}

// ThisMachine is the one we run on, seen from the network namespace that we run in.
func ThisMachine() Machine {
	resolver := net.Resolver{PreferGo: true} // as the sidecar: /etc/hosts, then the servers of /etc/resolv.conf
	return Machine{
		Root: os.DirFS("/"),
		UID:  uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		CPUs: runtime.NumCPU(),
		Dial: new(net.Dialer).DialContext,
		Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return resolver.LookupNetIP(ctx, "ip", host)
		},
		Verify: iptables.Verify,
	}
}

// Examine looks at everything, one thing after another, and takes some 15 s at most where nothing answers.
func Examine(ctx context.Context, m Machine, p Patient) []Finding {
	c := look(ctx, m, &p)
	return slices.Concat(
		c.documents(),
		c.wayIn(),
		c.rules(),
		c.user(),
		c.sidecarPorts(),
		c.appPorts(),
		c.names(ctx),
		c.page(),
		c.environment(),
		c.openFiles(),
		c.kernel(),
		c.memory(ctx),
	)
}
