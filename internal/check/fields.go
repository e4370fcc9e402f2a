package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// fields judges every field within the reach of a sidecar, or with the zero
// Resource every field there is.
func (c sidecar) fields(d *appmesh.Documents) Section {
	s := Section{About: aboutMesh, Title: "mesh documents, whole"}
	if c.node != (mesh.Resource{}) {
		s.Title = "mesh within reach of " + c.node.String()
	}
	for _, f := range d.Fields(c.node) {
		v := fieldVerdict(f)
		c.otherwise(&f, &v)
		s.add(v)
	}
	return s
}

func fieldVerdict(f appmesh.Field) Verdict {
	return Verdict{f.Position, f.Resource, f.Path, f.Value, f.Standing, f.Effect, f.Message, f.Hint}
}

// A listener is a port that a node declares.
type listener struct {
	port uint16
	at   mesh.Position
}

// listenersOf are the ports of a node or gateway, as its documents say.
func listenersOf(d *appmesh.Documents, node mesh.Resource) []listener {
	if d == nil || node == (mesh.Resource{}) {
		return nil
	}
	label := "virtual node "
	if node.Kind == mesh.VirtualGateway {
		label = "virtual gateway "
	}
	var all []listener
	for _, f := range d.Fields(node) {
		port, err := strconv.ParseUint(f.Value, 10, 16)
		if err == nil && f.Resource == label+strconv.Quote(node.Name) && strings.HasPrefix(f.Path, "listeners[") && strings.HasSuffix(f.Path, "].portMapping.port") {
			all = append(all, listener{uint16(port), f.Position})
		}
	}
	return all
}

// callsOthers tells whether a node has backends; a gateway, and one that nobody
// knows, calls others.
func callsOthers(d *appmesh.Documents, node mesh.Resource) bool {
	if d == nil || node == (mesh.Resource{}) || node.Kind == mesh.VirtualGateway {
		return true
	}
	fields := d.Fields(node)
	return len(fields) == 1 || slices.ContainsFunc(fields, func(f appmesh.Field) bool { return strings.HasPrefix(f.Path, "backends[") })
}
