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
		if near := nearest(name, known); near != "" {
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

// nearest is the name that takes the fewest edits, if those are few: at most
// three, and at most a third of the letters.
func nearest(name string, names []string) string {
	best, found := min(3, len(name)/3)+1, ""
	for _, candidate := range names {
		if d := edits(name, candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// edits counts the letters to insert, delete or replace (Levenshtein).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
