package check

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/iptables"
)

// maxRulePorts is how many ports one rule of ECS's takes (App Mesh 4.1).
const maxRulePorts = 15

// redirect judges the proxyConfiguration, or that there is none.
func (c *taskCheck) redirect(s *Section) {
	p := c.task.Proxy
	if p == nil {
		c.noRedirect(s)
		return
	}
	if c.node.Kind == mesh.VirtualGateway {
		s.add(Verdict{Position: p.Position, Subject: "proxyConfiguration", Standing: mesh.Wrong, Effect: mesh.Perhaps,
			Message: "a virtual gateway needs none: clients dial its listeners", Hint: "leave it out"})
	}
	switch {
	case p.Type.Unknown != "":
		s.add(open("type", p.Type))
	case p.Type.Text != "" && p.Type.Text != "APPMESH":
		s.add(Verdict{Position: p.Type.Position, Subject: "type", Value: p.Type.Text, Standing: mesh.Wrong, Effect: mesh.OnTraffic, Message: "ECS knows APPMESH alone"})
	case p.Type.Text != "":
		s.add(Verdict{Position: p.Type.Position, Subject: "type", Value: p.Type.Text,
			Message: "should ECS ever stop to do it: `outrider iptables apply` in an init container (EC2), HTTP_PROXY (Fargate)"})
	}
	if p.Container.Text != "" && c.proxy.Name.Text == p.Container.Text {
		s.add(Verdict{Position: p.Container.Position, Subject: "containerName", Value: p.Container.Text})
	}
	r := redirectCheck{taskCheck: c, section: s, at: make(map[string]mesh.Position), place: p.Position}
	for _, property := range p.Properties {
		r.property(property)
	}
	r.whole()
	r.user()
	r.appPorts()
}

// noRedirect: a gateway needs none, an init container may do it as well.
func (c *taskCheck) noRedirect(s *Section) {
	v := Verdict{Position: c.task.Position, Subject: "proxyConfiguration"}
	manager := slices.IndexFunc(c.task.Containers, func(other appmesh.Container) bool { return isRouteManager(&other) })
	switch {
	case manager >= 0 && c.node.Kind == mesh.VirtualNode:
		c.manager(s, &c.task.Containers[manager])
		return
	case c.node.Kind == mesh.VirtualGateway:
		v.Message = "there is none, and a virtual gateway needs none"
	case c.node == mesh.Resource{}:
		v.Standing, v.Message = mesh.Unknown, "there is none: a virtual gateway needs none, and to the sidecar of a virtual node nothing is redirected, as it was before"
	default:
		v.Standing, v.Message = mesh.Wrong, "there is none: nothing is redirected to the sidecar, as it was before"
		v.Hint = "traffic takes it only where the app is told to (HTTP_PROXY=http://127.0.0.1:15001)"
	}
	s.add(v)
}

// redirectCheck reads the properties into a Config by iptables' own parsers.
type redirectCheck struct {
	*taskCheck
	section *Section
	config  iptables.Config
	// at is where each property stands; open and faulty tell that one of them
	// is not known, or told to be wrong already.
	at           map[string]mesh.Position
	open, faulty bool
	// place is where all of it stands.
	place mesh.Position
}

// property judges one property by itself.
func (r *redirectCheck) property(n appmesh.Named) {
	v := Verdict{Position: n.Said.Position, Subject: n.Name, Value: n.Said.Text}
	_, twice := r.at[n.Name]
	var err error
	switch text := strings.TrimSpace(n.Said.Text); {
	case n.Said.Unknown != "":
		v = open(n.Name, n.Said)
		r.open = true
	case twice:
		err = errors.New("is given twice, first at " + r.at[n.Name].String())
	default:
		err = r.read(n.Name, text)
	}
	r.at[n.Name] = n.Said.Position
	if err != nil {
		r.faulty = true
		v.Standing, v.Effect, v.Message = mesh.Wrong, mesh.OnTraffic, faults(err)
	} else if n.Said.Unknown == "" {
		r.judge(n.Name, &v)
	}
	r.section.add(v)
}

// read takes a value into the Config. Names are ECS's, to the letter.
func (r *redirectCheck) read(name, text string) error {
	if text == "" {
		return nil // absent, for ECS
	}
	known := iptables.PropertyNames()
	if slices.Contains(known, name) {
		return r.config.SetProperty(name, text)
	}
	if near := mesh.Nearest(name, known); near != "" {
		return fmt.Errorf("ECS knows no such property and does nothing about it: did you mean %s?", near)
	}
	return errors.New("ECS knows no such property and does nothing about it")
}

// judge looks at a value that is well written.
func (r *redirectCheck) judge(name string, v *Verdict) {
	count := 0
	switch name {
	case "ProxyIngressPort":
		r.listens(v, r.config.IngressPort, r.run.Listen.Ingress.V, "OUTRIDER_INGRESS_ADDR=:%d")
	case "ProxyEgressPort":
		r.listens(v, r.config.EgressPort, r.run.Listen.Egress.V, "OUTRIDER_EGRESS_ADDR=localhost:%d")
	case "AppPorts":
		count = len(r.config.AppPorts)
	case "EgressIgnoredPorts":
		count = len(r.config.EgressIgnoredPorts)
	}
	if count > maxRulePorts {
		v.Standing, v.Message = mesh.Wrong, fmt.Sprintf("has %d ports: ECS takes %d and drops the rest in silence, as it did", count, maxRulePorts)
		v.Hint = "`outrider iptables` takes them all"
	}
}

