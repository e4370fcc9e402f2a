package diff

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A thing is a part of a snapshot that is there or not: a listener, a virtual
// service, a route, a cluster.
type thing struct {
	key    string // tells it from its siblings
	name   string
	says   string // all of it in short, for when it comes or goes
	origin mesh.Origin
	// aspects of one kind of thing are always the same, in the same order.
	aspects []aspect
	// parts are looked at where the thing is in both snapshots; their order
	// counts where ordered says what it is called.
	parts   []thing
	ordered string
}

// An aspect is one value of a thing.
type aspect struct {
	name   string
	words  string
	origin mesh.Origin
	// same, where it is not empty, is compared in place of words.
	same string
}

// things are all of a snapshot.
func things(s *mesh.Snapshot) []thing {
	all := []thing{{key: "proxy", aspects: []aspect{
		{name: "traffic that no backend covers", words: egress(s), origin: s.EgressOrigin},
		{name: "preferred IP version", words: s.Preference.String(), origin: s.PreferenceOrigin},
		{name: "access log", words: s.AccessLog.String(), origin: logOrigin(s.AccessLog)},
	}}}
	gates := make(map[*mesh.Cluster]bool)
	for _, l := range slices.Concat(s.Inbound, s.Outbound) {
		all = append(all, listener(l))
		gates[l.Gate] = true
	}
	for _, c := range s.Clusters {
		if !gates[c] && c.Discovery.Kind != mesh.OriginalDst {
			all = append(all, cluster(c))
		}
	}
	return all
}

// egress is nothing on a gateway, which has no app.
func egress(s *mesh.Snapshot) string {
	switch {
	case s.Resource.Kind == mesh.VirtualGateway:
		return "none"
	case s.Egress == mesh.AllowAll:
		return "passes (ALLOW_ALL)"
	}
	return "is dropped (DROP_ALL)"
}

func logOrigin(l *mesh.AccessLog) mesh.Origin {
	if l == nil {
		return mesh.Default("App Mesh writes none")
	}
	return l.Origin
}

func listener(l *mesh.Listener) thing {
	t := thing{
		key:    l.Direction.String() + strconv.Itoa(int(l.Port)),
		name:   fmt.Sprintf("%s port %d", l.Direction, l.Port),
		origin: l.Origin,
		aspects: []aspect{
			{name: "protocol", words: l.Protocol.String(), origin: l.Origin},
			{name: "TLS of its clients", words: serverTLS(l.TLS), origin: tlsOrigin(l)},
			{name: "connections", words: served(l.Refuse, "closed"), origin: l.Origin},
			{name: "limits", words: gateLimits(l), origin: l.Origin},
			{name: "any port in the authority", words: strconv.FormatBool(l.AnyPort), origin: l.Origin},
			shares("goes to", l.Targets, l.Origin),
			timeout("idle timeout", l.IdleTimeout),
		},
	}
	if l.AnyPort {
		t.name = fmt.Sprintf("the gateway's port %d", l.Port)
	}
	if t.says = l.Protocol.String(); l.Protocol == mesh.TCP {
		t.says += ", goes to " + mesh.Shares(l.Targets)
	}
	for _, h := range l.VirtualHosts {
		if l.Direction == mesh.Ingress && !l.AnyPort {
			t.parts = append(t.parts, appRoutes(l, &h)...)
			continue
		}
		t.parts = append(t.parts, virtualHost(&h, hostName(l, &h), "of "+callName(l, &h)+", "+t.name))
		t.says += ", " + callName(l, &h)
	}
	number(t.parts)
	return t
}

// tlsOrigin is where a listener says it about TLS.
func tlsOrigin(l *mesh.Listener) mesh.Origin {
	if l.TLS == nil {
		return l.Origin
	}
	return l.TLS.Origin
}

