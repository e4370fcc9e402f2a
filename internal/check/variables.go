package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// variables judges the environment of the proxy's container.
func (c *taskCheck) variables(s *Section) {
	environ, given := environment(c.proxy)
	run, judged := config.Judge(c.arguments(s), environ)
	c.run = run
	for _, v := range judged {
		c.variable(s, v, given)
	}
	known := config.Variables()
	first := make(map[string]appmesh.Named)
	for _, n := range slices.Concat(c.proxy.Environment, c.proxy.Secrets) {
		before, twice := first[n.Name]
		switch {
		case n.Name == "":
			s.add(Verdict{Position: n.Position, Subject: "environment", Standing: mesh.Wrong, Effect: mesh.OnTraffic, Message: n.Said.Unknown})
			continue
		case twice:
			s.add(Verdict{Position: n.Position, Subject: n.Name, Standing: mesh.Wrong, Effect: mesh.Perhaps,
				Message: "is given twice, first at " + before.Position.String()})
			continue
		}
		first[n.Name] = n
		v := Verdict{Position: n.Position, Subject: n.Name, Message: "neither App Mesh's nor Outrider's: passed over"}
		switch isKnown := slices.Contains(known, n.Name); {
		case isKnown && n.Said.Unknown != "":
			v = unknownVariable(n)
		case slices.ContainsFunc(judged, func(v config.Verdict) bool { return v.Variable == n.Name }):
			continue // told above
		case isKnown:
			v.Message = "is empty, which is as good as unset"
		}
		s.add(v)
	}
	for _, file := range c.proxy.EnvironmentFiles {
		s.add(Verdict{Position: file.Position, Subject: "environmentFiles", Value: file.Text, Standing: mesh.Unknown, Effect: mesh.Perhaps,
			Message: "what it sets cannot be seen here"})
	}
}

// environment is what is known of a container's environment, and where each
// variable stands.
func environment(c *appmesh.Container) (environ []string, given map[string]appmesh.Named) {
	given = make(map[string]appmesh.Named)
	for _, n := range c.Environment {
		if _, twice := given[n.Name]; twice || n.Name == "" {
			continue
		}
		given[n.Name] = n
		if n.Said.Text != "" {
			environ = append(environ, n.Name+"="+n.Said.Text)
		}
	}
	for _, n := range c.Secrets {
		if _, twice := given[n.Name]; !twice && n.Name != "" {
			given[n.Name] = n
		}
	}
	return environ, given
}

// arguments are what the container's command gives to `outrider run`.
func (c *taskCheck) arguments(s *Section) []string {
	var texts []string
	for _, word := range c.proxy.Command {
		if word.Unknown != "" {
			s.add(open("command", word))
			return nil
		}
		texts = append(texts, word.Text)
	}
	if len(texts) == 0 || texts[0] != "run" {
		return nil // container.go has an eye on it
	}
	return texts[1:]
}

// variable puts a verdict of internal/config where its variable stands.
func (c *taskCheck) variable(s *Section, judged config.Verdict, given map[string]appmesh.Named) {
	n, ok := given[judged.Variable]
	v := Verdict{Position: c.proxy.Position, Subject: judged.Variable, Standing: judged.Standing, Effect: judged.Effect, Message: judged.Message}
	if nameless := judged.Variable == config.ResourceVariables()[0] && c.run.Resource.Name.From == ""; nameless {
		hidden := func(name string) bool { return given[name].Said.Unknown != "" }
		switch {
		case slices.ContainsFunc(config.ResourceVariables(), hidden):
			return // one of them is there; what it holds is told below
		case len(c.proxy.EnvironmentFiles) > 0:
			v.Standing, v.Effect = mesh.Unknown, mesh.Perhaps
		}
	}
	if ok {
		v.Position = n.Position
		if c.task.Sensitive || config.Hidden(n.Name) {
			v.Message = strings.ReplaceAll(v.Message, strconv.Quote(n.Said.Text), "its value")
		} else if slices.Contains(config.Variables(), n.Name) {
			v.Value = n.Said.Text
		}
	}
	if v.Subject == "" {
		v.Subject = "together"
	}
	s.add(v)
}

// unknownVariable is one of the sidecar's whose value nobody here knows.
func unknownVariable(n appmesh.Named) Verdict {
	v := open(n.Name, n.Said)
	v.Position = n.Position
	if config.Hidden(n.Name) {
		v.Message = "its value is not known here"
	}
	if slices.Contains(config.ResourceVariables(), n.Name) && v.Hint == "" {
		v.Hint = "say it with --node mesh/MESH/virtualNode/NODE"
	}
	return v
}
