// Package resilience answers two questions: may we, and should we again?
//
// May we: a CircuitBreaker bounds how many connections, waiting requests and
// requests a cluster may hold at once (Envoy's circuit breakers are limits,
// not a state machine). Should we again: a RetryBudget keeps retries to a
// share of the traffic, so that a struggling cluster is not buried under its
// own retries, and a Backoff says how long to wait before one.
//
// Everything here is atomics: no locks, no clocks, no goroutines. Chance is an
// argument: what is drawn, the caller draws. Nothing imports anything of ours;
// the engine counts in its own cells what it is told here.
//
// Later, one file each: outlier detection, the half-open breaker, local rate
// limits, fault injection.
package resilience
