package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
)

func (s *Server) ready(w http.ResponseWriter, _ url.Values) {
	state := s.cfg.Engine.State()
	if state != Live {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(w, "%s\n", state)
}

type serverInfo struct {
	Version       string      `json:"version"`
	State         string      `json:"state"`
	HotRestart    string      `json:"hot_restart_version"`
	Options       optionsInfo `json:"command_line_options"`
	Node          nodeInfo    `json:"node"`
	UptimeCurrent string      `json:"uptime_current_epoch"`
	UptimeAll     string      `json:"uptime_all_epochs"`
}

// optionsInfo holds those of Envoy's options that there are.
type optionsInfo struct {
	Concurrency       int    `json:"concurrency"`
	ConfigPath        string `json:"config_path"`
	LogLevel          string `json:"log_level"`
	LogFormat         string `json:"log_format"`
	Cluster           string `json:"service_cluster"`
	Node              string `json:"service_node"`
	FlushInterval     string `json:"file_flush_interval"`
	DrainTime         string `json:"drain_time"`
	Mode              string `json:"mode"`
	DisableHotRestart bool   `json:"disable_hot_restart"`
	RestartEpoch      int    `json:"restart_epoch"`
}

type nodeInfo struct {
	ID        string `json:"id"`
	Cluster   string `json:"cluster"`
	UserAgent string `json:"user_agent_name"`
}

// serverInfo answers the health check of App Mesh task definitions, which
// greps for the line with "state" in it: every key has a line of its own.
func (s *Server) serverInfo(w http.ResponseWriter, _ url.Values) {
	i := &s.cfg.Info
	uptime := wholeSeconds(s.cfg.Now().Sub(i.Started))
	writeJSON(w, serverInfo{
		Version:    i.Version,
		State:      s.cfg.Engine.State().String(),
		HotRestart: "disabled",
		Options: optionsInfo{
			Concurrency:       i.Concurrency,
			ConfigPath:        i.ConfigPath,
			LogLevel:          i.LogLevel,
			LogFormat:         i.LogFormat,
			Cluster:           i.NodeCluster,
			Node:              i.NodeID,
			FlushInterval:     "1s",
			DrainTime:         seconds(i.DrainTime),
			Mode:              "Serve",
			DisableHotRestart: true,
		},
		Node:          nodeInfo{i.NodeID, i.NodeCluster, "outrider"},
		UptimeCurrent: uptime,
		UptimeAll:     uptime,
	})
}

// BuildVersion gives the version in Envoy's shape, out of what the Go
// toolchain wrote into the binary: "<commit>/<version>/Clean/RELEASE/crypto-tls".
func BuildVersion(version string) string {
	commit, tree := "unknown", "Clean"
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range b.Settings {
			switch {
			case setting.Key == "vcs.revision":
				commit = setting.Value
			case setting.Key == "vcs.modified" && setting.Value == "true":
				tree = "Modified"
			}
		}
	}
	return commit + "/" + version + "/" + tree + "/RELEASE/crypto-tls"
}

func (s *Server) hotRestart(w http.ResponseWriter, _ url.Values) { fmt.Fprint(w, "disabled") }

// certs: there is no TLS of ours yet, so there are no certificates.
func (s *Server) certs(w http.ResponseWriter, _ url.Values) {
	writeJSON(w, struct {
		Certificates []struct{} `json:"certificates"`
	}{[]struct{}{}})
}
