// Package netns gives a test a machine of its own: network, mounts and processes, from which nothing can leak.
//
//	func TestSomething(t *testing.T) {
//		if !netns.Isolated(t) {
//			return // the test ran in a child process, and this one has reported what became of it
//		}
//		peer := netns.New(t, "peer")
//		netns.Connect(t, netns.End{Device: "eth0", Addresses: []string{"10.0.0.1/24"}}, netns.End{In: peer, ...})
//		...
//	}
//
// # Design
//
// Isolated runs the same test again in a child process with a network, a mount and a process namespace of its own. In
// the child /run (named namespaces, the xtables lock), /etc/hosts, the folder for temporary files and /proc are private.
// All that the test makes hangs on that one process: when it ends, in whichever way, the kernel kills every process
// of the process namespace, and with the last one go interfaces, rules, mounts and files. The child is told to die with
// its parent. So a kill -9 of either leaves nothing, and no test needs to clean up for the machine's sake.
//
// Further namespaces (New) are named ones as `ip netns` knows them, inside the private /run.
//
// It needs root, iproute2 and a kernel that grants namespaces. Where these are missing tests are skipped with the
// reason; a continuous-integration run as root (CI=true) fails instead, so that they cannot rot unnoticed.
//
// On other systems than Linux the package is empty.
package netns
