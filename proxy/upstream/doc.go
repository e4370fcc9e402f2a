// Package upstream answers an exchange from a cluster: which endpoint, over
// which connection, how long, and what if it fails.
//
//	forward.go    the attempts at one exchange: a retry loop that is a loop
//	gate.go       ... within the limits of a gateway's listener, too
//	attempt.go    one attempt: endpoint, connection, request, response head
//	retry.go      may we, should we again?
//	replay.go     a request's body, kept while it may be needed again
//	upload.go    a bound on bodies that are still coming
//	failure.go    how an attempt failed, and what the client is told
//	leg.go        one request under way, on a connection or on a stream
//	pool.go       an endpoint's HTTP/1.1 connections: LIFO, limits, who waits
//	conn.go       one of them
//	mux.go        an endpoint's HTTP/2 connections, and who waits for a stream
//	muxconn.go    one of them, and a stream of it
//	await.go      waiting for a turn, a deadline, or the client's leave
//	grpc.go       what gRPC requests ask for; grpcstats.go counts them
//	cluster.go    a cluster at work: membership and picker, limits, cells
//	manager.go    all clusters: they outlive snapshots
//	sweep.go      idle connections are closed in time
//
// Locks: a pool's, held for a few instructions and never while anything
// blocks; under it an HTTP/2 connection's, when a stream is opened. Memberships
// are immutable and swapped by pointer; a DNS answer swaps one membership, never
// the snapshot.
package upstream
