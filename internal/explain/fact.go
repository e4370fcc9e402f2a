package explain

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Fact is one value that is in force and where it comes from.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Origin is file:line, or "default of App Mesh"; empty where the value is
	// neither a document's nor a default.
	Origin string `json:"origin,omitempty"`
}

// NewFact is a fact with its origin.
func NewFact(name, value string, origin mesh.Origin) Fact {
	return Fact{name, value, Origin(origin)}
}

// Origin says where a value comes from.
func Origin(o mesh.Origin) string {
	switch {
	case o.File != "":
		return o.String()
	case o.Note == "", strings.HasPrefix(o.Note, "App Mesh"):
		return defaultOfAppMesh
	}
	return "default: " + o.Note
}

const defaultOfAppMesh = "default of App Mesh"
