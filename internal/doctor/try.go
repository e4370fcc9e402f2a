package doctor

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"github.com/outrider-mesh/outrider/iptables"
)

// try is what became of a connection to an address that nobody has.
type try struct {
	outcome outcome
	err     error
}

type outcome int

const (
	untried  outcome = iota // a gateway
	circle                  // not tried: the sidecar would send it back to itself
	ignored                 // not tried: the rules let our user pass
	taken                   // it came out at the egress port
	stranger                // somebody else took it
	refused                 // it was refused at once
	nowhere                 // nobody took it
	noRoute                 // the kernel had nowhere to send it, and asked no rule
	unclear                 // somebody took it, and who cannot be seen
)

// nobody is of TEST-NET-1 (RFC 5737), at the port of the discard protocol.
var nobody = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 9)

func (c *chart) tryRedirect(ctx context.Context) try {
	if c.ruled() && c.passes(c.machine.UID, c.machine.GID, true) {
		return try{outcome: ignored}
	}
	if p, runs := c.sidecar(); c.ruled() && runs && !c.passes(p.uid, p.gid, p.knowsGID) {
		return try{outcome: circle}
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := c.machine.Dial(ctx, "tcp4", nobody.String())
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return try{refused, err}
	case errors.Is(err, syscall.ENETUNREACH):
		return try{noRoute, err}
	case err != nil:
		return try{nowhere, err}
	}
	defer conn.Close()
	own, err := netip.ParseAddrPort(conn.LocalAddr().String())
	all, failed := readSockets(c.machine.Root)
	if err != nil || failed != nil {
		return try{unclear, errors.Join(err, failed)}
	}
	for _, s := range all { // The other end of it, which is here if it was redirected.
		if s.local.Port() == c.patient.Egress && s.remote.Port() == own.Port() && s.remote.Addr() == own.Addr() {
			return try{outcome: taken}
		}
	}
	return try{outcome: stranger}
}

// ruled says that rules are in force, or that nobody can tell.
func (c *chart) ruled() bool { return c.tablesErr != nil || c.inForce().EgressPort != 0 }

// passes says that the rules in force, or those planned where they cannot be seen, let a user's traffic pass.
func (c *chart) passes(uid, gid uint32, knowsGID bool) bool {
	uids, gids := c.ignored()
	return slices.Contains(uids, uid) || knowsGID && slices.Contains(gids, gid)
}

func (c *chart) ignored() (uids, gids []uint32) {
	if f := c.inForce(); f.EgressPort != 0 {
		return f.IgnoredUIDs, f.IgnoredGIDs
	}
	return c.patient.Rules.IgnoredUIDs, c.patient.Rules.IgnoredGIDs
}

// inForce are the rules of IPv4 as the kernel has them; zero where there are none, or they cannot be seen.
func (c *chart) inForce() iptables.InForce {
	if c.tablesErr != nil || len(c.tables) == 0 {
		return iptables.InForce{}
	}
	return c.tables[0].InForce
}
