package mesh

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What is compiled, in words: one phrase for each idea, the same wherever it is
// told (explain, diff, check, the start-up summary). A phrase has no full stop
// and names no place; its Origin does.

// String lists the conditions, the path first: `prefix /api/, method GET,
// header x-beta is "true"`.
func (m *Match) String() string { return strings.Join(m.Conditions(), ", ") }

// Conditions are the conditions one by one, in the order in which a request is
// held against them: path, method, scheme, gRPC, headers, query. The path is
// always among them, the others where they are set.
func (m *Match) Conditions() []string {
	var all []string
	switch {
	case m.Exact != "":
		all = append(all, "path "+m.Exact)
	case m.Regex != "":
		all = append(all, "path like "+m.Regex)
	case m.Prefix != "" && m.Prefix != "/":
		all = append(all, "prefix "+m.Prefix)
	default:
		all = append(all, "any path")
	}
	if m.Method != "" {
		all = append(all, "method "+m.Method)
	}
	if m.Scheme != "" {
		all = append(all, "scheme "+m.Scheme)
	}
	if m.GRPC {
		all = append(all, "gRPC")
	}
	for i := range m.Headers {
		all = append(all, m.Headers[i].String())
	}
	for i := range m.Query {
		all = append(all, m.Query[i].String())
	}
	return all
}

// String is like `header x-beta is "true"`, `header x-beta is absent`.
func (h *HeaderMatch) String() string {
	return "header " + h.Name + " " + condition(h.Kind, h.Value, h.Start, h.End, h.Invert)
}

// String is like `query parameter debug is present`.
func (q *QueryMatch) String() string {
	return "query parameter " + q.Name + " " + condition(q.Kind, q.Value, 0, 0, false)
}

func condition(kind MatchKind, value string, start, end int64, invert bool) string {
	pick := func(plain, inverted string) string {
		if invert {
			return inverted
		}
		return plain
	}
	quoted := strconv.Quote(value)
	switch kind {
	case MatchExact:
		return pick("is ", "is not ") + quoted
	case MatchPrefix:
		return pick("begins with ", "does not begin with ") + quoted
	case MatchSuffix:
		return pick("ends with ", "does not end with ") + quoted
	case MatchRegex:
		return pick("is like ", "is not like ") + value
	case MatchRange:
		return pick("is from ", "is not from ") + fmt.Sprintf("%d to %d", start, end-1)
	}
	return pick("is present", "is absent")
}

// String is the duration, or "no limit".
func (t Timeout) String() string { return limitWords(t.Value) }

func limitWords(d time.Duration) string {
	if d == 0 {
		return "no limit"
	}
	return d.String()
}

// String says how often and for what is tried again.
func (p *RetryPolicy) String() string {
	if p == nil || p.MaxRetries == 0 {
		return "never"
	}
	s := fmt.Sprintf("up to %d times on %s", p.MaxRetries, strings.Join(p.conditions(), ", "))
	if p.MaxRetries == 1 {
		s = "once on " + strings.Join(p.conditions(), ", ")
	}
	if p.PerTryTimeout > 0 {
		s += ", " + p.PerTryTimeout.String() + " each try"
	}
	return s
}

func (p *RetryPolicy) conditions() (all []string) {
	switch {
	case p.On&RetryReset != 0:
		all = append(all, "no response")
	default:
		if p.On&RetryConnectFailure != 0 {
			all = append(all, "connect failure")
		}
		if p.On&RetryRefusedStream != 0 {
			all = append(all, "refused stream")
		}
	}
	if len(p.StatusCodes) > 0 {
		codes := make([]string, len(p.StatusCodes))
		for i, c := range p.StatusCodes {
			codes[i] = strconv.Itoa(c)
		}
		all = append(all, "status "+strings.Join(codes, " "))
	}
	var grpc []string
	for code := range uint(32) {
		if p.GRPCStatus&(1<<code) != 0 {
			grpc = append(grpc, strconv.Itoa(int(code)))
		}
	}
	if grpc != nil {
		all = append(all, "grpc-status "+strings.Join(grpc, " "))
	}
	if all == nil {
		all = append(all, "nothing")
	}
	return all
}

// Share is a target's part of the requests, in words: "90 % (weight 9 of 10)",
// or "all" for one that has no rival. total is the sum of all weights.
func (t *Target) Share(total uint64) string {
	switch {
	case t.Weight == 0:
		return "none (weight 0)"
	case uint64(t.Weight) == total:
		return "all"
	}
	percent := float64(t.Weight) * 100 / float64(total)
	return strings.TrimSuffix(strconv.FormatFloat(percent, 'f', 1, 64), ".0") + fmt.Sprintf(" %% (weight %d of %d)", t.Weight, total)
}

// String says where endpoints come from.
func (d *Discovery) String() string {
	at := d.Host + " port " + utoa(d.Port)
	prefer := ""
	if d.Preference != AnyFamily {
		prefer = ", " + d.Preference.String()
	}
	switch d.Kind {
	case Static:
		addrs := make([]string, len(d.Addrs))
		for i, a := range d.Addrs {
			addrs[i] = a.String()
		}
		return strings.Join(addrs, " ")
	case LogicalDNS:
		return "the first address of " + at + prefer
	case StrictDNS:
		return "every address of " + at + prefer
	case CloudMap:
		return "Cloud Map service " + at + ", by DNS" + prefer
	case OriginalDst:
		return "the address that the app dialled"
	}
	return "nowhere: the node has no serviceDiscovery"
}

