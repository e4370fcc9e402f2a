package appmesh

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Connect timeouts of App Mesh's clusters (App Mesh 2.2 and 2.9).
const (
	connectEndpoint = time.Second
	connectApp      = 250 * time.Millisecond
)

// localCluster leads to the app behind one of the node's listeners. The
// listener's connectionPool acts here, on the server's side (App Mesh 2.7).
func (c *compiler) localCluster(l *listener) *mesh.Cluster {
	return c.add(&mesh.Cluster{
		Name:           c.clusterName("ingress", c.reach.self, l),
		Protocol:       l.protocol,
		Node:           c.reach.self.name,
		Discovery:      mesh.Discovery{Kind: mesh.Static, Port: l.port, Addrs: []netip.AddrPort{netip.AddrPortFrom(c.appAddr(), l.port)}},
		ConnectTimeout: connectApp,
		Limits:         limitsOf(l),
		Origin:         mesh.At(l.spec.at),
	})
}

// limitsOf is a listener's connectionPool.
func limitsOf(l *listener) mesh.Limits {
	pool := l.spec.get("connectionPool", l.protocol.String())
	return mesh.Limits{
		MaxConnections:     limit(pool.get("maxConnections")),
		MaxPendingRequests: limit(pool.get("maxPendingRequests")),
		MaxRequests:        limit(pool.get("maxRequests")),
	}
}

// limit reads a limit; the API's "no limit", 2147483647, is 0 here.
func limit(v *value) uint32 {
	if n := v.int(); n < 1<<31-1 {
		return uint32(n)
	}
	return 0
}

// nodeCluster leads to the listener l of a target node. Several backends may
// share it; what one of them demands of TLS refuses its own routes (App Mesh
// had one TLS context for a cluster, whose policy then met all of them).
func (c *compiler) nodeCluster(b backend, node *resource, l *listener, egressPort uint16) *mesh.Cluster {
	name := c.clusterName("egress", node, l)
	cluster := c.clusters[name]
	if cluster == nil {
		cluster = c.add(&mesh.Cluster{
			Name:           name,
			Protocol:       l.protocol,
			Node:           node.name,
			Discovery:      c.discovery(node, l),
			ConnectTimeout: connectEndpoint,
			HealthCheck:    healthCheckOf(l),
			Outlier:        outlierOf(l.spec.get("outlierDetection")),
			Origin:         mesh.At(l.spec.at),
		})
	}
	c.demandTLS(cluster, b, l, egressPort)
	return cluster
}

// discovery says how a target node's endpoints are found (App Mesh 2.9). Their
// port is the listener's. A node without serviceDiscovery has none.
func (c *compiler) discovery(node *resource, l *listener) mesh.Discovery {
	found := mesh.Discovery{Port: l.port, Preference: c.nodePreference(node)}
	dns := node.spec.get("serviceDiscovery", "dns")
	switch {
	case dns.get("responseType").str() == "ENDPOINTS":
		found.Kind, found.Host = mesh.StrictDNS, dns.get("hostname").str()
	case dns != nil:
		found.Kind, found.Host = mesh.LogicalDNS, dns.get("hostname").str()
	case node.spec.has("serviceDiscovery"):
		found.Kind, found.Host = mesh.CloudMap, cloudMapService(node)
	}
	return found
}

// nodePreference is a node's ipPreference, else the mesh's.
func (c *compiler) nodePreference(node *resource) mesh.IPPreference {
	found := node.spec.get("serviceDiscovery")
	own := preference(found.get("dns", "ipPreference"), c.snapshot.Preference)
	return preference(found.get("awsCloudMap", "ipPreference"), own)
}

// originalDst is a cluster whose endpoint is the address the app chose.
func (c *compiler) originalDst(name string, origin mesh.Origin) {
	c.add(&mesh.Cluster{
		Name:           "cds_egress_" + c.reach.mesh.id.name + "_" + name,
		Protocol:       mesh.TCP,
		Discovery:      mesh.Discovery{Kind: mesh.OriginalDst},
		ConnectTimeout: connectEndpoint,
		Origin:         origin,
	})
}

func (c *compiler) add(cluster *mesh.Cluster) *mesh.Cluster {
	c.clusters[cluster.Name] = cluster
	return cluster
}

func (c *compiler) clusterName(direction string, node *resource, l *listener) string {
	return "cds_" + direction + "_" + c.reach.mesh.id.name + "_" + node.name + "_" + l.protocol.String() + "_" + strconv.Itoa(int(l.port))
}

// healthCheckOf fills in what the guide leaves out with the console's first
// values (App Mesh 0).
func healthCheckOf(l *listener) *mesh.HealthCheck {
	v := l.spec.get("healthCheck")
	if v == nil {
		return nil
	}
	given := func(name string, otherwise int64) int64 {
		if v.has(name) {
			return v.get(name).int()
		}
		return otherwise
	}
	return &mesh.HealthCheck{
		Protocol:  protocolOf(v.get("protocol").str()),
		Path:      v.get("path").str(),
		Port:      uint16(given("port", int64(l.port))),
		Interval:  time.Duration(given("intervalMillis", 30000)) * time.Millisecond,
		Timeout:   time.Duration(given("timeoutMillis", 5000)) * time.Millisecond,
		Healthy:   int(given("healthyThreshold", 2)),
		Unhealthy: int(given("unhealthyThreshold", 2)),
		Origin:    mesh.At(v.at),
	}
}

func outlierOf(v *value) *mesh.OutlierDetection {
	if v == nil {
		return nil
	}
	return &mesh.OutlierDetection{
		MaxServerErrors:      int(v.get("maxServerErrors").int()),
		Interval:             durationOf(v.get("interval")),
		BaseEjectionDuration: durationOf(v.get("baseEjectionDuration")),
		MaxEjectionPercent:   int(v.get("maxEjectionPercent").int()),
		Origin:               mesh.At(v.at),
	}
}