// serverTLS is in words, with names in one order. TLS that is off is none.
func serverTLS(t *mesh.ServerTLS) string {
	if t == nil || t.Mode == mesh.TLSDisabled {
		return (*mesh.ServerTLS)(nil).String()
	}
	c := *t
	c.ClientNames = slices.Sorted(slices.Values(t.ClientNames))
	return c.String()
}

// gateLimits are those of a gateway's listener; a node's stand with its app.
func gateLimits(l *mesh.Listener) string {
	if l.Gate == nil {
		return mesh.Limits{}.String()
	}
	return l.Gate.Limits.String()
}

// callName is what a virtual host is called: a virtual service's name, or on a
// gateway a hostname.
func callName(l *mesh.Listener, h *mesh.VirtualHost) string {
	if l.AnyPort && slices.Contains(h.Domains, "*") {
		return "all other hosts"
	}
	return h.Name
}

func hostName(l *mesh.Listener, h *mesh.VirtualHost) string {
	if l.AnyPort {
		return fmt.Sprintf("%s, the gateway's port %d", callName(l, h), l.Port)
	}
	return fmt.Sprintf("virtual service %s, %s port %d", h.Name, l.Direction, l.Port)
}

// appRoutes are those of a node's own listener: requests to its app.
func appRoutes(l *mesh.Listener, h *mesh.VirtualHost) []thing {
	var all []thing
	for i := range h.Routes {
		t := route(&h.Routes[i], fmt.Sprintf("of the app, %s port %d", l.Direction, l.Port), i, len(h.Routes))
		if h.Routes[i].Name == "" {
			t.name = fmt.Sprintf("requests to the app, %s port %d", l.Direction, l.Port)
		}
		all = append(all, t)
	}
	return all
}

// virtualHost is one name with its routes; of is how they are told from those
// of others.
func virtualHost(h *mesh.VirtualHost, name, of string) thing {
	t := thing{key: h.Name, name: name, says: count(len(h.Routes), "route"), origin: h.Origin, ordered: "order of routes", aspects: []aspect{
		{name: "names", words: strings.Join(h.Domains, " "), origin: h.Origin},
	}}
	if len(h.Routes) == 0 {
		t.says = "no route: every request is answered 404"
	}
	for i := range h.Routes {
		t.parts = append(t.parts, route(&h.Routes[i], of, i, len(h.Routes)))
	}
	if len(h.Routes) == 1 {
		t.says = t.parts[0].says
	}
	number(t.parts)
	return t
}

// route is the i-th of n.
func route(r *mesh.Route, of string, i, n int) thing {
	t := thing{key: "route " + r.Name, name: "route " + strconv.Quote(r.Name) + " " + of, origin: r.Origin, aspects: []aspect{
		{name: "match", words: match(r.Match), origin: r.Origin},
		{name: "requests", words: served(r.Refuse, "answered 503"), origin: r.Origin},
		shares("goes to", r.Targets, r.Origin),
		timeout("timeout", r.Timeout),
		timeout("idle timeout", r.Idle),
		{name: "tried again", words: r.Retry.String(), origin: retryOrigin(r)},
		{name: "requests tried again", words: r.Retry.Methods(), origin: retryOrigin(r)},
		{name: "wait between tries", words: r.Retry.Backoff(), origin: retryOrigin(r)},
		{name: "rewritten", words: r.Rewrite.String(), origin: rewriteOrigin(r)},
	}}
	if r.Name == "" {
		t.name = "the only route " + of
	}
	t.says = match(r.Match) + " goes to " + mesh.Shares(r.Targets)
	if r.Service != nil {
		t.says = match(r.Match) + " goes to virtual service " + r.Service.Name
		h := virtualHost(r.Service, "virtual service "+r.Service.Name+" behind "+t.name, "of "+r.Service.Name+", behind the gateway")
		h.aspects = nil // its names are its own
		t.parts = []thing{h}
	}
	if n > 1 {
		t.says += fmt.Sprintf("; looked at as number %d of %d", i+1, n)
	}
	return t
}

