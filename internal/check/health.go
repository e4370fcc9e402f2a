package check

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// inImage are the programs of Outrider's image that health checks use: those of
// the Dockerfile, the shell's own words, and the core utilities.
var inImage = []string{"outrider", "sh", "bash", "/bin/sh", "/bin/bash", "curl", "grep", "egrep", "fgrep", "sed", "cut", "head", "tail", "tr", "wc",
	"test", "[", "exit", "true", "false", "echo", "cat", "sleep", "timeout", "printf", "if", "then", "else", "fi", "!", "ls", "/usr/local/bin/outrider"}

const healthHint = "`outrider health`, or curl -s http://localhost:9901/server_info | grep state | grep -q LIVE"

// health judges the health check of the proxy's container.
func (c *taskCheck) health(s *Section) {
	h := c.proxy.HealthCheck
	if h == nil {
		v := Verdict{Position: c.proxy.Position, Subject: "healthCheck of " + c.proxy.Name.Text, Message: "there is none: ECS does not look at the sidecar, as before"}
		s.add(v)
		return
	}
	v := Verdict{Position: h.Position, Subject: "healthCheck of " + c.proxy.Name.Text}
	words, unknown := command(h.Command)
	switch {
	case unknown.Unknown != "":
		v = open(v.Subject, unknown)
	default:
		c.healthCommand(words, &v)
	}
	s.add(v)
	c.healthTimes(s, h)
}

// command is a health check's command as one line.
func command(said []appmesh.Said) (line string, unknown appmesh.Said) {
	var words []string
	for i, w := range said {
		if w.Unknown != "" {
			return "", w
		}
		if i == 0 && (w.Text == "CMD-SHELL" || w.Text == "CMD") {
			continue
		}
		words = append(words, w.Text)
	}
	return strings.Join(words, " "), appmesh.Said{}
}

var (
	separators = regexp.MustCompile(`\|\||&&|[|;\n]`)
	localPort  = regexp.MustCompile(`(?:localhost|127\.0\.0\.1|\[::1\]):(\d+)`)
	lowerLive  = regexp.MustCompile(`grep (-[a-hj-zA-Z]+ )*["']?live`)
)

// healthCommand judges what the command needs of the image and of the sidecar.
func (c *taskCheck) healthCommand(line string, v *Verdict) {
	wrong := func(message string) {
		v.Standing, v.Effect, v.Message, v.Hint = mesh.Wrong, mesh.OnTraffic, message+": the sidecar would never be healthy", healthHint
	}
	if strings.Contains(line, "envoyReadiness") || strings.Contains(line, "/usr/bin/agent") {
		wrong("it asks App Mesh's agent, which Outrider's image does not have")
		v.Hint = "outrider health --wait 180s does that"
		return
	}
	for _, part := range separators.Split(line, -1) {
		words := strings.Fields(part)
		if len(words) > 0 && !slices.Contains(inImage, words[0]) && !strings.Contains(words[0], "=") {
			v.Standing, v.Effect = mesh.Unknown, mesh.Perhaps
			v.Message, v.Hint = fmt.Sprintf("whether the image has %q is not known; it has sh, curl, grep and the core utilities", words[0]), healthHint
			return
		}
	}
	if lowerLive.MatchString(line) {
		wrong("it looks for live in small letters, which the state has not been in for years")
		return
	}
	for _, found := range localPort.FindAllStringSubmatch(line, -1) {
		port, _ := strconv.Atoi(found[1])
		switch {
		case port == 9902 && !c.adminOn(9902):
			wrong("it asks the agent's interface (9902), which is not there yet")
			v.Standing = mesh.Unsupported
		case c.run.Admin.Socket.V != "":
			wrong("it asks port " + found[1] + ", and the admin interface is the socket " + c.run.Admin.Socket.V)
		case !c.adminOn(port) && !slices.ContainsFunc(c.ports, func(l listener) bool { return int(l.port) == port }):
			wrong("it asks port " + found[1] + ", and the admin interface is on " + addrs(c.run.Admin.Addrs.V))
		}
	}
	if v.Message == "" && strings.Contains(line, "/server_info") {
		v.Message = "the answers are those of Envoy's admin interface"
	}
}

