package mesh

import (
	"errors"
	"fmt"
	"strings"
)

// ParseResource reads what a proxy stands for, as APPMESH_RESOURCE_ARN takes
// it (App Mesh 3.1): a full ARN or "mesh/M/virtualNode/N", split at slashes,
// mesh second, kind third, name fourth; M may be "mesh@owner" for a shared
func ParseResource(s string) (Resource, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 4 || parts[0] != "mesh" && !strings.HasPrefix(parts[0], "arn:") || parts[3] == "" {
		return Resource{}, errors.New("not mesh/MESH/virtualNode/NODE, nor an ARN that ends so")
	}
	r := Resource{Name: parts[3]}
	r.Mesh, r.Owner, _ = strings.Cut(parts[1], "@")
	if r.Mesh == "" {
		return Resource{}, errors.New("the mesh has no name")
	}
	switch parts[2] {
	case VirtualNode.String():
		r.Kind = VirtualNode
	case VirtualGateway.String():
		r.Kind = VirtualGateway
	default:
		return Resource{}, fmt.Errorf("%q is neither virtualNode nor virtualGateway", parts[2])
	}
	return r, nil
}
