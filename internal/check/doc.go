// Package check holds a task definition and the documents of its mesh against
// what this build does, before anybody changes an image.
//
// Every variable of a container, property of the proxyConfiguration, setting of
// a container that concerns the sidecar, field of the mesh within reach and
// document gets a Verdict: honoured, approximated (how), unknown, not yet, or
// wrong in the document; and says whether traffic would behave differently, or
// only what is seen of it.
//
//	check.go       what is asked, and the report as a whole
//	report.go      verdicts, sections, counts, the conclusion
//	task.go        one task definition: which container is the proxy?
//	variables.go   its environment, by internal/config's own tables
//	redirect.go    proxyConfiguration, by iptables' own parsers
//	initcontainer.go  a container that installs the redirect instead
//	health.go      the health check's command, dependsOn
//	container.go   the other settings of the proxy's container
//	neighbours.go  the other containers
//	differences.go  what is done otherwise on purpose, and which setting undoes it
//	fields.go      the mesh, by internal/appmesh's findings and tables
//	text.go        for people
//	json.go        for programs
//
// Decision: the measure is App Mesh's image, not perfection. A mistake that it
// made the same of is told as wrong, and changes nothing; only what behaves
// otherwise than before changes traffic. Everything is judged from what is
// written: no network, no AWS, no kernel.
//
// No value of a variable is shown but of those that App Mesh or Outrider knows
// and whose name does not smell of a secret; what is under `secrets` is not even
// read.
package check
