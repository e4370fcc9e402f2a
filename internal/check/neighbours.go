package check

import (
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// companions are containers that live on what the proxy sends, and the
// variables that made Envoy send it.
var companions = []struct {
	images   []string
	switches []string
	gets     string
}{
	{[]string{"xray"}, []string{"ENABLE_ENVOY_XRAY_TRACING"}, "traces"},
	{[]string{"jaeger", "zipkin"}, []string{"ENABLE_ENVOY_JAEGER_TRACING"}, "traces"},
	{[]string{"datadog"}, []string{"ENABLE_ENVOY_DATADOG_TRACING", "ENABLE_ENVOY_DOG_STATSD"}, "traces and statistics"},
	{[]string{"statsd", "cloudwatch-agent", "cwagent", "cloudwatchagent"}, []string{"ENABLE_ENVOY_DOG_STATSD"}, "statistics"},
	{[]string{"otel", "collector"}, []string{"ENABLE_ENVOY_DOG_STATSD", "ENABLE_ENVOY_XRAY_TRACING", "ENABLE_ENVOY_JAEGER_TRACING"}, "traces and statistics"},
}

// neighbours judges the other containers as far as the sidecar concerns them.
func (c *taskCheck) neighbours(s *Section) {
	_, given := environment(c.proxy)
	for i := range c.task.Containers {
		other := &c.task.Containers[i]
		if other == c.proxy {
			continue
		}
		if isRouteManager(other) {
			continue // told with the redirect
		}
		meshVariables(s, other)
		for _, companion := range companions {
			if !named(other, companion.images...) {
				continue
			}
			v := Verdict{Position: other.Position, Subject: "container " + other.Name.Text, Message: "got nothing from the proxy, and gets nothing"}
			for _, name := range companion.switches {
				if n, ok := given[name]; ok && n.Said.Text != "0" && n.Said.Text != "" && !strings.EqualFold(n.Said.Text, "false") {
					v.Standing, v.Effect, v.Message = mesh.Unsupported, mesh.OnObservation, "gets no "+companion.gets+" from the sidecar yet ("+name+")"
				}
			}
			s.add(v)
			break
		}
	}
}

// meshVariables: App Mesh's variables say nothing in the app's container.
func meshVariables(s *Section, other *appmesh.Container) {
	known := config.Variables()
	for _, n := range slices.Concat(other.Environment, other.Secrets) {
		if strings.HasPrefix(n.Name, "APPMESH_") || strings.HasPrefix(n.Name, "ENVOY_") || slices.Contains(known, n.Name) && strings.HasPrefix(n.Name, "OUTRIDER_") {
			s.add(Verdict{Position: n.Position, Subject: n.Name + " of " + other.Name.Text, Message: "has no effect in this container, as before"})
		}
	}
}
