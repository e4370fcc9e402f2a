package admin

import (
	"net/http"
	"net/url"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// configDump shows the snapshot in force in Envoy's sections. It holds what
// the documents said, under App Mesh's names, and nothing besides: no field is
// there because Envoy would have one. Documents hold no secrets, so there is
// nothing to redact.
func (s *Server) configDump(w http.ResponseWriter, q url.Values) {
	for _, name := range []string{"resource", "mask", "name_regex"} {
		if q.Get(name) != "" {
			refuse(w, http.StatusBadRequest, "parameter "+name+" is not done yet; without it the whole dump is printed\n")
			return
		}
	}
	snapshot, since := s.cfg.Snapshot()
	if snapshot == nil {
		writeJSON(w, struct {
			Configs []any `json:"configs"`
		}{[]any{}})
		return
	}
	updated := timestamp(since)
	writeJSON(w, dump{Configs: []any{
		bootstrapDump{
			Type: dumpType + "BootstrapConfigDump",
			Bootstrap: bootstrap{
				Node:     nodeInfo{s.cfg.Info.NodeID, s.cfg.Info.NodeCluster, "outrider"},
				Resource: snapshot.Resource.String(), Documents: snapshot.Documents, Egress: snapshot.Egress.String(),
			},
			Updated: timestamp(s.cfg.Info.Started),
		},
		dumpClusters(snapshot, &s.cfg.Info.HTTP2, updated),
		dumpListeners(snapshot, s.cfg.Engine.Listeners(), &s.cfg.Info.HTTP2, updated),
		dumpRoutes(snapshot, updated),
	}})
}

const dumpType = "type.googleapis.com/envoy.admin.v3."

type dump struct {
	// Configs are the sections: bootstrap, clusters, listeners, routes.
	Configs []any `json:"configs"`
}

type bootstrapDump struct {
	Type      string    `json:"@type"`
	Bootstrap bootstrap `json:"bootstrap"`
	Updated   string    `json:"last_updated"`
}

// bootstrap is what stands where Envoy has its bootstrap file; the last three
// are ours.
type bootstrap struct {
	Node      nodeInfo `json:"node"`
	Resource  string   `json:"appmesh_resource"`
	Documents []string `json:"documents,omitempty"`
	Egress    string   `json:"egress_filter"`
}

type clustersDump struct {
	Type    string        `json:"@type"`
	Version string        `json:"version_info,omitempty"`
	Active  []clusterDump `json:"dynamic_active_clusters,omitempty"`
}

type clusterDump struct {
	Version string        `json:"version_info,omitempty"`
	Cluster clusterConfig `json:"cluster"`
	Updated string        `json:"last_updated"`
}

type clusterConfig struct {
	Name           string             `json:"name"`
	Type           string             `json:"type"`
	ConnectTimeout string             `json:"connect_timeout"`
	Endpoints      []address          `json:"endpoints,omitempty"`
	Host           string             `json:"dns_host,omitempty"`
	Port           uint16             `json:"port_value,omitempty"`
	Preference     string             `json:"ip_preference,omitempty"`
	Protocol       string             `json:"protocol"`
	HTTP2          *HTTP2Options      `json:"http2_protocol_options,omitempty"`
	Breakers       *breakers          `json:"circuit_breakers,omitempty"`
	Health         *healthCheckConfig `json:"health_check,omitempty"`
	Outlier        *outlierConfig     `json:"outlier_detection,omitempty"`
	Refused        string             `json:"refused,omitempty"`
	Origin         string             `json:"origin"`
}

// HTTP2Options are the settings that a peer is told of, by Envoy's names. They
// hold for both sides and are shown where HTTP/2 is spoken: by the clusters
// that get it, and by every HTTP chain.
type HTTP2Options struct {
	MaxConcurrentStreams    uint32 `json:"max_concurrent_streams"`
	InitialStreamWindow     uint32 `json:"initial_stream_window_size"`
	InitialConnectionWindow uint32 `json:"initial_connection_window_size"`
}

type healthCheckConfig struct {
	Protocol  string `json:"protocol"`
	Path      string `json:"path,omitempty"`
	Port      uint16 `json:"port_value,omitempty"`
	Interval  string `json:"interval"`
	Timeout   string `json:"timeout"`
	Healthy   int    `json:"healthy_threshold"`
	Unhealthy int    `json:"unhealthy_threshold"`
}

type outlierConfig struct {
	MaxServerErrors    int    `json:"consecutive_5xx"`
	Interval           string `json:"interval"`
	BaseEjection       string `json:"base_ejection_time"`
	MaxEjectionPercent int    `json:"max_ejection_percent"`
}

func dumpClusters(snapshot *mesh.Snapshot, options *HTTP2Options, updated string) clustersDump {
	out := clustersDump{Type: dumpType + "ClustersConfigDump", Version: snapshot.Version}
	for _, c := range snapshot.Clusters {
		config := clusterOf(c)
		if c.Protocol.Multiplexed() {
			config.HTTP2 = options
		}
		out.Active = append(out.Active, clusterDump{snapshot.Version, config, updated})
	}
	return out
}

func clusterOf(c *mesh.Cluster) clusterConfig {
	out := clusterConfig{
		Name:           c.Name,
		Type:           discoveryName(c.Discovery.Kind),
		ConnectTimeout: seconds(c.ConnectTimeout),
		Host:           c.Discovery.Host,
		Port:           c.Discovery.Port,
		Protocol:       c.Protocol.String(),
		Refused:        c.Refuse,
		Origin:         c.Origin.String(),
	}
	if c.Discovery.Preference != mesh.AnyFamily {
		out.Preference = c.Discovery.Preference.String()
	}
	for _, a := range c.Discovery.Addrs {
		out.Endpoints = append(out.Endpoints, addressOf(a))
	}
	if c.Limits != (mesh.Limits{}) {
		limited := Cluster{Limits: c.Limits}
		out.Breakers = &breakers{[]thresholds{limited.limits()}}
	}
	if h := c.HealthCheck; h != nil {
		out.Health = &healthCheckConfig{h.Protocol.String(), h.Path, h.Port, seconds(h.Interval), seconds(h.Timeout), h.Healthy, h.Unhealthy}
	}
	if o := c.Outlier; o != nil {
		out.Outlier = &outlierConfig{o.MaxServerErrors, seconds(o.Interval), seconds(o.BaseEjectionDuration), o.MaxEjectionPercent}
	}
	return out
}

func discoveryName(k mesh.DiscoveryKind) string {
	return [...]string{"NONE", "STATIC", "LOGICAL_DNS", "STRICT_DNS", "CLOUD_MAP", "ORIGINAL_DST"}[k]
}
