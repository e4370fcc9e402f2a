package doctor

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/iptables"
)

// chart is what several examinations need, looked at once.
type chart struct {
	machine Machine
	patient *Patient

	sockets    []socket
	socketsErr error
	holders    map[string]process // by inode

	tables    []iptables.Comparison
	tablesErr error

	egress, ingress error // of dialling the two ports on loopback; nil: it worked
	try             try
	ready, info     answer
}

// connectTime bounds one connection.
const connectTime = time.Second

func look(ctx context.Context, m Machine, p *Patient) *chart {
	c := &chart{machine: m, patient: p}
	c.rulesInForce(ctx)
	c.ready, c.info = c.ask(ctx, "/ready"), c.ask(ctx, "/server_info")
	c.sockets, c.socketsErr = readSockets(m.Root)
	inodes, ports := map[string]bool{}, c.interesting()
	for _, s := range c.sockets {
		if s.listens && ports[s.local.Port()] {
			inodes[s.inode] = true
		}
	}
	c.holders = holders(m.Root, inodes)
	if !p.gateway() {
		c.egress, c.ingress = c.dial(ctx, p.Egress), c.dial(ctx, p.Ingress)
		c.try = c.tryRedirect(ctx)
	}
	return c
}

// interesting are the ports whose holders are told.
func (c *chart) interesting() map[uint16]bool {
	p := c.patient
	ports := map[uint16]bool{p.Ingress: true, p.Egress: true, c.adminPort(): true, c.inForce().EgressPort: true}
	for _, a := range c.apps() {
		ports[a.Port()] = true
	}
	if p.gateway() {
		for _, l := range p.Snapshot.Inbound {
			ports[l.Port] = true
		}
	}
	return ports
}

func (c *chart) adminPort() uint16 {
	if addrs := c.patient.Admin.Addrs.V; len(addrs) > 0 {
		return addrs[0].Port()
	}
	return 0
}

// dial says whether somebody on loopback takes a connection.
func (c *chart) dial(ctx context.Context, port uint16) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := c.machine.Dial(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err == nil {
		conn.Close()
	}
	return err
}
