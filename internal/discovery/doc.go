// Package discovery turns the mesh's Discovery into endpoints over time.
//
// A Watcher is told which clusters there are (Sync) and calls each one's
// Update whenever its set of endpoints has changed. It never works on behalf
// of a request: names are looked up in the background, every few seconds, and
// a request finds whatever set is there.
//
// # Lookups
//
// Clusters that want the same host and family share one lookup. A lookup is
// a timer; a goroutine exists only while a question is open, and at most 128
// are open at once: a mesh of thousands of names costs no stacks. (Envoy:
// dns_refresh_rate 5 s, TTL ignored; up to a tenth is added by chance, so that
// sidecars do not ask in step.)
//
// # Static stability
//
// Envoy empties a cluster on an empty answer. Here:
//   - a server that is silent, or fails, changes nothing, for ever;
//   - a name that is gone (NXDOMAIN) or has no address keeps its endpoints
//     for 60 s (a setting), then loses them;
//   - a cluster whose host was changed by new documents keeps its old
//     endpoints until the new host was looked up, and by the same two rules
//     if that fails. (Envoy: warming.)
//
// To swap documents without a gap, Sync the union of old and new clusters,
// wait for Resolved of the new ones, swap, then Sync the new ones alone.
//
// # Sets
//
// LOGICAL_DNS is the first address of the latest answer. STRICT_DNS is all of
// them, sorted. Cloud Map is STRICT_DNS on service.namespace, but Route 53
// answers with eight records at most, drawn anew each time: while an answer
// holds eight, what was seen in the last minute stays.
//
// # Resolver
//
// The stub resolver is our own (net.Resolver hides order, TTL and what went
// wrong). It reads hosts first, as c-ares does for Envoy, then asks the
// servers of resolv.conf; see Resolver.
package discovery
