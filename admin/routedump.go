package admin

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

type routesDump struct {
	Type   string      `json:"@type"`
	Active []routeDump `json:"dynamic_route_configs,omitempty"`
}

type routeDump struct {
	Version string      `json:"version_info,omitempty"`
	Config  routeConfig `json:"route_config"`
	Updated string      `json:"last_updated"`
}

type routeConfig struct {
	Name  string        `json:"name"`
	Hosts []virtualHost `json:"virtual_hosts,omitempty"`
}

type virtualHost struct {
	Name    string        `json:"name"`
	Domains []string      `json:"domains"`
	Routes  []routeMember `json:"routes,omitempty"`
	Origin  string        `json:"origin"`
}

type routeMember struct {
	Name  string      `json:"name,omitempty"`
	Match matchConfig `json:"match"`
	Route routeAction `json:"route"`
	// Refused says why it answers 503 (ours).
	Refused string `json:"refused,omitempty"`
	Origin  string `json:"origin"`
}

type matchConfig struct {
	Prefix  string        `json:"prefix,omitempty"`
	Exact   string        `json:"path,omitempty"`
	Regex   string        `json:"safe_regex,omitempty"`
	Method  string        `json:"method,omitempty"`
	Scheme  string        `json:"scheme,omitempty"`
	GRPC    bool          `json:"grpc,omitempty"`
	Headers []matchMember `json:"headers,omitempty"`
	Query   []matchMember `json:"query_parameters,omitempty"`
}

type matchMember struct {
	Name    string      `json:"name"`
	Present bool        `json:"present_match,omitempty"`
	Exact   string      `json:"exact_match,omitempty"`
	Prefix  string      `json:"prefix_match,omitempty"`
	Suffix  string      `json:"suffix_match,omitempty"`
	Regex   string      `json:"safe_regex_match,omitempty"`
	Range   *matchRange `json:"range_match,omitempty"`
	Invert  bool        `json:"invert_match,omitempty"`
}

type matchRange struct {
	Start int64 `json:"start,string"`
	End   int64 `json:"end,string"`
}

type routeAction struct {
	Clusters    []weightedTarget `json:"weighted_clusters,omitempty"`
	TotalWeight uint32           `json:"total_weight,omitempty"`
	Timeout     string           `json:"timeout"`
	IdleTimeout string           `json:"idle_timeout"`
	Retry       *retryConfig     `json:"retry_policy,omitempty"`
	gatewayAction
}

type retryConfig struct {
	On            string `json:"retry_on,omitempty"`
	NumRetries    int    `json:"num_retries"`
	PerTryTimeout string `json:"per_try_timeout,omitempty"`
	StatusCodes   []int  `json:"retriable_status_codes,omitempty"`
	BackoffBase   string `json:"base_interval"`
	BackoffMax    string `json:"max_interval"`
	Origin        string `json:"origin"`
}

func dumpRoutes(snapshot *mesh.Snapshot, updated string) routesDump {
	out := routesDump{Type: dumpType + "RoutesConfigDump"}
	for _, chains := range [][]*mesh.Listener{snapshot.Inbound, snapshot.Outbound} {
		for _, l := range chains {
			if l.Protocol != mesh.TCP {
				out.Active = append(out.Active, routeDump{snapshot.Version, routesOf(l), updated})
			}
		}
	}
	for _, config := range servicesOf(snapshot.Inbound) {
		out.Active = append(out.Active, routeDump{snapshot.Version, config, updated})
	}
	return out
}

func routesOf(l *mesh.Listener) routeConfig {
	out := routeConfig{Name: l.RouteName()}
	for i := range l.VirtualHosts {
		out.Hosts = append(out.Hosts, virtualHostOf(&l.VirtualHosts[i], l.Gate))
	}
	return out
}

func virtualHostOf(v *mesh.VirtualHost, gate *mesh.Cluster) virtualHost {
	host := virtualHost{Name: v.Name, Domains: v.Domains, Origin: v.Origin.String()}
	for i := range v.Routes {
		host.Routes = append(host.Routes, routeOf(&v.Routes[i], gate))
	}
	return host
}

func routeOf(r *mesh.Route, gate *mesh.Cluster) routeMember {
	if r.Service != nil {
		return gatewayRouteOf(r, gate)
	}
	action := routeAction{Clusters: targetsOf(r.Targets), Timeout: seconds(r.Timeout.Value), IdleTimeout: seconds(r.Idle.Value)}
	for _, t := range r.Targets {
		action.TotalWeight += t.Weight
	}
	if r.Retry != nil {
		action.Retry = retryOf(r.Retry)
	}
	return routeMember{Name: r.Name, Match: matchOf(&r.Match), Route: action, Refused: r.Refuse, Origin: r.Origin.String()}
}

func matchOf(m *mesh.Match) matchConfig {
	out := matchConfig{Prefix: m.Prefix, Exact: m.Exact, Regex: m.Regex, Method: m.Method, Scheme: m.Scheme, GRPC: m.GRPC}
	if m.Prefix == "" && m.Exact == "" && m.Regex == "" {
		out.Prefix = "/"
	}
	for _, h := range m.Headers {
		member := matchMemberOf(h.Name, h.Kind, h.Value)
		member.Invert = h.Invert
		if h.Kind == mesh.MatchRange {
			member.Range = &matchRange{h.Start, h.End}
		}
		out.Headers = append(out.Headers, member)
	}
	for _, q := range m.Query {
		out.Query = append(out.Query, matchMemberOf(q.Name, q.Kind, q.Value))
	}
	return out
}

func matchMemberOf(name string, kind mesh.MatchKind, value string) matchMember {
	m := matchMember{Name: name}
	switch kind {
	case mesh.MatchPresent:
		m.Present = true
	case mesh.MatchExact:
		m.Exact = value
	case mesh.MatchPrefix:
		m.Prefix = value
	case mesh.MatchSuffix:
		m.Suffix = value
	case mesh.MatchRegex:
		m.Regex = value
	}
	return m
}

func retryOf(r *mesh.RetryPolicy) *retryConfig {
	out := &retryConfig{
		On:          strings.Join(retryWords(r), ","),
		NumRetries:  r.MaxRetries,
		StatusCodes: r.StatusCodes,
		BackoffBase: seconds(r.BackoffBase),
		BackoffMax:  seconds(r.BackoffMax),
		Origin:      r.Origin.String(),
	}
	if r.PerTryTimeout > 0 {
		out.PerTryTimeout = seconds(r.PerTryTimeout)
	}
	return out
}

// grpcWords are the retry conditions that have a name in Envoy, by status.
var grpcWords = [...]struct {
	status uint
	word   string
}{{1, "cancelled"}, {4, "deadline-exceeded"}, {8, "resource-exhausted"}, {13, "internal"}, {14, "unavailable"}}

// retryWords spells a policy as Envoy's retry_on.
func retryWords(r *mesh.RetryPolicy) (words []string) {
	for _, c := range [...]struct {
		on   mesh.RetryOn
		word string
	}{{mesh.RetryConnectFailure, "connect-failure"}, {mesh.RetryRefusedStream, "refused-stream"}, {mesh.RetryReset, "reset"}} {
		if r.On&c.on != 0 {
			words = append(words, c.word)
		}
	}
	if len(r.StatusCodes) > 0 {
		words = append(words, "retriable-status-codes")
	}
	for _, g := range grpcWords {
		if r.GRPCStatus&(1<<g.status) != 0 {
			words = append(words, g.word)
		}
	}
	return words
}
