package app

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// watchDocuments puts changed documents in force until ctx ends.
func (s *sidecar) watchDocuments(ctx context.Context) {
	if s.documents.watch == nil {
		<-ctx.Done()
		return
	}
	if err := s.documents.watch.Run(ctx, settle, func() { s.reload(ctx) }); err != nil && ctx.Err() == nil {
		s.log.Logger("config").Error("watching the documents failed: changes will not be seen", "error", err)
		<-ctx.Done()
	}
}

// reload reads the documents again. A set with errors within reach is refused,
// and what is in force stays.
func (s *sidecar) reload(ctx context.Context) {
	log := s.log.Logger("config")
	snap, findings, err := s.documents.read()
	if err != nil {
		s.updates.Failed()
		log.Error("reading changed documents failed: what is in force stays", "error", err)
		return
	}
	if snap == nil {
		s.updates.Rejected()
		log.Error("changed documents rejected: what is in force stays")
		logFindings(log, findings)
		return
	}
	if current, _ := s.live.Current(); current != nil && current.Version == snap.Version {
		log.Debug("documents changed, but nothing within reach did")
		return
	}
	before := s.server.Addrs(mesh.Ingress)
	err = s.live.Apply(ctx, snap)
	s.countPorts(before, err)
	if err != nil {
		s.updates.Rejected()
		log.Error("changed documents rejected: what is in force stays", "error", s.explainBind(err))
		return
	}
	s.updates.Accepted(snap)
	log.Info("changed documents are in force", "version", snap.Version)
	logFindings(log, snap.Findings)
}

func logFindings(log *slog.Logger, findings []mesh.Finding) {
	for _, f := range findings {
		level := slog.LevelWarn
		if f.Severity == mesh.Error {
			level = slog.LevelError
		}
		if f.Severity == mesh.NotYet {
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, findingLine(f))
	}
}

// findingLine is a finding on one line.
func findingLine(f mesh.Finding) string {
	line := f.Severity.String() + ": "
	if f.File != "" {
		line = f.Position.String() + ": " + line
	}
	if f.Resource != "" {
		line += f.Resource + ": "
	}
	if f.Field != "" {
		line += f.Field
		if f.Value != "" {
			line += " " + strconv.Quote(f.Value)
		}
		line += ": "
	}
	line += f.Message
	if f.Hint != "" {
		line += " (" + f.Hint + ")"
	}
	return line
}
