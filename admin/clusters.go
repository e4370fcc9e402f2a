package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Cluster is a cluster and its endpoints as they are now.
type Cluster struct {
	Name   string
	Limits mesh.Limits
	// MaxRetries is how many retries may be under way at once; 0 is no limit.
	MaxRetries uint32
	Endpoints  []Endpoint
}

// Endpoint is one endpoint and what was counted for it.
type Endpoint struct {
	Address  netip.AddrPort
	Hostname string
	Health   Health
	// Weight 0 is shown as 1.
	Weight uint32

	Connections EndpointConnections
	Requests    EndpointRequests
}

// EndpointConnections counts an endpoint's connections.
type EndpointConnections struct{ Active, ConnectFail, Total uint64 }

// EndpointRequests counts an endpoint's requests: Error those answered with
// 5xx or not at all.
type EndpointRequests struct{ Active, Error, Success, Timeout, Total uint64 }

// Health is what is wrong with an endpoint; 0 is healthy.
type Health uint8

// The flags, in Envoy's order.
const (
	FailedActiveHealthCheck Health = 1 << iota
	FailedOutlierCheck
	PendingDynamicRemoval
	PendingActiveHealthCheck
)

var healthFlags = [...]string{"/failed_active_hc", "/failed_outlier_check", "/pending_dynamic_removal", "/pending_active_hc"}

// String is the text of /clusters: "healthy", or the flags one after another.
func (h Health) String() string {
	if h == 0 {
		return "healthy"
	}
	text := ""
	for i, flag := range healthFlags {
		if h&(1<<i) != 0 {
			text += flag
		}
	}
	return text
}

// noLimit is what App Mesh gave clusters without a limit.
const noLimit = 2147483647

// highPriority is of a priority that no route of App Mesh chose; App Mesh gave
// it no limits.
var highPriority = thresholds{"HIGH", noLimit, noLimit, noLimit, noLimit}

// limits prints 0, which is no limit, as App Mesh did.
func (c *Cluster) limits() thresholds {
	t := thresholds{"", c.Limits.MaxConnections, c.Limits.MaxPendingRequests, c.Limits.MaxRequests, c.MaxRetries}
	for _, n := range []*uint32{&t.Connections, &t.Pending, &t.Requests, &t.Retries} {
		if *n == 0 {
			*n = noLimit
		}
	}
	return t
}

func (s *Server) clusters(w http.ResponseWriter, q url.Values) {
	all := s.cfg.Engine.Clusters()
	if q.Get("format") == "json" {
		writeClustersJSON(w, all)
		return
	}
	for i := range all {
		writeClusterText(w, &all[i])
	}
}

func writeClusterText(w io.Writer, c *Cluster) {
	fmt.Fprintf(w, "%s::observability_name::%[1]s\n", c.Name)
	writeThresholds(w, c.Name+"::default_priority", c.limits())
	writeThresholds(w, c.Name+"::high_priority", highPriority)
	fmt.Fprintf(w, "%s::added_via_api::true\n", c.Name)
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		for _, n := range e.counts() {
			fmt.Fprintf(w, "%s::%s::%s::%d\n", c.Name, e.Address, n.name, n.value)
		}
		for _, f := range [...][2]string{
			{"hostname", e.Hostname}, {"health_flags", e.Health.String()}, {"weight", fmt.Sprint(max(e.Weight, 1))},
			{"region", ""}, {"zone", ""}, {"sub_zone", ""}, {"canary", "false"}, {"priority", "0"},
			{"success_rate", "-1"}, {"local_origin_success_rate", "-1"},
		} {
			fmt.Fprintf(w, "%s::%s::%s::%s\n", c.Name, e.Address, f[0], f[1])
		}
	}
}

