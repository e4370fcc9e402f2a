package appmesh

import (
	"cmp"
	"maps"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Proxies lists what a sidecar can stand for: every virtual node and virtual
// gateway, ordered by mesh, owner, kind and name. The
// owner is named only where several have a mesh of the name.
func (d *Documents) Proxies() (all []mesh.Resource) {
	byName := func(a, b meshID) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.owner, b.owner)) }
	namesakes := make(map[string]int)
	for id := range d.meshes {
		namesakes[id.name]++
	}
	for _, id := range slices.SortedFunc(maps.Keys(d.meshes), byName) {
		ix := d.meshes[id]
		if namesakes[id.name] == 1 {
			id.owner = ""
		}
		for _, k := range []struct {
			kind kind
			as   mesh.ResourceKind
		}{{nodeKind, mesh.VirtualNode}, {gatewayKind, mesh.VirtualGateway}} {
			for _, r := range slices.Sorted(maps.Keys(ix.of[k.kind])) {
				all = append(all, mesh.Resource{Mesh: id.name, Owner: id.owner, Kind: k.as, Name: r})
			}
		}
	}
	return all
}