func (c *taskCheck) adminOn(port int) bool {
	return slices.ContainsFunc(c.run.Admin.Addrs.V, func(a netip.AddrPort) bool { return int(a.Port()) == port })
}

func addrs(all []netip.AddrPort) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

// healthTimes: the checks must give the sidecar the time to become LIVE, which
// waits for names that do not resolve. The defaults are ECS's.
func (c *taskCheck) healthTimes(s *Section, h *appmesh.ContainerHealth) {
	or := func(said appmesh.Said, otherwise int) int {
		if n, ok := said.Int(); ok && n > 0 {
			return n
		}
		return otherwise
	}
	given := time.Duration(or(h.StartPeriod, 0)+or(h.Interval, 30)*or(h.Retries, 3)) * time.Second
	if wait := c.run.DNS.LiveTimeout.V; given <= wait {
		s.add(Verdict{Position: h.Position, Subject: "healthCheck of " + c.proxy.Name.Text, Standing: mesh.Wrong, Effect: mesh.Perhaps,
			Message: fmt.Sprintf("gives up after %s; the sidecar takes up to %s while names do not resolve (OUTRIDER_LIVE_TIMEOUT)", given, wait), Hint: "give it a startPeriod"})
	}
}

// dependencies judges who waits for whom.
func (c *taskCheck) dependencies(s *Section) {
	waits := false
	for i := range c.task.Containers {
		from := &c.task.Containers[i]
		for _, d := range from.DependsOn {
			v := Verdict{Position: d.Position, Subject: "dependsOn of " + from.Name.Text, Value: d.Container.Text + " " + d.Condition.Text}
			c.dependency(d, &v)
			waits = waits || d.Container.Text == c.proxy.Name.Text
			s.add(v)
		}
	}
	if !waits && len(c.task.Containers) > 1 && c.node.Kind == mesh.VirtualNode && c.task.Proxy != nil {
		s.add(Verdict{Position: c.proxy.Position, Subject: "dependsOn", Standing: mesh.Wrong,
			Message: "no container waits for the sidecar: what the app opens before it listens is refused, as before",
			Hint:    fmt.Sprintf(`"dependsOn": [{"containerName": %q, "condition": "HEALTHY"}]`, c.proxy.Name.Text)})
	}
}

func (c *taskCheck) dependency(d appmesh.Dependency, v *Verdict) {
	refuse := func(message string) {
		v.Standing, v.Effect, v.Message = mesh.Wrong, mesh.OnTraffic, message+": ECS refuses the task definition"
	}
	on := slices.IndexFunc(c.task.Containers, func(other appmesh.Container) bool { return other.Name.Text == d.Container.Text })
	switch condition := strings.ToUpper(d.Condition.Text); {
	case d.Container.Unknown != "" || d.Condition.Unknown != "":
		v.Standing, v.Effect, v.Message = mesh.Unknown, mesh.Perhaps, d.Container.Unknown+d.Condition.Unknown
	case on < 0 && len(c.task.Unread) > 0:
		v.Standing, v.Effect, v.Message = mesh.Unknown, mesh.Perhaps, "none of the containers that can be read has the name"
	case on < 0:
		refuse("no container of this task has the name")
	case condition == "HEALTHY" && c.task.Containers[on].HealthCheck == nil:
		refuse("that container has no healthCheck")
	case &c.task.Containers[on] != c.proxy:
	case condition == "COMPLETE" || condition == "SUCCESS":
		refuse("the sidecar does not end while the task runs")
	case condition == "START":
		v.Standing, v.Message, v.Hint = mesh.Wrong, "the app may open connections before the sidecar listens; they are refused, as before", "HEALTHY waits for it"
	}
}
