// Package app assembles the process: what is made, in which order, and how it
// ends. It reads like a wiring diagram; the work is done elsewhere.
//
//	main.go       the subcommands
//	run.go        outrider run: from flags to LIVE
//	sidecar.go    the parts of a running sidecar and their wires
//	stop.go       signals: drain, stop, reopen
//	reload.go     changed documents
//	gateway.go    what a virtual gateway does otherwise: its ports
//	summary.go    what is printed at start
//	page.go       what the admin page is told
//	http2.go      the HTTP/2 settings as the codec takes them
//	validate.go   outrider validate; likewise check.go, diff.go, doctor.go,
//	              explain.go, export.go, health.go, iptables.go, schema.go
//	verify.go     outrider iptables verify
//	documents.go  what the commands that look at documents have in common
//	explain_admin.go, ask.go
//	              explain and health ask a running sidecar
//	environment.go  what to do about an address that cannot be bound
package app
