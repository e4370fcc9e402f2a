// Package stat holds the cells that the data path counts in: plain atomics,
// named when state is built, never looked up while a request is served.
//
// A Set is all cells of the process. A Group is the cells that share a prefix
// (one cluster, one listener); its names come from a Layout that all groups of
// that kind share, so a group costs its cells and not its names. Asking a Set
// twice for one prefix gives the same Group: counters live by name, and no
// reload resets them. Beside groups a Set has computed values: a number or a
// text that a function gives when somebody reads.
//
// Writers (Inc, Add, Set, Observe) never lock and, after a histogram's or a
// code's first value, never allocate. Readers walk Set.Each for every cell by
// name, or Set.Groups when they want to keep their own index. Whether a cell
// was ever touched (Envoy: usedonly) is remembered: a counter that was reset,
// or a gauge that fell back to 0, stays "used".
//
// A Histogram counts in log-linear steps. A Reading is a copy of them, out of
// which come quantiles and Envoy's fixed Buckets; Intervals gives a reader the
// part that is new since it last looked.
package stat
