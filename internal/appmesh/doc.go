// Package appmesh reads App Mesh documents and compiles what one sidecar must
// know of them into a mesh.Snapshot.
//
// The way of a document, downwards:
//
//	source.go      files, directories, globs and inline text become Sources
//	json.go        a Source becomes values that know their file, line and
//	yaml.go        column (value.go); JSON and YAML, with every size bounded
//	unfilled.go    texts that are YAML only once a deploy script has filled them in
//	frontend.go    values become resources: kind, names, spec. Each document
//	cli*.go        form is one front end; cli.go reads the API's own form,
//	               requests and describe output
//	cloudformation*.go, intrinsic*.go
//	               templates, and the functions in them
//	kubernetes*.go manifests of the App Mesh controller, both its versions
//	terraform*.go, pulumi.go
//	               what these tools keep of a mesh: states, plans, exports;
//	               their own sources are refused with the command that helps
//	companions.go  files that tools keep beside documents are passed over
//	loosen.go      the guide's looser spellings become the API's
//	schema*.go     the seven kinds with all their fields, limits and meanings
//	jsonschema.go  the same for editors
//	check.go       a spec is held against its schema; what passes is canonical
//	documents.go   the index of all resources: Parse, Check
//	owners.go      meshes of one name and several accounts are told apart
//	duplicates.go  of several definitions of one resource one stands
//	refs*.go       what only shows between resources: names that lead nowhere,
//	               ports and protocols that disagree, routes never reached
//	reach.go       what one node or gateway can come to need
//	compile.go     a reach becomes a Snapshot: inbound.go and outbound.go for a
//	               node, gateway*.go for a gateway; routes.go, clusters.go,
//	               tls.go, version.go for both
//	asked.go       parameters that nobody asked for
//	export*.go     the canonical tree written in a form again
//	print.go       findings for people and for programs
//	watch.go       changed files are noticed
//
// The canonical tree (a resource's checked spec) is what the compiler reads:
// member names spelt as in the API, numbers and booleans parsed, enumerations
// in the API's case, references cut down from ARNs to names. A further document
// form is a further front end that ends in the same resources and is checked
// and compiled by the same code.
//
// All findings are made once, by Parse, and belong to the resource they are
// about. Check returns all of them; Compile returns those within the reach of
// one resource at their severity and the others as warnings.
//
// Decisions where the references leave a point open stand beside the code that
// takes them, marked "Decision:".
package appmesh
