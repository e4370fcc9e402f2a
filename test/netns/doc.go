// Package netns tests redirection with real rules, real sockets and a real kernel, for both families and both variants
// of iptables. There is nothing in it but tests:
//
//	redirect_linux_test.go   who is caught, who passes
//	tables_linux_test.go     what apply and remove do to tables that hold other people's rules
//	kill_linux_test.go       what a kill -9 leaves behind
//	sniff_linux_test.go      which protocols cross a sidecar through a redirect, and what the egress filter lets pass
//	probe_linux_test.go      processes under other users: the test binary itself, told to do one thing
//	greeter_linux_test.go    listeners that say who they are and where a connection wanted to go
//
// Every test runs in namespaces of its own (internal/testkit/netns) and never touches the machine's tables.
package netns
