package doctor

// listeners are the sockets that listen on a port.
func (c *chart) listeners(port uint16) (all []socket) {
	for _, s := range c.sockets {
		if s.listens && s.local.Port() == port {
			all = append(all, s)
		}
	}
	return all
}

// holder is the process behind a socket; of one that cannot be seen the user is known all the same.
func (c *chart) holder(s socket) process {
	if p, ok := c.holders[s.inode]; ok {
		return p
	}
	return process{uid: s.uid}
}

// sidecar is the process on the egress port (a gateway's: on the admin port), if it is a sidecar.
func (c *chart) sidecar() (process, bool) {
	port := c.patient.Egress
	if c.patient.gateway() {
		port = c.adminPort()
	}
	for _, s := range c.listeners(port) {
		if p := c.holder(s); c.isSidecar(p) {
			return p, true
		}
	}
	return process{}, false
}

func (c *chart) sidecarRuns() bool {
	_, runs := c.sidecar()
	return runs
}

// isSidecar: it holds the admin port too, where a sidecar answers; where processes cannot be seen, the same user does;
// where the admin page is elsewhere, its name says so.
func (c *chart) isSidecar(p process) bool {
	if _, answers := c.server(); answers {
		for _, s := range c.listeners(c.adminPort()) {
			if a := c.holder(s); a.pid == p.pid && a.uid == p.uid {
				return true
			}
		}
	}
	return p.name == "outrider" || p.name == "envoy"
}
