// Package doctor says which way into the sidecar works here, in a task or a namespace, and if not, why not and what
// to do: `outrider doctor`.
//
// Read the files in this order:
//
//	doctor.go     who is examined (Patient), with which eyes (Machine), and the list of examinations
//	finding.go    a verdict, what was seen, why it matters, the fix
//	look.go       what several examinations need is looked at once: sockets, rules, admin page, one try
//	plan.go       which rules ought to be there
//	try.go        one connection to an address that nobody has
//	sockets.go    /proc/net/tcp: who listens where
//	process.go    whose sockets these are
//	sidecar.go    which of them is the sidecar
//	way.go        does redirecting work, does dialling directly work?
//	rules.go      are the rules as planned?
//	user.go       does the sidecar's own traffic pass?
//	ports.go      the sidecar's ports, and the app's
//	names.go      do the names of the documents resolve?
//	page.go       does the admin page answer?
//	settings.go   the environment of the process, and the documents
//	limits.go     open files, memory, ports and connection tracking
//	report.go     text and JSON
//
// # Design
//
// An examination is a small function that reads what was looked at and gives findings. It never fails: what it could
// not look at is a finding too, with the reason. Nothing is changed. Traffic goes to loopback, to the configured
// resolver, and once, as a try, to an address of a block for documentation (RFC 5737), which nobody has: a redirected
// connection to it is taken by the sidecar at once, any other goes nowhere. (A sidecar that lets everything out may set
// out for that address itself, until the try is closed.) It is not made where the rules would send the sidecar's own
// traffic back to it: it would go round.
//
// All is bounded: a connection takes a second at most, a name two, all names ten; files are read up to a size.
package doctor
