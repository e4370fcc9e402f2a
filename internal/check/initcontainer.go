package check

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/iptables"
)

// isRouteManager recognises an init container that installs the redirect: App
// Mesh's own image, or Outrider's with the command iptables.
func isRouteManager(c *appmesh.Container) bool {
	return isManagerImage(c) || len(c.Command) > 0 && c.Command[0].Text == "iptables"
}

func isManagerImage(c *appmesh.Container) bool {
	return strings.Contains(c.Image.Text, "proxy-route-manager")
}

// managerVariables are those of App Mesh's route manager (App Mesh 4.5), with
// the property that says the same and the flag of `outrider iptables` that does.
var managerVariables = []struct{ name, property, flag string }{
	{"APPMESH_APP_PORTS", "AppPorts", "app-ports"},
	{"APPMESH_ENVOY_INGRESS_PORT", "ProxyIngressPort", "ingress-port"},
	{"APPMESH_ENVOY_EGRESS_PORT", "ProxyEgressPort", "egress-port"},
	{"APPMESH_IGNORE_UID", "IgnoredUID", "ignored-uid"},
	{"APPMESH_IGNORE_GID", "IgnoredGID", "ignored-gid"},
	{"APPMESH_EGRESS_IGNORED_PORTS", "EgressIgnoredPorts", "egress-ignored-ports"},
	{"APPMESH_EGRESS_IGNORED_IP", "EgressIgnoredIPs", "egress-ignored-ips"},
}

// manager judges an init container as it judges a proxyConfiguration.
func (c *taskCheck) manager(s *Section, m *appmesh.Container) {
	r := redirectCheck{taskCheck: c, section: s, at: map[string]mesh.Position{"AppPorts": m.Position, "IgnoredUID": m.Position}, place: m.Position}
	s.add(Verdict{Position: c.task.Position, Subject: "proxyConfiguration", Message: "there is none: container " + m.Name.Text + " installs the redirect"})
	if isManagerImage(m) {
		r.managerImage(m)
	} else {
		r.managerCommand(m)
	}
	for _, name := range []string{"ProxyIngressPort", "ProxyEgressPort"} {
		v := Verdict{Position: m.Position, Subject: name}
		if r.judge(name, &v); v.Standing != mesh.Honoured {
			s.add(v)
		}
	}
	r.whole()
	r.user()
	r.appPorts()
}

// managerImage reads App Mesh's variables, and says which command takes their
// place. The route manager passed port 22 by, whatever it was told.
func (r *redirectCheck) managerImage(m *appmesh.Container) {
	_, given := environment(m)
	command := "command: iptables apply"
	for _, v := range managerVariables {
		n := given[v.name]
		said := strings.TrimSpace(n.Said.Text)
		switch err := r.read(v.property, said); {
		case n.Said.Unknown != "":
			r.open = true
			r.section.add(open(v.name, n.Said))
		case err != nil:
			r.faulty = true
			r.section.add(Verdict{Position: n.Position, Subject: v.name, Value: said, Standing: mesh.Wrong, Effect: mesh.OnTraffic, Message: faults(err)})
		}
		if v.flag == "egress-ignored-ports" && !strings.Contains(","+said+",", ",22,") {
			said = strings.TrimPrefix(said+",22", ",")
		}
		if said != "" {
			command += " --" + v.flag + "=" + said
		}
	}
	r.section.add(Verdict{Position: m.Image.Position, Subject: "image of " + m.Name.Text, Value: m.Image.Text, Standing: mesh.Approximated,
		Message: "Outrider's image does the same, told by flags", Hint: command})
}

// managerCommand reads the flags of `outrider iptables apply`.
func (r *redirectCheck) managerCommand(m *appmesh.Container) {
	v := Verdict{Position: m.Position, Subject: "command of " + m.Name.Text}
	var args []string
	for _, word := range m.Command[1:] {
		if word.Unknown != "" {
			r.open = true
			r.section.add(open(v.Subject, word))
			return
		}
		if word.Text != "apply" {
			args = append(args, word.Text)
		}
		r.open = r.open || strings.Contains(word.Text, "-task-definition") // a file of the image's
	}
	if r.open {
		r.section.add(v)
		return
	}
	var flags iptables.Flags
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	flags.Register(fs)
	err := fs.Parse(args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err == nil {
		r.config, err = flags.Config(func(string) string { return "" })
	}
	if err != nil {
		r.faulty = true
		v.Standing, v.Effect, v.Message = mesh.Wrong, mesh.OnTraffic, faults(err)
	}
	r.section.add(v)
}
