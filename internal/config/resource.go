package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// ParseResource reads what a proxy stands for, as APPMESH_RESOURCE_ARN takes
// it (App Mesh 3.1): a full ARN or "mesh/M/virtualNode/N", split at slashes,
// mesh second, kind third, name fourth; M may be "mesh@owner" for a shared
// mesh.
func ParseResource(s string) (mesh.Resource, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 4 || parts[0] != "mesh" && !strings.HasPrefix(parts[0], "arn:") || parts[3] == "" {
		return mesh.Resource{}, errors.New("not mesh/MESH/virtualNode/NODE, nor an ARN that ends so")
	}
	r := mesh.Resource{Name: parts[3]}
	r.Mesh, r.Owner, _ = strings.Cut(parts[1], "@")
	if r.Mesh == "" {
		return mesh.Resource{}, errors.New("the mesh has no name")
	}
	switch parts[2] {
	case mesh.VirtualNode.String():
		r.Kind = mesh.VirtualNode
	case mesh.VirtualGateway.String():
		r.Kind = mesh.VirtualGateway
	default:
		return mesh.Resource{}, fmt.Errorf("%q is neither virtualNode nor virtualGateway", parts[2])
	}
	return r, nil
}

func (p *parser) setResource(text, from string) error {
	p.named = true
	r, err := ParseResource(text)
	if err != nil {
		return err
	}
	p.run.Resource.Name = Value[mesh.Resource]{r, from}
	p.run.Resource.NodeID = Value[string]{text, from}
	return nil
}

// setResourceOnce leaves alone what an earlier variable has said: App Mesh
// looked at the later ones only when those before were unset.
func (p *parser) setResourceOnce(text, from string) error {
	if p.run.Resource.Name.From != "" {
		return nil
	}
	return p.setResource(text, from)
}

func (p *parser) setClusterOnce(text, from string) error {
	if p.run.Resource.Cluster.From == "" {
		p.run.Resource.Cluster = Value[string]{text, from}
	}
	return nil
}
