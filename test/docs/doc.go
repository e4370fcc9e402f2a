// Package docs holds the documentation to what it says: every shell block of
// README.md and docs/ is run, every file under examples/ is put to its use, and
// the tables of docs/configuration.md are those that the code gives.
//
//	blocks_test.go    a fenced block marked sh is run, as a whole, in a folder of
//	                  its own beside the examples; it must end well. Programs that
//	                  belong to others (terraform, kubectl, ...) are stood in for
//	                  by scripts that print what the example holds (standIns)
//	tables_test.go    what stands between two "generated" marks; -update rewrites
//	links_test.go     links lead somewhere; every command has its row; what is
//	                  done otherwise on purpose is told
//	examples_test.go  task definitions through check, meshes through validate,
//	                  containers' commands and environments through what reads them
package docs
