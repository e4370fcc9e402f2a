// Package e2e tests the binary as it is shipped, from outside: exit codes, traffic in direct mode between real servers
// and clients (curl among them), reloads, drains, the admin interface, and what is left when it goes.
//
//	main_test.go      builds the binary once
//	sidecar_test.go   a running sidecar: start, signals, log, admin answers
//	documents_test.go mesh documents as Go values
//	backend_test.go   the servers behind it and the clients before it
//	gateway_bed_test.go  the same for virtual gateways, and real curl
//	*_test.go         the tests, one file for each subject
//
// Every test has a network of its own under 127.0.0.0/8 (network_test.go), so tests run side by side and beside other runs. No
// test waits for time to pass: each polls something that can be seen, with a deadline.
package e2e
