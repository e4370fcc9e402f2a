package admin

import "github.com/outrider-mesh/outrider/internal/mesh"

type listenersDump struct {
	Type    string         `json:"@type"`
	Version string         `json:"version_info,omitempty"`
	Active  []listenerDump `json:"dynamic_listeners,omitempty"`
}

type listenerDump struct {
	Name  string        `json:"name"`
	State listenerState `json:"active_state"`
}

type listenerState struct {
	Version  string         `json:"version_info,omitempty"`
	Listener listenerConfig `json:"listener"`
	Updated  string         `json:"last_updated"`
}

type listenerConfig struct {
	Name      string        `json:"name"`
	Address   *address      `json:"address,omitempty"`
	Chains    []chainConfig `json:"filter_chains,omitempty"`
	Direction string        `json:"traffic_direction"`
}

// chainConfig is a filter chain: an HTTP chain names its routes, a TCP chain
// its clusters.
type chainConfig struct {
	Match       chainMatch       `json:"filter_chain_match"`
	Protocol    string           `json:"protocol"`
	Routes      string           `json:"route_config_name,omitempty"`
	HTTP2       *HTTP2Options    `json:"http2_protocol_options,omitempty"`
	Clusters    []weightedTarget `json:"weighted_clusters,omitempty"`
	IdleTimeout string           `json:"idle_timeout,omitempty"`
	Refused     string           `json:"refused,omitempty"`
	Origin      string           `json:"origin"`
}

type chainMatch struct {
	Port uint16 `json:"destination_port"`
}

type weightedTarget struct {
	Name   string `json:"name"`
	Weight uint32 `json:"weight"`
}

// dumpListeners puts the chains under the ports that are bound.
func dumpListeners(snapshot *mesh.Snapshot, bound []Listener, options *HTTP2Options, updated string) listenersDump {
	out := listenersDump{Type: dumpType + "ListenersConfigDump", Version: snapshot.Version}
	for _, l := range bound {
		config := listenerConfig{Name: l.Name, Direction: "INBOUND"}
		chains := snapshot.Inbound
		if l.Egress {
			config.Direction, chains = "OUTBOUND", snapshot.Outbound
		}
		if len(l.Addresses) > 0 {
			a := addressOf(l.Addresses[0])
			config.Address = &a
		}
		for _, c := range chains {
			if l.Chain == 0 || l.Chain == c.Port {
				config.Chains = append(config.Chains, chainOf(c, options))
			}
		}
		out.Active = append(out.Active, listenerDump{l.Name, listenerState{snapshot.Version, config, updated}})
	}
	return out
}

func chainOf(l *mesh.Listener, options *HTTP2Options) chainConfig {
	c := chainConfig{Match: chainMatch{l.Port}, Protocol: l.Protocol.String(), Refused: l.Refuse, Origin: l.Origin.String()}
	if l.Protocol != mesh.TCP {
		c.Routes, c.HTTP2 = l.RouteName(), options
		return c
	}
	c.Clusters = targetsOf(l.Targets)
	c.IdleTimeout = seconds(l.IdleTimeout.Value)
	return c
}

func targetsOf(targets []mesh.Target) (all []weightedTarget) {
	for _, t := range targets {
		all = append(all, weightedTarget{t.Cluster.Name, t.Weight})
	}
	return all
}
