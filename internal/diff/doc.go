// Package diff says in words what changes for traffic between two sets of
// documents. It looks at what proxies are told (mesh.Snapshot), not at the
// texts: another order, another form or a default that is written out changes
// nothing, and a line that does is told with what it does.
//
//	thing.go    a snapshot becomes things with aspects, all of them in words
//	diff.go     the things of two snapshots are compared: changes
//	report.go   changes of all proxies; those that several share are told once,
//	            in however many places they stand
//	text.go     the report for people
//	json.go     and for programs
//
// The words are those of internal/mesh/words.go. Two values that mean the same
// have the same words, so that words are what is compared; shares alone are
// compared by their proportion.
package diff
