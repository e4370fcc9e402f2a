// Package lb answers one question: which endpoint? One file per policy.
//
// A policy is a Picker. It is built for one membership, the endpoints that may
// be chosen at the moment, and knows nothing of them but how many there are
// (later also their weights, keys and loads): it answers with an index into
// the membership's list, so that this package imports nothing of ours and the
// engine's endpoint objects are chosen without an allocation. When a DNS
// answer, an ejection or a health check changes the membership, a new picker
// is built and swapped together with it; a picker itself never changes, but
// for the counters that its policy counts with.
//
// Select is the engine's way in: it asks a Picker and, on a retry, asks again
// while the answer is an endpoint that was tried already (Envoy:
// retry_host_predicate previous_hosts). Policies need not know of it.
package lb
