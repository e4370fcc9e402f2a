package appmesh

import (
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// ParseResource reads what APPMESH_RESOURCE_ARN holds: an ARN, or the short
// form mesh/M/virtualNode/N. As the App Mesh agent did, it splits at "/":
// second part mesh, third kind, fourth name (App Mesh 3.1). A shared mesh is
// written M@OWNER.
func ParseResource(arn string) (mesh.Resource, error) {
	parts := strings.Split(strings.TrimSpace(arn), "/")
	if len(parts) < 4 || parts[1] == "" || parts[3] == "" {
		return mesh.Resource{}, fmt.Errorf("resource %q: want an ARN or mesh/MESH/virtualNode/NAME", arn)
	}
	if first := parts[0]; first != "mesh" && !strings.HasPrefix(first, "arn:") {
		return mesh.Resource{}, fmt.Errorf("resource %q: must begin with \"arn:\" or \"mesh/\"", arn)
	}
	res := mesh.Resource{Name: parts[3]}
	res.Mesh, res.Owner, _ = strings.Cut(parts[1], "@")
	switch parts[2] {
	case mesh.VirtualNode.String():
		res.Kind = mesh.VirtualNode
	case mesh.VirtualGateway.String():
		res.Kind = mesh.VirtualGateway
	default:
		return mesh.Resource{}, fmt.Errorf("resource %q: a proxy stands for a virtualNode or a virtualGateway, not for a %q", arn, parts[2])
	}
	return res, nil
}
