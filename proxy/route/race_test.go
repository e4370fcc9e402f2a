//go:build race

package route

// raceEnabled: under the race detector sync.Pool drops things on purpose.
const raceEnabled = true
