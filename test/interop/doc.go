// Package interop shows that what others wrote talks through the shipped binary: the interoperability cases of gRPC, and h2spec.
//
//	main_test.go     builds the binary once
//	sidecar_test.go  a running sidecar, and the documents it reads
//	ways_test.go     the ways from a client to a server: direct, one sidecar, two
//	cases_test.go    the cases of google.golang.org/grpc/interop that need no cloud credentials
//	h2spec_test.go   h2spec against the ingress port, before an HTTP/2 and before an HTTP/1 app
//
// "direct" is the control: it says that a failure elsewhere is the sidecar's.
//
// What Outrider promises beyond that about gRPC and HTTP/2 is tested in test/e2e.
package interop
