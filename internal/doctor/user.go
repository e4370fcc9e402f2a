package doctor

import (
	"fmt"
	"strings"
)

// user says whether the sidecar's own traffic passes the rules, and the app's does not.
func (c *chart) user() (all []Finding) {
	if c.patient.gateway() {
		return nil
	}
	f := Finding{About: "user of the sidecar", Verdict: Good}
	p, runs := c.sidecar()
	inForce := c.inForce().EgressPort != 0
	switch {
	case c.socketsErr != nil:
		f.Verdict, f.Seen = Unseen, c.socketsErr.Error()
	case !runs:
		f.Verdict, f.Seen = Unseen, fmt.Sprintf("no sidecar listens on port %d", c.patient.Egress)
	case c.passes(p.uid, p.gid, p.knowsGID):
		f.Seen = fmt.Sprintf("%d, whose traffic the rules let pass (%s)", p.uid, c.ignoredList())
	default:
		f.Verdict, f.Seen = Wrong, fmt.Sprintf("%d, whose traffic the rules do not let pass (%s)", p.uid, c.ignoredList())
		f.Why = "what the sidecar opens would be sent back to it, in a loop"
		f.Fix = fmt.Sprintf("run the sidecar as a user that the rules ignore (\"user\" of its container), or add --ignored-uid %d (IgnoredUID)", p.uid)
		switch {
		case c.tablesErr != nil:
			f.Verdict, f.Why = Doubtful, "the rules cannot be read; if they are as planned, "+f.Why
		case !inForce:
			f.Verdict, f.Why = Doubtful, "no rules are in force now; once they are, "+f.Why
		}
	}
	all = append(all, f)
	all = append(all, c.appUser(p, runs)...)
	if c.ruled() && c.passes(c.machine.UID, c.machine.GID, true) {
		all = append(all, Finding{About: "user of doctor", Verdict: Unseen, Seen: fmt.Sprintf("%d, whose traffic the rules let pass", c.machine.UID),
			Why: "it cannot tell by trying where an app's connections go", Fix: "run doctor as the app's user"})
	}
	return all
}

// appUser: an app under the sidecar's user goes past it.
func (c *chart) appUser(sidecar process, runs bool) (all []Finding) {
	seen := map[uint32]bool{}
	for _, a := range c.apps() {
		for _, s := range c.listeners(a.Port()) {
			p := c.holder(s)
			if runs && p.pid != 0 && p.pid == sidecar.pid || seen[p.uid] || !c.passes(p.uid, p.gid, p.knowsGID) {
				continue
			}
			seen[p.uid] = true
			all = append(all, Finding{About: "user of the app", Verdict: Wrong, Seen: fmt.Sprintf("%s on port %d runs as a user or group whose traffic the rules let pass", p, a.Port()),
				Why: "what the app opens goes past the sidecar", Fix: "run the app as another user than the sidecar"})
		}
	}
	return all
}

func (c *chart) ignoredList() string {
	uids, gids := c.ignored()
	var parts []string
	for _, id := range uids {
		parts = append(parts, fmt.Sprintf("user %d", id))
	}
	for _, id := range gids {
		parts = append(parts, fmt.Sprintf("group %d", id))
	}
	if len(parts) == 0 {
		return "they ignore nobody"
	}
	if c.tablesErr != nil {
		return "as planned, for they cannot be read, they ignore " + strings.Join(parts, ", ")
	}
	if !c.ruled() {
		return "none are in force; as planned they ignore " + strings.Join(parts, ", ")
	}
	return "they ignore " + strings.Join(parts, ", ")
}
