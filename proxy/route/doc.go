// Package route is the compiled route table: which route takes a request, and
// which of its clusters serves it.
//
// A Table is built once for each listener of a snapshot and never changes.
// Compile does everything that can be done beforehand: domains go into one
// map, names into lower case, regular expressions into programs of bounded
// size, clusters into whatever the engine wants to hold instead of them (the
// type parameter D). What is left for a request is one map look-up, a walk
// over the routes of one virtual host and comparisons of bytes. Nothing is
// allocated and nothing is locked.
//
// The steps, in the order in which a request takes them:
//
//	normalize.go  the path in its one canonical spelling, before anything looks at it
//	table.go      virtual host by authority, first route that matches
//	domain.go     authorities: names with "*" in front, ports that do not count
//	match.go      one route's conditions: path, method, scheme, gRPC
//	header.go     conditions on header fields
//	query.go      conditions on query parameters
//	pattern.go    regular expressions
//	rewrite.go    on a gateway: the request as its virtual service is to see it,
//	              which is then routed among that service's routes (Route.Next)
//	route.go      the weighted choice among a route's clusters
//
// Every condition is a small value with a method that tells whether it holds,
// so that explain.go can ask them one by one why a request took its route.
package route
