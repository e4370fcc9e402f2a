package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// ECS's default, and what the process needs.
const (
	defaultStopTimeout = 30 * time.Second
	leastMemory        = 64 // MiB, as App Mesh's image was advised
	leastFiles         = 1024
)

// container judges what else the proxy's container says.
func (c *taskCheck) container(s *Section) {
	c.essential(s)
	c.entryPoint(s)
	c.stopTimeout(s)
	c.memory(s)
	c.files(s)
	c.clashes(s)
	c.gatewayPorts(s)
}

func (c *taskCheck) about(setting string, said appmesh.Said) Verdict {
	v := Verdict{Position: said.Position, Subject: setting + " of " + c.proxy.Name.Text, Value: said.Text}
	if v.File == "" {
		v.Position = c.proxy.Position
	}
	return v
}

func (c *taskCheck) essential(s *Section) {
	said := c.proxy.Essential
	switch {
	case said.Unknown != "":
		s.add(open("essential of "+c.proxy.Name.Text, said))
	case strings.EqualFold(said.Text, "false"):
		v := c.about("essential", said)
		v.Standing, v.Message = mesh.Wrong, "when the sidecar ends the app stays without a network, as before"
		v.Hint = "true is the default"
		s.add(v)
	case said.Given():
		s.add(c.about("essential", said))
	}
}

// entryPoint: the image starts itself.
func (c *taskCheck) entryPoint(s *Section) {
	if len(c.proxy.EntryPoint) > 0 && !strings.HasSuffix(c.proxy.EntryPoint[0].Text, "outrider") {
		v := c.about("entryPoint", c.proxy.EntryPoint[0])
		v.Standing, v.Effect, v.Message, v.Hint = mesh.Wrong, mesh.OnTraffic, "Outrider's image starts itself, and has no such program", "leave it out"
		s.add(v)
		return
	}
	if words := c.proxy.Command; len(words) > 0 && words[0].Unknown == "" && words[0].Text != "run" && len(c.proxy.EntryPoint) == 0 {
		v := c.about("command", words[0])
		v.Standing, v.Effect, v.Message, v.Hint = mesh.Wrong, mesh.OnTraffic, "these are arguments to outrider: the first must be run", "leave it out, or begin it with run"
		s.add(v)
	}
}

// stopTimeout: the drain must end before ECS kills.
func (c *taskCheck) stopTimeout(s *Section) {
	said, stop := c.proxy.StopTimeout, defaultStopTimeout
	if said.Unknown != "" {
		s.add(open("stopTimeout of "+c.proxy.Name.Text, said))
		return
	}
	if n, ok := said.Int(); ok {
		stop = time.Duration(n) * time.Second
	}
	v := c.about("stopTimeout", said)
	if drain := c.run.Drain.Time; drain.V >= stop {
		v.Standing = mesh.Wrong
		v.Message = fmt.Sprintf("ECS kills after %s, the drain takes up to %s (%s): what is open then is cut, as before", stop, drain.V, drain.From)
		v.Hint = "a stopTimeout above the drain time, 120 at most"
		s.add(v)
	} else if said.Given() {
		s.add(v)
	}
}

func (c *taskCheck) memory(s *Section) {
	said := c.proxy.Memory
	if n, ok := said.Int(); ok && n > 0 {
		v := c.about("memory", said)
		if n < leastMemory {
			v.Standing, v.Effect, v.Message = mesh.Wrong, mesh.Perhaps, fmt.Sprintf("%d MiB may be too little under load; App Mesh advised %d", n, leastMemory)
		} else {
			v.Message = "nine tenths of it are the limit that Go is told"
		}
		s.add(v)
	}
}

func (c *taskCheck) files(s *Section) {
	for _, u := range c.proxy.Ulimits {
		if u.Name.Text != "nofile" {
			continue
		}
		v := Verdict{Position: u.Position, Subject: "nofile of " + c.proxy.Name.Text, Value: u.Hard.Text, Message: "the sidecar takes all that the hard limit allows"}
		if n, ok := u.Hard.Int(); ok && n < leastFiles {
			v.Standing, v.Effect, v.Message = mesh.Wrong, mesh.Perhaps, fmt.Sprintf("%d open files are few: each connection takes two", n)
		}
		s.add(v)
	}
}

// clashes: containers of a task share their ports under awsvpc.
func (c *taskCheck) clashes(s *Section) {
	own := map[int]string{}
	for _, part := range []struct {
		what  string
		addrs []netip.AddrPort
	}{{"ingress", c.run.Listen.Ingress.V}, {"egress", c.run.Listen.Egress.V}, {"admin interface", c.run.Admin.Addrs.V}} {
		for _, a := range part.addrs {
			own[int(a.Port())] = part.what
		}
	}
	for i := range c.task.Containers {
		other := &c.task.Containers[i]
		for _, p := range other.Ports {
			port, ok := p.Int()
			if what := own[port]; ok && what != "" && other != c.proxy {
				s.add(Verdict{Position: p.Position, Subject: "portMappings of " + other.Name.Text, Value: p.Text, Standing: mesh.Wrong, Effect: mesh.OnTraffic,
					Message: "is the sidecar's port, for its " + what + ": one of the two cannot start"})
			}
		}
	}
	for _, l := range c.ports {
		if what := own[int(l.port)]; what != "" {
			s.add(Verdict{Position: l.at, Subject: "listener " + strconv.Itoa(int(l.port)), Value: strconv.Itoa(int(l.port)), Standing: mesh.Wrong, Effect: mesh.OnTraffic,
				Message: "is the sidecar's own port, for its " + what})
		}
	}
}

// gatewayPorts: a gateway binds its listeners itself. App Mesh's image ran as
// root where the task names no user, Outrider's as 1337.
func (c *taskCheck) gatewayPorts(s *Section) {
	if c.node.Kind != mesh.VirtualGateway {
		return
	}
	mapped := make(map[int]bool)
	for _, p := range c.proxy.Ports {
		if n, ok := p.Int(); ok {
			mapped[n] = true
		}
	}
	user, _, _ := strings.Cut(c.proxy.User.Text, ":")
	for _, l := range c.ports {
		v := Verdict{Position: l.at, Subject: "listener " + strconv.Itoa(int(l.port)), Value: strconv.Itoa(int(l.port))}
		if l.port < 1024 && user != "0" && user != "root" {
			v.Standing, v.Effect = mesh.Approximated, mesh.Perhaps
			v.Message = "a port below 1024, and Outrider's image is not root: it can be bound where the kernel lets everybody (Fargate, and Docker since 20.10, do)"
			v.Hint = `else give the container "user": "0"`
		} else if !mapped[int(l.port)] && len(mapped) > 0 {
			v.Standing, v.Message = mesh.Wrong, "the container does not map this port of the gateway, as before"
		}
		s.add(v)
	}
}

// named tells whether a container's image, or what is known of it, holds one of
// the words.
func named(c *appmesh.Container, words ...string) bool {
	image := strings.ToLower(c.Image.Text + " " + c.Image.Unknown)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(image, word) })
}
