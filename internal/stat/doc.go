// Package stat holds the cells that the data path counts in: plain atomics,
// named when state is built, never looked up while a request is served.
//
// A Set is all cells of the process. A Group is the cells that share a prefix
// (one cluster, one listener); its names come from a Layout that all groups of
// that kind share, so a group costs its cells and not its names. Asking a Set
// twice for one prefix gives the same Group: counters live by name, and no
// reload resets them.
package stat