// listens compares a port that ECS redirects to with those Outrider binds.
func (r *redirectCheck) listens(v *Verdict, port uint16, addrs []netip.AddrPort, setting string) {
	var own []string
	for _, a := range addrs {
		if a.Port() == port {
			return
		}
		if text := strconv.Itoa(int(a.Port())); !slices.Contains(own, text) {
			own = append(own, text)
		}
	}
	if port == 0 || len(own) == 0 {
		return
	}
	v.Standing, v.Effect = mesh.Wrong, mesh.OnTraffic
	v.Message = "the sidecar listens on " + strings.Join(own, ", ")
	v.Hint = "set " + fmt.Sprintf(setting, port) + ", or write " + own[0] + " here"
}

// whole judges the properties together, as `outrider iptables` would.
func (r *redirectCheck) whole() {
	if r.open || r.faulty {
		return
	}
	var refused *iptables.ConfigError
	if errors.As(r.config.Validate(), &refused) {
		for _, problem := range refused.Problems {
			r.section.add(Verdict{Position: r.place, Subject: "properties", Standing: mesh.Wrong, Effect: mesh.OnTraffic, Message: problem})
		}
	}
}

// imageUser is the user of Outrider's image, where the container names none.
const imageUser = 1337

// user: what the sidecar opens must not be redirected to itself.
func (r *redirectCheck) user() {
	said := r.proxy.User
	if said.Unknown != "" || len(r.config.IgnoredUIDs) == 0 && len(r.config.IgnoredGIDs) == 0 {
		if said.Unknown != "" {
			r.section.add(open("user of "+r.proxy.Name.Text, said))
		}
		return
	}
	v := Verdict{Position: said.Position, Subject: "user of " + r.proxy.Name.Text, Value: said.Text}
	name, group, _ := strings.Cut(said.Text, ":")
	if said.Text == "" {
		name, v.Position, v.Message = strconv.Itoa(imageUser), r.proxy.Position, "is not given: 1337, as the image says"
	}
	uid, err := strconv.ParseUint(name, 10, 32)
	gid, groupErr := strconv.ParseUint(group, 10, 32)
	switch {
	case err == nil && slices.Contains(r.config.IgnoredUIDs, uint32(uid)), groupErr == nil && slices.Contains(r.config.IgnoredGIDs, uint32(gid)):
	case err != nil:
		v.Standing, v.Effect, v.Message = mesh.Unknown, mesh.Perhaps, "whose number that is, the image decides"
		v.Hint = "write a number, the IgnoredUID"
	case len(r.config.IgnoredUIDs) == 0 && group == "":
		v.Standing, v.Effect, v.Message = mesh.Unknown, mesh.Perhaps, "IgnoredGID is given, and the group is not named here"
	default:
		v.Standing, v.Effect = mesh.Wrong, mesh.OnTraffic
		v.Message = fmt.Sprintf("IgnoredUID is %s (%s): the sidecar's own connections would be sent back to it", numbers(r.config.IgnoredUIDs), r.at["IgnoredUID"])
		v.Hint = "give the container that user"
	}
	r.section.add(v)
}

// appPorts compares AppPorts with the listeners of the node.
func (r *redirectCheck) appPorts() {
	at, ok := r.at["AppPorts"]
	if r.ports == nil || r.open || r.faulty {
		return
	}
	if !ok {
		at = r.place
	}
	before := len(r.section.Verdicts)
	for _, l := range r.ports {
		if !slices.Contains(r.config.AppPorts, l.port) {
			r.section.add(Verdict{Position: at, Subject: "AppPorts", Value: strconv.Itoa(int(l.port)), Standing: mesh.Wrong,
				Message: fmt.Sprintf("lacks %d, a listener of the node (%s): what arrives there passes the sidecar by, as it did", l.port, l.at)})
		}
	}
	for _, port := range r.config.AppPorts {
		if !slices.ContainsFunc(r.ports, func(l listener) bool { return l.port == port }) {
			r.section.add(Verdict{Position: at, Subject: "AppPorts", Value: strconv.Itoa(int(port)), Standing: mesh.Wrong,
				Message: fmt.Sprintf("has %d, and the node no such listener (%s): connections to it are closed, as they were", port, r.listeners())})
		}
	}
	if len(r.section.Verdicts) > before { // then the property itself is not simply fine
		r.section.Verdicts = slices.DeleteFunc(r.section.Verdicts, func(v Verdict) bool { return v.Subject == "AppPorts" && v.Standing == mesh.Honoured })
	}
}

func (r *redirectCheck) listeners() string {
	var all []string
	for _, l := range r.ports {
		all = append(all, fmt.Sprintf("%d at %s", l.port, l.at))
	}
	return strings.Join(all, ", ")
}

func numbers(all []uint32) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, strconv.FormatUint(uint64(n), 10))
	}
	return strings.Join(texts, ", ")
}

// faults is an error without what only iptables' own report needs.
func faults(err error) string {
	var refused *iptables.ConfigError
	if errors.As(err, &refused) {
		return strings.Join(refused.Problems, "; ")
	}
	return err.Error()
}
