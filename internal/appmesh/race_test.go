//go:build race

package appmesh

const raceEnabled = true
