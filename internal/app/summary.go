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
	args := []any{"port", l.Port, "from", l.Origin.String()}
	if l.Gate != nil {
		args = append(args, "limits", l.Gate.Limits.String())
	}
	log.Info("listener "+l.RouteName(), args...)
	told := make(map[*mesh.VirtualHost]bool)
	for i := range l.VirtualHosts {
		summarizeHost(log, &l.VirtualHosts[i], told)
	}
}

// summarizeHost says what a virtual host does with requests; the services behind
// gateway routes once each, as told remembers.
func summarizeHost(log *slog.Logger, host *mesh.VirtualHost, told map[*mesh.VirtualHost]bool) {
	for i := range host.Routes {
		summarizeRoute(log, host.Name, &host.Routes[i])
	}
	if len(host.Routes) == 0 {
		log.Info("virtual host " + host.Name + " has no routes: 404")
	}
	for _, r := range host.Routes {
		if r.Service != nil && !told[r.Service] {
			told[r.Service] = true
			summarizeHost(log, r.Service, told)
		}
	}
}

func summarizeRoute(log *slog.Logger, host string, r *mesh.Route) {
	if r.Refuse != "" {
		log.Warn("route "+host+" "+r.Name+" is refused", "why", r.Refuse)
		return
	}
	if r.Service != nil {
		log.Info("gateway route "+host+" "+r.Name, "match", r.Match.String(), "rewrite", r.Rewrite.String(), "virtual service", r.Service.Name)
		return
	}
	retries := "none"
	if p := r.Retry; p != nil {
		retries = fmt.Sprintf("%d (%s)", p.MaxRetries, p.Origin)
	}
	log.Info("route "+host+" "+r.Name,
		"timeout", fmt.Sprintf("%s (%s)", r.Timeout.Value, r.Timeout.Origin),
		"idle", fmt.Sprintf("%s (%s)", r.Idle.Value, r.Idle.Origin),
		"retries", retries)
}
