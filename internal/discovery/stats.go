package discovery

import (
	"errors"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// Cells are the counters of a cluster's lookups, under "cluster.<name>.". The
// update_ names are Envoy's (envoy.md 7.2); update_kept_stale is ours: a
// lookup without a good answer after which the endpoints stayed.
var Cells = &stat.Layout{Counters: []string{
	"update_attempt", "update_success", "update_failure", "update_empty", "update_no_rebuild", "update_kept_stale",
}}

const (
	updateAttempt = iota
	updateSuccess
	updateFailure
	updateEmpty
	updateNoRebuild
	updateKeptStale
)

func count(cells *stat.Group, err error, o outcome) {
	cells.Counter(updateAttempt).Inc()
	switch {
	case err == nil:
		cells.Counter(updateSuccess).Inc()
	case errors.Is(err, ErrNoName), errors.Is(err, ErrEmpty):
		cells.Counter(updateEmpty).Inc()
	default:
		cells.Counter(updateFailure).Inc()
	}
	switch o {
	case unchanged:
		cells.Counter(updateNoRebuild).Inc()
	case kept:
		cells.Counter(updateKeptStale).Inc()
	}
}
