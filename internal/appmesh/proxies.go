package appmesh

import (
	"cmp"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Proxies are the resources that a sidecar can stand for: every virtual node
// and virtual gateway of every mesh, ordered by mesh, kind and name. The owner
// is named where two meshes of one name need it.
func (d *Documents) Proxies() []mesh.Resource {
	owners := make(map[string]int)
	for id := range d.meshes {
		owners[id.name]++
	}
	var all []mesh.Resource
	for id, ix := range d.meshes {
		owner := ""
		if owners[id.name] > 1 {
			owner = id.owner
		}
		for name := range ix.of[nodeKind] {
			all = append(all, mesh.Resource{Mesh: id.name, Owner: owner, Kind: mesh.VirtualNode, Name: name})
		}
		for name := range ix.of[gatewayKind] {
			all = append(all, mesh.Resource{Mesh: id.name, Owner: owner, Kind: mesh.VirtualGateway, Name: name})
		}
	}
	slices.SortFunc(all, func(a, b mesh.Resource) int {
		return cmp.Or(cmp.Compare(a.Mesh, b.Mesh), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all
}
