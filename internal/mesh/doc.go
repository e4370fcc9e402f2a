// Package mesh is the compiled mesh: plain immutable values that say what one
// sidecar has to do. It is the vocabulary everybody shares.
//
// Documents (internal/appmesh, later internal/xds) are compiled into one
// Snapshot; the engine (proxy/...) serves traffic from it. A Snapshot never
// changes after it was built: a new set of documents makes a new Snapshot.
// Nothing here does I/O, and nothing here is looked at while a request is
// served except through tables that were built from it beforehand.
//
// Every value that came from a document remembers where (Origin), so that the
// start-up summary, findings and errors can name file, line and column.
package mesh
