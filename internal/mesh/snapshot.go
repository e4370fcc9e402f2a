package mesh

import "time"

// Snapshot is everything a sidecar must know to serve one resource.
// The zero value serves nothing.
type Snapshot struct {
	Resource Resource
	// Version identifies the content: equal documents give equal versions.
	Version string
	// Egress says what happens to traffic no backend covers.
	Egress       EgressFilter
	EgressOrigin Origin
	// Preference is the mesh-wide ipPreference; it decides the bind addresses.
	Preference       IPPreference
	PreferenceOrigin Origin
	// Inbound holds the chains of the ingress port, one for each listener of
	// the node, ordered by port. Those of a virtual gateway are bound to their
	// own ports instead: nothing redirects to it.
	Inbound []*Listener
	// Outbound holds the chains of the egress port, one for each distinct port
	// among the listed backends, ordered by port.
	Outbound []*Listener
	// Clusters holds every cluster that a chain can reach, ordered by name.
	// Routes point into it.
	Clusters []*Cluster
	// AccessLog is nil when the documents ask for none.
	AccessLog *AccessLog
	// Documents are the files (or names of inline texts) that were read.
	Documents []string
	// Findings are what the documents could not promise within the resource's
	// reach: warnings and not-yet; errors prevent a Snapshot.
	Findings []Finding
}

// Resource names what the sidecar stands for.
type Resource struct {
	Mesh string
	// Owner is the 12-digit account of a shared mesh, or empty.
	Owner string
	Kind  ResourceKind
	Name  string
}

// String gives the short form that APPMESH_RESOURCE_ARN takes,
// "mesh/my-mesh/virtualNode/user-service".
func (r Resource) String() string {
	mesh := r.Mesh
	if r.Owner != "" {
		mesh += "@" + r.Owner
	}
	return "mesh/" + mesh + "/" + r.Kind.String() + "/" + r.Name
}

// ResourceKind is the kind of resource a proxy can stand for.
type ResourceKind uint8

// The kinds a proxy can stand for.
const (
	VirtualNode ResourceKind = iota
	VirtualGateway
)

// String is the path segment used in App Mesh resource names.
func (k ResourceKind) String() string {
	if k == VirtualGateway {
		return "virtualGateway"
	}
	return "virtualNode"
}

// EgressFilter is the mesh's egressFilter.type (App Mesh 1.1).
type EgressFilter uint8

// DropAll is what App Mesh does when the mesh says nothing.
const (
	DropAll EgressFilter = iota
	AllowAll
)

// String is the spelling of the App Mesh API.
func (f EgressFilter) String() string {
	if f == AllowAll {
		return "ALLOW_ALL"
	}
	return "DROP_ALL"
}

// Direction tells a chain of the ingress port from one of the egress port.
type Direction uint8

// The two directions a sidecar serves.
const (
	Ingress Direction = iota
	Egress
)

// String is the word used in listener, route and stat names.
func (d Direction) String() string {
	if d == Egress {
		return "egress"
	}
	return "ingress"
}

// Protocol is the protocol of a port mapping.
type Protocol uint8

// The protocols of App Mesh port mappings.
const (
	HTTP Protocol = iota
	HTTP2
	GRPC
	TCP
)

// String is the spelling of the App Mesh API and of cluster names.
func (p Protocol) String() string {
	return [...]string{"http", "http2", "grpc", "tcp"}[p]
}

// Multiplexed tells whether endpoints of this protocol are spoken to in HTTP/2,
// in cleartext by prior knowledge (App Mesh 2.9). Those of http get HTTP/1.1,
// whatever their caller speaks. Towards clients it says nothing: every HTTP
// listener takes both.
func (p Protocol) Multiplexed() bool { return p == HTTP2 || p == GRPC }

// IPPreference is an ipPreference of a mesh or of a node (App Mesh 2.9).
type IPPreference uint8

// AnyFamily is "no preference": IPv6 first, falling back to IPv4, for DNS;
// IPv4 then IPv6 for Cloud Map.
const (
	AnyFamily IPPreference = iota
	IPv4Only
	IPv6Only
	IPv4Preferred
	IPv6Preferred
)

// String is the spelling of the App Mesh API.
func (p IPPreference) String() string {
	return [...]string{"none", "IPv4_ONLY", "IPv6_ONLY", "IPv4_PREFERRED", "IPv6_PREFERRED"}[p]
}