// match is in words with conditions in one order: all of them must hold.
func match(m mesh.Match) string {
	m.Headers, m.Query = slices.Clone(m.Headers), slices.Clone(m.Query)
	slices.SortFunc(m.Headers, func(a, b mesh.HeaderMatch) int { return cmp.Compare(a.String(), b.String()) })
	slices.SortFunc(m.Query, func(a, b mesh.QueryMatch) int { return cmp.Compare(a.String(), b.String()) })
	return m.String()
}

func retryOrigin(r *mesh.Route) mesh.Origin {
	if r.Retry == nil {
		return r.Origin
	}
	return r.Retry.Origin
}

func rewriteOrigin(r *mesh.Route) mesh.Origin {
	if r.Rewrite == nil {
		return r.Origin
	}
	return r.Rewrite.Origin
}

func timeout(name string, t mesh.Timeout) aspect {
	return aspect{name: name, words: t.String(), origin: t.Origin}
}

// shares compares proportions: weights 9 and 1 are weights 90 and 10.
func shares(name string, targets []mesh.Target, origin mesh.Origin) aspect {
	var divisor uint32
	for _, t := range targets {
		for a, b := t.Weight, divisor; ; a, b = b, a%b {
			if b == 0 {
				divisor = a
				break
			}
		}
	}
	var same strings.Builder
	for _, t := range targets {
		fmt.Fprintf(&same, "%q %d ", t.Cluster.Name, t.Weight/max(1, divisor))
	}
	return aspect{name: name, words: mesh.Shares(targets), origin: origin, same: same.String()}
}

// where is a place in brackets within a text, which says nothing of traffic.
var where = regexp.MustCompile(` \([^()]*:[0-9]+\)`)

// served says whether something is, and why not: refused is what happens then.
func served(refuse, refused string) string {
	if refuse == "" {
		return "served"
	}
	return refused + ": " + where.ReplaceAllString(refuse, "")
}

func cluster(c *mesh.Cluster) thing {
	t := thing{key: c.Name, name: c.String(), says: c.Protocol.String() + ", " + c.Discovery.String(), origin: c.Origin, aspects: []aspect{
		{name: "protocol", words: c.Protocol.String(), origin: c.Origin},
		{name: "endpoints", words: c.Discovery.String(), origin: c.Origin},
		{name: "connect timeout", words: c.ConnectTimeout.String(), origin: c.Origin},
		{name: "limits", words: c.Limits.String(), origin: c.Origin},
		{name: "health check", words: c.HealthCheck.String(), origin: c.Origin},
		{name: "outlier detection", words: c.Outlier.String(), origin: c.Origin},
		{name: "TLS", words: clientTLS(c.TLS), origin: c.Origin},
		{name: "requests", words: served(c.Refuse, "answered 503"), origin: c.Origin},
	}}
	if c.Discovery.Kind == mesh.Static {
		t.name = fmt.Sprintf("the app behind port %d", c.Discovery.Port)
	}
	if c.HealthCheck != nil {
		t.aspects[4].origin = c.HealthCheck.Origin
	}
	if c.Outlier != nil {
		t.aspects[5].origin = c.Outlier.Origin
	}
	if c.TLS != nil {
		t.aspects[6].origin = c.TLS.Origin
	}
	return t
}

// clientTLS is in words with names and authorities in one order: any will do.
func clientTLS(t *mesh.ClientTLS) string {
	if t == nil {
		return t.String()
	}
	c := *t
	c.Names = slices.Sorted(slices.Values(t.Names))
	if t.Trust != nil {
		trust := *t.Trust
		trust.ACM = slices.Sorted(slices.Values(trust.ACM))
		c.Trust = &trust
	}
	return c.String()
}

// number tells siblings of one key apart.
func number(all []thing) {
	seen := make(map[string]int, len(all))
	for i := range all {
		key := all[i].key
		if seen[key]++; seen[key] > 1 {
			all[i].key += " " + strconv.Itoa(seen[key])
		}
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
