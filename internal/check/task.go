package check

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// taskCheck judges one task definition.
type taskCheck struct {
	subject Subject
	task    *appmesh.TaskDefinition
	report  *Report
	// proxy is the container that the sidecar takes the place of; nil for none.
	proxy *appmesh.Container
	// run is what the sidecar would understand of its container, node what it
	// stands for; zero where nobody knows.
	run  *config.Run
	node mesh.Resource
	// ports are the node's listeners; nil where they are not known.
	ports []listener
}

// says is what the task's proxy stands for by its own variables.
func (c *taskCheck) says() mesh.Resource {
	c.findProxy(&Section{})
	if c.proxy == nil {
		return mesh.Resource{}
	}
	environ, _ := environment(c.proxy)
	run, _ := config.Judge(c.arguments(&Section{}), environ)
	return run.Resource.Name.V
}

// check adds the task's sections to the report.
func (c *taskCheck) check() {
	about := c.section(aboutTask, "task definition "+c.name())
	c.findProxy(about)
	c.platform(about)
	if c.proxy == nil {
		if len(c.task.Unread) > 0 {
			c.report.Unjudged++
		}
		c.finish(about)
		return
	}
	variables := c.section(aboutVariables, "variables of container "+c.proxy.Name.Text)
	c.variables(variables)
	c.whom(about)
	c.ports = listenersOf(c.subject.Documents, c.node)
	redirect := c.section(aboutRedirect, "proxyConfiguration")
	c.redirect(redirect)
	containers := c.section(aboutContainers, "containers")
	c.health(containers)
	c.dependencies(containers)
	c.container(containers)
	c.neighbours(containers)
	c.finish(about, variables, redirect, containers)
}

func (c *taskCheck) name() string {
	if c.task.Name == "" {
		return "(without a family)"
	}
	return c.task.Name
}

func (c *taskCheck) section(about, title string) *Section {
	return &Section{Task: c.name(), About: about, Title: title}
}

func (c *taskCheck) finish(sections ...*Section) {
	for _, s := range sections {
		for i := range s.Verdicts {
			if c.task.Sensitive {
				s.Verdicts[i].Value = ""
			}
		}
		c.report.Sections = append(c.report.Sections, *s)
	}
}

// findProxy chooses the container that is the proxy: the one that
// proxyConfiguration names, else by its image, else by its variables.
func (c *taskCheck) findProxy(s *Section) {
	for _, u := range c.task.Unread {
		s.add(Verdict{Position: u.Position, Subject: "containerDefinitions", Standing: mesh.Unknown, Effect: mesh.Perhaps, Message: u.Unknown, Hint: u.Hint})
	}
	if p := c.task.Proxy; p != nil && p.Container.Text != "" {
		for i := range c.task.Containers {
			if c.task.Containers[i].Name.Text == p.Container.Text {
				c.proxy = &c.task.Containers[i]
				c.image(s)
				return
			}
		}
		v := Verdict{Position: p.Container.Position, Subject: "containerName", Value: p.Container.Text, Standing: mesh.Wrong, Effect: mesh.OnTraffic,
			Message: "no container of this task has the name: ECS refuses the task definition"}
		if len(c.task.Unread) > 0 {
			v.Standing, v.Effect, v.Message = mesh.Unknown, mesh.Perhaps, "none of the containers that can be read has the name"
		}
		s.add(v)
		return
	}
	for _, is := range []func(*appmesh.Container) bool{isProxyImage, speaksOfMesh} {
		for i := range c.task.Containers {
			if is(&c.task.Containers[i]) && !isRouteManager(&c.task.Containers[i]) {
				c.proxy = &c.task.Containers[i]
				c.image(s)
				return
			}
		}
	}
	s.add(Verdict{Position: c.task.Position, Subject: "containerDefinitions", Message: "none of its containers is a proxy of App Mesh: nothing to change here"})
}

func isProxyImage(c *appmesh.Container) bool {
	image := strings.ToLower(c.Image.Text + c.Image.Unknown)
	return strings.Contains(image, "appmesh-envoy") || strings.Contains(image, "outrider") || strings.Contains(image, "envoyimage")
}

func speaksOfMesh(c *appmesh.Container) bool {
	for _, v := range append(c.Environment[:len(c.Environment):len(c.Environment)], c.Secrets...) {
		for _, name := range config.ResourceVariables() {
			if v.Name == name {
				return true
			}
		}
	}
	return false
}

