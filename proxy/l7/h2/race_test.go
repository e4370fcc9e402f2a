//go:build race

package h2_test

// raceEnabled: under the race detector sync.Pool drops things on purpose.
const raceEnabled = true
