package appmesh

import (
	"crypto/sha256"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// kind is one of App Mesh's seven resource kinds.
type kind int

const (
	meshKind kind = iota
	serviceKind
	nodeKind
	routerKind
	routeKind
	gatewayKind
	gatewayRouteKind
	kindCount        = iota
	unknownKind kind = -1
)

// kinds says what each kind is called, and where.
var kinds = [kindCount]struct {
	label  string // in findings
	object string // the wrapper of describe output; plural adds an s or es
	plural string
	name   string // the member that names it in a request
	parent string // the member that names its parent, or ""
}{
	meshKind:         {"mesh", "mesh", "meshes", "meshName", ""},
	serviceKind:      {"virtual service", "virtualService", "virtualServices", "virtualServiceName", ""},
	nodeKind:         {"virtual node", "virtualNode", "virtualNodes", "virtualNodeName", ""},
	routerKind:       {"virtual router", "virtualRouter", "virtualRouters", "virtualRouterName", ""},
	routeKind:        {"route", "route", "routes", "routeName", "virtualRouterName"},
	gatewayKind:      {"virtual gateway", "virtualGateway", "virtualGateways", "virtualGatewayName", ""},
	gatewayRouteKind: {"gateway route", "gatewayRoute", "gatewayRoutes", "gatewayRouteName", "virtualGatewayName"},
}

// specs say what each kind's spec must be.
var specs = [kindCount]*shape{
	meshKind:         meshSpec,
	serviceKind:      serviceSpec,
	nodeKind:         nodeSpec,
	routerKind:       routerSpec,
	routeKind:        routeSpec,
	gatewayKind:      gatewaySpec,
	gatewayRouteKind: gatewayRouteSpec,
}

// A resource is what every front end ends in: one resource of a mesh with its
// spec in the canonical tree.
type resource struct {
	kind   kind
	mesh   string
	owner  string // the mesh's 12-digit owner, where any document says; see ownMeshes
	parent string // router of a route, gateway of a gateway route
	name   string
	// dated is when the resource was last changed, where the document says
	// (states, describe output); zero where it does not.
	dated time.Time
	at    mesh.Position // where the name stands
	spec  *value
	// faulty is true once an error was found in it.
	faulty bool
	// ports are the listeners of a node, router or gateway, once checked.
	ports []listener
	// digest is that of the spec, once a version asked for it: a resource is
	// within the reach of many.
	digest atomic.Pointer[[sha256.Size]byte]
}

// String names the resource as findings do: virtual node "user-service".
func (r *resource) String() string {
	return kinds[r.kind].label + " " + strconv.Quote(r.name)
}

// A listener is one port of a node, router or gateway.
type listener struct {
	port     uint16
	protocol mesh.Protocol
	// tls is the mode of the listener: STRICT, PERMISSIVE, or "" for plain.
	tls  string
	spec *value
	at   *path
}

// portless reports whether the spec gives no listener at all.
func (r *resource) portless() bool { return len(r.spec.get("listeners").list()) == 0 }

// readPorts keeps the listeners that passed the check.
func (r *resource) readPorts() {
	listeners := r.spec.get("listeners")
	for i, v := range listeners.list() {
		mapping := v.get("portMapping")
		port, protocol := mapping.get("port").int(), mapping.get("protocol").str()
		if port < 1 || port > 65535 || protocol == "" {
			continue
		}
		l := listener{uint16(port), protocolOf(protocol), v.get("tls", "mode").str(), v, (*path)(nil).name("listeners").index(i)}
		switch {
		case protocol == "https":
			l.tls = "STRICT"
		case l.tls == "DISABLED":
			l.tls = ""
		}
		r.ports = append(r.ports, l)
	}
}

// protocolOf reads a checked protocol. Decision: https, which the API does
// not know and the guide's readers write, is http and TLS required.
func protocolOf(s string) mesh.Protocol {
	switch s {
	case "http2":
		return mesh.HTTP2
	case "grpc":
		return mesh.GRPC
	case "tcp":
		return mesh.TCP
	}
	return mesh.HTTP
}