// String lists the limits that are set.
func (l Limits) String() string {
	var all []string
	for _, limit := range []struct {
		n    uint32
		what string
	}{{l.MaxConnections, "connections"}, {l.MaxPendingRequests, "pending requests"}, {l.MaxRequests, "requests"}} {
		if limit.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", limit.n, limit.what))
		}
	}
	if all == nil {
		return "no limit"
	}
	return "at most " + strings.Join(all, ", ")
}

// String says what is asked, how often, and what counts.
func (h *HealthCheck) String() string {
	if h == nil {
		return "none"
	}
	what := h.Protocol.String()
	if h.Path != "" {
		what += " " + h.Path
	}
	return fmt.Sprintf("%s on port %d every %s, timeout %s, healthy after %d, unhealthy after %d",
		what, h.Port, h.Interval, h.Timeout, h.Healthy, h.Unhealthy)
}

// String says when an endpoint is ejected and for how long.
func (o *OutlierDetection) String() string {
	if o == nil {
		return "none"
	}
	return fmt.Sprintf("ejected for %s after %d server errors in a row, looked at every %s, at most %d %% at once",
		o.BaseEjectionDuration, o.MaxServerErrors, o.Interval, o.MaxEjectionPercent)
}

// String says what is changed of a request whose route matches the prefix that
// was given to it.
func (r *Rewrite) String() string {
	if r == nil {
		return "nothing"
	}
	var all []string
	if r.Host != "" {
		all = append(all, "host to "+r.Host)
	}
	switch {
	case r.Path != "":
		all = append(all, "path to "+r.Path)
	case r.Prefix != nil:
		all = append(all, "prefix to "+*r.Prefix)
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// String says where it comes from.
func (c Certificate) String() string {
	switch {
	case c.ACM != "":
		return "ACM " + c.ACM
	case c.ChainFile != "":
		return "file " + c.ChainFile + " with key " + c.KeyFile
	case c.SDS != "":
		return "SDS secret " + c.SDS
	}
	return "none"
}

// String says whose word is taken.
func (t *Trust) String() string {
	switch {
	case t == nil:
		return "nobody"
	case t.File != "":
		return "file " + t.File
	case t.SDS != "":
		return "SDS secret " + t.SDS
	}
	return "ACM " + strings.Join(t.ACM, " ")
}

// String is the mode, the certificate, and what is asked of clients.
func (t *ServerTLS) String() string {
	if t == nil {
		return "plaintext"
	}
	s := t.Mode.String() + ", certificate " + t.Certificate.String()
	if t.ClientTrust != nil {
		s += ", clients need a certificate that " + t.ClientTrust.String() + " vouches for"
	}
	return s + names(t.ClientNames)
}

// String says whether TLS must be, who is trusted, and what is shown.
func (t *ClientTLS) String() string {
	if t == nil {
		return "plaintext"
	}
	s := "TLS as the server asks"
	if t.Enforce {
		s = "TLS always"
	}
	if t.Trust != nil {
		s += ", trusting " + t.Trust.String()
	}
	if t.Certificate != (Certificate{}) {
		s += ", showing " + t.Certificate.String()
	}
	return s + names(t.Names)
}

func names(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return ", names " + strings.Join(all, " ")
}

// String says who is behind it: `virtual node "color" port 9080`, "the app at
// 127.0.0.1:8080", "the address that the app dialled".
func (c *Cluster) String() string {
	switch {
	case c.Discovery.Kind == OriginalDst:
		return c.Discovery.String()
	case strings.HasPrefix(c.Name, "cds_ingress_"):
		return "the app at " + c.Discovery.String()
	}
	return "virtual node " + strconv.Quote(c.Node) + " port " + utoa(c.Discovery.Port)
}

// Shares lists targets with their shares: `virtual node "a" port 80: 90 %
// (weight 9 of 10), virtual node "b" port 80: 10 % (weight 1 of 10)`.
func Shares(targets []Target) string {
	var total uint64
	for i := range targets {
		total += uint64(targets[i].Weight)
	}
	all := make([]string, len(targets))
	for i := range targets {
		all[i] = targets[i].Cluster.String() + ": " + targets[i].Share(total)
	}
	if len(all) == 0 {
		return "nobody"
	}
	return strings.Join(all, ", ")
}

// Methods says which requests the policy tries again.
func (p *RetryPolicy) Methods() string {
	switch {
	case p == nil || p.MaxRetries == 0:
		return "none"
	case p.Explicit:
		return "whatever their method"
	}
	return "idempotent ones; others only if nothing of them was sent or the peer refused them"
}

// Backoff says how long is waited between tries.
func (p *RetryPolicy) Backoff() string {
	if p == nil || p.MaxRetries == 0 {
		return "none"
	}
	return "from " + p.BackoffBase.String() + " to " + p.BackoffMax.String()
}

// String says where the log is written, and how.
func (l *AccessLog) String() string {
	switch {
	case l == nil:
		return "none"
	case len(l.JSON) > 0:
		fields := make([]string, len(l.JSON))
		for i, f := range l.JSON {
			fields[i] = strconv.Quote(f.Key) + ": " + strconv.Quote(f.Value)
		}
		return l.Path + ", as JSON {" + strings.Join(fields, ", ") + "}"
	case l.Text != "":
		return l.Path + ", as " + strconv.Quote(l.Text)
	}
	return l.Path + ", in Envoy's own format"
}