func writeThresholds(w io.Writer, prefix string, t thresholds) {
	fmt.Fprintf(w, "%s::max_connections::%d\n", prefix, t.Connections)
	fmt.Fprintf(w, "%s::max_pending_requests::%d\n", prefix, t.Pending)
	fmt.Fprintf(w, "%s::max_requests::%d\n", prefix, t.Requests)
	fmt.Fprintf(w, "%s::max_retries::%d\n", prefix, t.Retries)
}

type endpointCount struct {
	name  string
	value uint64
	gauge bool
}

// counts are in the order of their names.
func (e *Endpoint) counts() [8]endpointCount {
	return [...]endpointCount{
		{"cx_active", e.Connections.Active, true},
		{"cx_connect_fail", e.Connections.ConnectFail, false},
		{"cx_total", e.Connections.Total, false},
		{"rq_active", e.Requests.Active, true},
		{"rq_error", e.Requests.Error, false},
		{"rq_success", e.Requests.Success, false},
		{"rq_timeout", e.Requests.Timeout, false},
		{"rq_total", e.Requests.Total, false},
	}
}

type clusterStatuses struct {
	Statuses []clusterStatus `json:"cluster_statuses,omitempty"`
}

type clusterStatus struct {
	Name          string       `json:"name"`
	Observability string       `json:"observability_name"`
	AddedViaAPI   bool         `json:"added_via_api"`
	Breakers      breakers     `json:"circuit_breakers"`
	Hosts         []hostStatus `json:"host_statuses,omitempty"`
}

type breakers struct {
	Thresholds []thresholds `json:"thresholds"`
}

type thresholds struct {
	Priority    string `json:"priority,omitempty"` // DEFAULT is left out
	Connections uint32 `json:"max_connections"`
	Pending     uint32 `json:"max_pending_requests"`
	Requests    uint32 `json:"max_requests"`
	Retries     uint32 `json:"max_retries"`
}

type hostStatus struct {
	Address  address      `json:"address"`
	Stats    []hostStat   `json:"stats"`
	Health   healthStatus `json:"health_status"`
	Weight   uint32       `json:"weight"`
	Hostname string       `json:"hostname,omitempty"`
	Locality struct{}     `json:"locality"`
}

type hostStat struct {
	Type  string `json:"type,omitempty"`
	Value uint64 `json:"value,omitempty,string"`
	Name  string `json:"name"`
}

type healthStatus struct {
	FailedActive   bool   `json:"failed_active_health_check,omitempty"`
	FailedOutlier  bool   `json:"failed_outlier_check,omitempty"`
	PendingRemoval bool   `json:"pending_dynamic_removal,omitempty"`
	PendingActive  bool   `json:"pending_active_hc,omitempty"`
	EDS            string `json:"eds_health_status"`
}

func writeClustersJSON(w http.ResponseWriter, all []Cluster) {
	var out clusterStatuses
	for i := range all {
		c := &all[i]
		status := clusterStatus{Name: c.Name, Observability: c.Name, AddedViaAPI: true, Breakers: breakers{[]thresholds{c.limits(), highPriority}}}
		for j := range c.Endpoints {
			status.Hosts = append(status.Hosts, hostOf(&c.Endpoints[j]))
		}
		out.Statuses = append(out.Statuses, status)
	}
	writeJSON(w, out)
}

func hostOf(e *Endpoint) hostStatus {
	h := hostStatus{Address: addressOf(e.Address), Weight: max(e.Weight, 1), Hostname: e.Hostname}
	for _, n := range e.counts() {
		stat := hostStat{Value: n.value, Name: n.name}
		if n.gauge {
			stat.Type = "GAUGE"
		}
		h.Stats = append(h.Stats, stat)
	}
	h.Health = healthStatus{
		FailedActive:   e.Health&FailedActiveHealthCheck != 0,
		FailedOutlier:  e.Health&FailedOutlierCheck != 0,
		PendingRemoval: e.Health&PendingDynamicRemoval != 0,
		PendingActive:  e.Health&PendingActiveHealthCheck != 0,
		EDS:            "HEALTHY",
	}
	return h
}