var envoyVersion = regexp.MustCompile(`appmesh-envoy:v1\.(\d+)\.`)

// image says what changes with the image.
func (c *taskCheck) image(s *Section) {
	v := Verdict{Position: c.proxy.Image.Position, Subject: "image of " + c.proxy.Name.Text, Value: c.proxy.Image.Text}
	image := strings.ToLower(v.Value)
	version := envoyVersion.FindStringSubmatch(image)
	switch {
	case strings.Contains(image, "outrider"):
		v.Message = "Outrider already"
	case c.proxy.Image.Unknown != "":
		v.Standing, v.Message, v.Hint = mesh.Unknown, "Outrider's image takes its place ("+c.proxy.Image.Unknown+")", documentsHint
	default:
		v.Standing, v.Message, v.Hint = mesh.Approximated, "Outrider's image takes its place; it reads documents, where App Mesh was asked", documentsHint
	}
	if version != nil {
		if minor, _ := strconv.Atoi(version[1]); minor < 17 {
			v.Effect = mesh.Perhaps
			v.Message += fmt.Sprintf("; Envoy 1.%d read regular expressions as ECMAScript, RE2 is read since 1.17", minor)
		}
	}
	s.add(v)
}

const documentsHint = "FROM outrider, COPY the documents to /etc/outrider/mesh; or OUTRIDER_MESH, OUTRIDER_MESH_INLINE"

// platform judges what the task as a whole is run on.
func (c *taskCheck) platform(s *Section) {
	t := c.task
	fargate := false
	for _, where := range t.Compatibilities {
		fargate = fargate || strings.EqualFold(where.Text, "FARGATE")
	}
	switch mode := t.NetworkMode; {
	case mode.Unknown != "":
		s.add(open("networkMode", mode))
	case strings.EqualFold(mode.Text, "awsvpc"):
		s.add(Verdict{Position: mode.Position, Subject: "networkMode", Value: mode.Text})
	case t.Proxy != nil:
		at := mode.Position
		if at.File == "" {
			at = t.Proxy.Position
		}
		s.add(Verdict{Position: at, Subject: "networkMode", Value: mode.Text, Standing: mesh.Wrong, Effect: mesh.OnTraffic,
			Message: "proxyConfiguration needs awsvpc: ECS refuses the task definition"})
	}
	for i := range t.Containers {
		for _, added := range t.Containers[i].Capabilities {
			if fargate && strings.EqualFold(strings.TrimPrefix(strings.ToUpper(added.Text), "CAP_"), "NET_ADMIN") {
				s.add(Verdict{Position: added.Position, Subject: "capabilities of " + t.Containers[i].Name.Text, Value: added.Text, Standing: mesh.Wrong, Effect: mesh.OnTraffic,
					Message: "Fargate adds no NET_ADMIN: ECS refuses the task definition",
					Hint:    "leave the redirect to proxyConfiguration, or give the app HTTP_PROXY=http://127.0.0.1:15001"})
			}
		}
	}
}

// open is the verdict about a value that nobody here knows.
func open(subject string, s appmesh.Said) Verdict {
	return Verdict{Position: s.Position, Subject: subject, Standing: mesh.Unknown, Effect: mesh.Perhaps, Message: s.Unknown, Hint: s.Hint}
}

// whom settles what the proxy stands for.
func (c *taskCheck) whom(s *Section) {
	said, wanted := c.run.Resource.Name.V, c.subject.Node
	c.node = said
	v := Verdict{Position: c.proxy.Position, Subject: "stands for", Value: said.String()}
	switch {
	case wanted == (mesh.Resource{}) && said == (mesh.Resource{}):
		v.Value, v.Standing, v.Effect = "", mesh.Unknown, mesh.Perhaps
		v.Message, v.Hint = "its variables do not say: all documents are looked at", "say it with --node mesh/MESH/virtualNode/NODE"
	case wanted == (mesh.Resource{}):
	case said == (mesh.Resource{}):
		c.node, v.Value, v.Message = wanted, wanted.String(), "as --node says"
	case wanted != said:
		c.node, v.Value = wanted, wanted.String()
		v.Standing, v.Message = mesh.Approximated, "as --node says; its variables say "+said.String()
	}
	s.add(v)
}
