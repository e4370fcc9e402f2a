// Package testkit is what tests of the engine talk to: servers and clients
// over raw sockets that do exactly what a test says, and nothing by themselves.
//
//	app.go      an HTTP/1.1 server that follows a script
//	step.go     the steps of a script
//	echo.go     a TCP server that sends back what it gets; tls.go the same in TLS
//	client.go   an HTTP/1.1 client that sees every byte
//	wait.go     waiting for what happens in another goroutine; descriptors
//
// sidecar/ builds a running sidecar, in this process, from a mesh.Snapshot;
// netns/ gives a test a machine of its own; golden/ holds what a test makes of
// testdata/*.txtar against what is wanted; built/ gives it the shipped program.
//
// Nothing here sleeps: what has to wait waits for an event, bounded by Patience
// so that a test that hangs fails with its own words.
package testkit
