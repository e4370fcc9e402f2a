// Package sidecar builds a running sidecar, in the test's own process, from a
// mesh.Snapshot:
//
//	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
//	route := sidecar.Route(sidecar.Cluster("user", app.Addr))
//	s := sidecar.Start(t, sidecar.Mesh(sidecar.Backend("user.local", 8080, route)))
//	got := testkit.Get(t, s.Egress, "user.local", "/")
//
// Nothing redirects to it: it is spoken to in direct mode.
//
//	mesh.go      values of package mesh with App Mesh's defaults
//	gateway.go   a virtual gateway, which is spoken to on its own ports
//	sidecar.go   the engine, put together as internal/app does it
//	names.go     a source of endpoints that the test moves
//	records.go   an access log that the test reads
package sidecar
