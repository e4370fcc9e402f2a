// Package admin says what the sidecar is doing: the page on :9901, shaped as
// Envoy's, because health checks, dashboards and people's habits read it.
//
// A request passes, in this order: the limits of the HTTP server and of the
// number of connections (server.go, conns.go), who may ask for what
// (access.go), the list of endpoints (endpoints.go), and the endpoint, one
// file for each family. What an endpoint shows it asks of small interfaces
// that the server is given; nothing here reaches into the engine.
//
// Who may ask: a peer that is not loopback gets what Prometheus and health
// checks need, and nothing that changes or lists the configuration. Changes
// need POST, as in Envoy, and are refused when a browser was led here from
// another site: by its Origin (CSRF) or by a Host that is none of ours (DNS
// rebinding).
//
// Where Envoy would print what this build does not have, it prints less:
// /clusters has no high_priority lines and no success rates, /config_dump
// only what the snapshot holds. control_plane.connected_state does not exist
// while documents come from files: there is no control plane, 1 would be a
// lie and 0 an alarm; it comes with xDS, as in Envoy.
package admin
