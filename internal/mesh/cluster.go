package mesh

import (
	"net/netip"
	"time"
)

// Cluster is a set of endpoints that are one another's equals: the listener of
// a target node, the local app, or the addresses callers dial themselves.
type Cluster struct {
	// Name is App Mesh's: cds_<ingress|egress>_<mesh>_<node>_<protocol>_<port>,
	// cds_egress_<mesh>_amazonaws or cds_egress_<mesh>_mesh-allow-all.
	Name string
	// Protocol is the target listener's; it says what is spoken to the
	// endpoints: HTTP/2 where it is Multiplexed, else HTTP/1.1, or bytes.
	Protocol Protocol
	// Node is the target virtual node's name; empty for the last two.
	Node      string
	Discovery Discovery
	// ConnectTimeout covers TCP connect (and TLS): 1 s to endpoints, 250 ms
	// to the local app.
	ConnectTimeout time.Duration
	Limits         Limits
	HealthCheck    *HealthCheck
	Outlier        *OutlierDetection
	// TLS is nil for plaintext. Of several backends that share the cluster it
	// is one that enforces TLS, if any does.
	TLS *ClientTLS
	// Refuse, when not empty, says why every request is answered 503 instead
	// of sent: what the server's documents demand (TLS alone) is not there yet. What a backend's client policy demands refuses its routes.
	Refuse string
	Origin Origin
}

// Discovery says where a cluster's endpoints come from.
type Discovery struct {
	Kind DiscoveryKind
	// Host is the DNS name; for Cloud Map "service.namespace".
	Host string
	// Port is the port of every endpoint: the node's listener port.
	Port       uint16
	Preference IPPreference
	// Addrs are the endpoints of a Static cluster.
	Addrs []netip.AddrPort
}

// DiscoveryKind is how endpoints are found (App Mesh 2.9).
type DiscoveryKind uint8

// The kinds of discovery.
const (
	// None: the documents name no way to find endpoints: 503 no healthy upstream.
	None DiscoveryKind = iota
	// Static: Addrs are all there is.
	Static
	// LogicalDNS: one endpoint; new connections go to the first address of
	// the latest answer.
	LogicalDNS
	// StrictDNS: every address of the answer is an endpoint.
	StrictDNS
	// CloudMap: StrictDNS on service.namespace, where an address seen in the
	// last minute stays as long as answers hold eight records (Route 53's most).
	CloudMap
	// OriginalDst: connect to the address the app chose.
	OriginalDst
)

// Limits are a cluster's circuit breakers (App Mesh connectionPool, Envoy
// 4.3). 0 is no limit. http gives the first two, tcp the first, http2 and grpc
// the last.
type Limits struct {
	MaxConnections     uint32
	MaxPendingRequests uint32
	MaxRequests        uint32
}

// HealthCheck is a listener's healthCheck, done by its callers.
type HealthCheck struct {
	Protocol           Protocol
	Path               string
	Port               uint16
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int
	Origin             Origin
}

// OutlierDetection is a listener's outlierDetection, done by its callers.
type OutlierDetection struct {
	MaxServerErrors      int
	Interval             time.Duration
	BaseEjectionDuration time.Duration
	MaxEjectionPercent   int
	Origin               Origin
}

// ClientTLS is what a client policy demands of connections to a cluster
// (App Mesh 2.12). It is compiled and not done yet: see Cluster.Refuse and
// Route.Refuse.
type ClientTLS struct {
	// Enforce is false when TLS is spoken only because the server demands it.
	Enforce bool
	// Certificate is sent when the server asks for one; zero is none.
	Certificate Certificate
	// Trust is nil without a policy: the server's certificate is judged by
	// its own kind.
	Trust *Trust
	// Names are the subject alternative names accepted; none: the discovery
	// name.
	Names  []string
	Origin Origin
}
