// Package archtest enforces the laws of the house: tests that read the source
// of the whole module and fail, with the reason, where a law is broken.
//
// A law is a function from the tree (all packages, parsed) to a list of
// violations. Each is run twice: over the module, where it must find nothing,
// and over a few lines made to break it, where it must find that. The laws
// that need the linked binary ask the go command instead, and are left out by
// -short and, with a word, while there is no binary.
//
//	laws_test.go      the list of laws, and the test that runs it
//	imports_test.go   who may import whom
//	doors_test.go     one door for each dependency
//	source_test.go    what may stand in a file, and how long it may be
//	tracked_test.go   what may stand in the repository at all
//	binary_test.go    platforms, and what the sidecar must not link
//	tree_test.go      reading the module
//	breaches_test.go  every law catches what it is for
package archtest
