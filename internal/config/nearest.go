package config

import (
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// warnUnknown answers variables that look meant for us and are not.
func (p *parser) warnUnknown() {
	known := Variables()
	var unknown []string
	for name := range p.env {
		if hasOurPrefix(name) && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		if near := mesh.Nearest(name, known); near != "" {
			p.warn(mesh.Warning, name, "no such variable: did you mean %s?", near)
		} else {
			p.warn(mesh.Warning, name, "no such variable: ignored")
		}
	}
}

// Variables are the names of all variables that are known, in order.
func Variables() []string {
	names := []string{inlineVariable}
	for _, s := range settings {
		names = append(names, s.variable())
	}
	for _, v := range appMesh {
		names = append(names, v.name)
	}
	slices.Sort(names)
	return names
}

func hasOurPrefix(name string) bool {
	for _, prefix := range []string{"ENVOY_", "APPMESH_", "APPNET_", "OUTRIDER_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
