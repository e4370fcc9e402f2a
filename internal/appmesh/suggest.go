package appmesh

import "github.com/outrider-mesh/outrider/internal/mesh"

// maxSuggestions bounds guessing: it happens beside errors, for so many of
// them.
const maxSuggestions = 100

// nearest guesses while Parse runs, until enough has been guessed.
func (d *Documents) nearest(name string, names []string) string {
	if d.suggestions++; d.suggestions > maxSuggestions {
		return ""
	}
	return mesh.Nearest(name, names)
}