// Listener is one chain: what happens to connections whose original
// destination port is Port (App Mesh 2.2 and 2.3; an Envoy filter chain).
type Listener struct {
	Direction Direction
	Port      uint16
	Protocol  Protocol
	// VirtualHosts are the names served, for all protocols but TCP.
	// One without routes answers 404.
	VirtualHosts []VirtualHost
	// Targets share the connections of a TCP chain by weight.
	Targets []Target
	// AnyPort is true where a port in an authority does not count when its
	// virtual host is looked for: on a virtual gateway, whose clients dial the
	// port of a load balancer.
	AnyPort bool
	// Gate, on a virtual gateway's listener, carries its connectionPool: what it
	// lets through at once, under the name of the cluster by which App Mesh's
	// Envoy came back to itself (App Mesh 2.5, 2.7). Nil on all others.
	Gate *Cluster
	// TLS is what an ingress listener says about TLS; nil: nothing.
	TLS *ServerTLS
	// IdleTimeout closes a TCP connection without bytes; 0 never.
	IdleTimeout Timeout
	// Refuse, when not empty, says why every connection is closed instead of
	// served: what the documents demand (say, STRICT TLS, or TLS to the backend
	// of a TCP chain) is not there yet.
	Refuse string
	Origin Origin
}

// RouteName is the route configuration's name (App Mesh 2.1).
func (l *Listener) RouteName() string {
	return "rds_" + l.Direction.String() + "_" + l.Protocol.String() + "_" + utoa(l.Port)
}

// VirtualHost is the routes of one authority (App Mesh 2.4).
type VirtualHost struct {
	// Name is the virtual service's name, as written.
	Name string
	// Domains are lower case: "name" and "name:port", "*" before a suffix, or
	// "*" alone. A name counts before a suffix, a longer suffix before a shorter
	// one, "*" last.
	Domains []string
	// Routes are in order of evaluation: the first match wins. Empty: 404.
	Routes []Route
	Origin Origin
}

// Route is one match and what is done with what it matches.
type Route struct {
	// Name is the route's name in the documents; empty for the route of a
	// virtual-node provider or of an ingress chain.
	Name  string
	Match Match
	// Targets share the requests by weight. All weights 0: 503.
	Targets []Target
	// Timeout bounds the whole response, from the end of the request
	// (Envoy: route timeout). Value 0 is no limit.
	Timeout Timeout
	// Idle bounds silence on the stream. Value 0 is no limit.
	Idle Timeout
	// Retry is nil where nothing is ever retried (ingress).
	Retry *RetryPolicy
	// Rewrite changes the request before it goes on; nil changes nothing.
	Rewrite *Rewrite
	// Service, in a gateway route, is the virtual service that the request goes
	// to once it is rewritten: the first of its routes that matches says all the
	// rest, and without one the answer is 404. Targets, Timeout, Idle and Retry
	// are zero here then. Nil in all other routes, and in those of Service.
	Service *VirtualHost
	// Refuse, when not empty, says why every request is answered 503 instead
	// of sent: this backend's own client policy demands TLS, which is not there
	// yet. Others may use the same clusters without.
	Refuse string
	Origin Origin
}

// Rewrite is what a gateway route does to a request (App Mesh 1.7, 2.5).
type Rewrite struct {
	// Host replaces the authority, and the Host header with it. Empty keeps
	// both; the request then says in x-app-mesh-virtual-service which virtual
	// service it is for.
	Host string
	// Service is the virtual service's name, as written.
	Service string
	// Prefix, when not nil, replaces what Match.Prefix has matched; where both
	// are equal the path stays and x-envoy-original-path says it all the same.
	Prefix *string
	// Path, when not empty, replaces the whole path. The query stays in both.
	Path   string
	Origin Origin
}

// Target is a cluster and its share.
type Target struct {
	Cluster *Cluster
	Weight  uint32
}

// Timeout is a duration and where it came from.
type Timeout struct {
	Value  time.Duration
	Origin Origin
}

// AccessLog is the node's logging.accessLog.file.
type AccessLog struct {
	Path string
	// Text is an Envoy format string; empty with JSON empty: Envoy's default line.
	Text string
	// JSON is the list of keys and format strings, in document order.
	JSON   []LogField
	Origin Origin
}

// LogField is one entry of a JSON access-log format.
type LogField struct{ Key, Value string }

func utoa(n uint16) string {
	var b [5]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
