// Package config is how this process was started: flags, environment,
// defaults, and where each value came from.
//
// ParseRun turns the arguments and the environment of `outrider run` into a
// Run, a plain struct. Four levels speak, each overruling the one before:
//
//	default < App Mesh's variable < OUTRIDER_ variable < flag
//
// Every flag --some-thing has a variable OUTRIDER_SOME_THING. Flags and
// OUTRIDER_ variables are strict: a bad value is a *UsageError (exit code 2),
// and all problems are told at once. An empty variable is an unset one.
//
// App Mesh's variables (variable.go lists every one of the image's contract)
// keep the two families of rules that AWS's agent had: those read for the
// bootstrap are trimmed and fatal when bad; those read by the process manager
// are not trimmed, and a bad one becomes the default, which the agent did in
// silence and Outrider says. A variable that this build does not act on is
// answered once, with a Warning that says what it would have done.
//
// The second half of the package fits the Go runtime to the machine: what the
// cgroup, the CPU affinity and the ECS task metadata allow (Measure), applied
// (Budget.Apply), the heartbeat of a one-core process, the open-file limit.
//
// Nothing here logs: warnings, findings and summary lines are returned.
package config
