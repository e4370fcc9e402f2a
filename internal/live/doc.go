// Package live is the current snapshot: the one place that swaps it, and that
// ends it.
//
//	state.go   what is in force, and how the next one takes over
//	drain.go   when may the process go?
package live
