package app

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// summarize says at start what is in force and where it came from.
func summarize(log *slog.Logger, cfg *config.Run, runtime []string, snap *mesh.Snapshot, findings []mesh.Finding, s *sidecar) {
	log.Info("outrider "+Version(), "resource", snap.Resource.String(), "from", cfg.Resource.Name.From,
		"egress filter", snap.Egress.String(), "version", snap.Version)
	for _, line := range cfg.Summary() {
		log.Info("setting " + line)
	}
	for _, line := range runtime {
		log.Info("runtime " + line)
	}
	log.Info(fmt.Sprintf("%d documents read", s.documents.count), "from", strings.Join(snap.Documents, " "))
	for _, l := range snap.Inbound {
		summarizeChain(log, l)
	}
	for _, l := range snap.Outbound {
		summarizeChain(log, l)
	}
	for _, spec := range snap.Clusters {
		endpoints := 0
		if c := s.manager.Cluster(spec.Name); c != nil {
			endpoints = len(c.Members().Endpoints)
		}
		args := []any{"endpoints", endpoints}
		if spec.Refuse != "" {
			args = append(args, "refused", spec.Refuse)
		}
		log.Info("cluster "+spec.Name, args...)
	}
	logFindings(log, findings)
}

// summarizeChain says what a chain serves, with the timeouts and retries in
// force.
func summarizeChain(log *slog.Logger, l *mesh.Listener) {
	if l.Refuse != "" {
		log.Warn("listener "+l.RouteName()+" is refused", "why", l.Refuse)
		return
	}
	log.Info("listener "+l.RouteName(), "port", l.Port, "from", l.Origin.String())
	for _, host := range l.VirtualHosts {
		for _, r := range host.Routes {
			retries := "none"
			if p := r.Retry; p != nil {
				retries = fmt.Sprintf("%d (%s)", p.MaxRetries, p.Origin)
			}
			if r.Refuse != "" {
				log.Warn("route "+host.Name+" "+r.Name+" is refused", "why", r.Refuse)
				continue
			}
			log.Info("route "+host.Name+" "+r.Name,
				"timeout", fmt.Sprintf("%s (%s)", r.Timeout.Value, r.Timeout.Origin),
				"idle", fmt.Sprintf("%s (%s)", r.Idle.Value, r.Idle.Origin),
				"retries", retries)
		}
		if len(host.Routes) == 0 {
			log.Info("virtual host " + host.Name + " has no routes: 404")
		}
	}
}
