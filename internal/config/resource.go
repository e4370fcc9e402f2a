package config

import "github.com/outrider-mesh/outrider/internal/mesh"

func (p *parser) setResource(text, from string) error {
	p.named = true
	r, err := mesh.ParseResource(text)
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
