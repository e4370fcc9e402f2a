package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/filter"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h1"
)

// Explain says what would happen to a request, or a connection, and why. It asks
// the code that traffic passes: the way out or in (way.go), the HTTP/1.1 codec,
// the stages, and the router's decide, at whose end nothing is sent. Nothing is
// counted, nobody is dialled.
//
// An error says that the question is none: its parts do not make one request.
func (r *Routing) Explain(q explain.Request) (explain.Explanation, error) {
	return r.explain(q, false)
}

// ExplainNow is Explain with the endpoints of this moment.
func (r *Routing) ExplainNow(q explain.Request) (explain.Explanation, error) {
	return r.explain(q, true)
}

func (r *Routing) explain(q explain.Request, live bool) (explain.Explanation, error) {
	if err := q.Check(); err != nil {
		return explain.Explanation{}, err
	}
	x := explainer{routing: r}
	x.Resource, x.Version, x.Request, x.Live = r.Snapshot.Resource.String(), r.Snapshot.Version, q, live
	if q.Way != explain.Redirected && r.Snapshot.Resource.Kind == mesh.VirtualNode {
		x.direct()
	} else {
		x.connection(x.arrive())
	}
	if x.Listener == nil {
		x.Listeners = x.ports()
	}
	return x.Explanation, nil
}

// connection tells of one whose way is known.
func (x *explainer) connection(w way) {
	if w.chain != nil {
		x.listener(w.chain)
	}
	switch q := &x.Request; {
	case w.end == endsPassed:
		x.passed("egress filter ALLOW_ALL, and no backend has the port", w.cluster.Spec())
	case w.end == endsAWS:
		x.aws(w)
	case w.end == endsTCPOrAWS && x.asksAWS():
		x.passed("TLS asks for "+q.ServerName(), w.cluster.Spec())
	case w.end == endsTCP, w.end == endsTCPOrAWS:
		x.tcp(w.chain)
	case w.end == endsHTTP:
		x.http(w.chain)
	default:
		x.closed(w.why)
	}
}

// explainer makes one explanation.
type explainer struct {
	explain.Explanation
	routing *Routing
}

// arrive finds the way of the connection.
func (x *explainer) arrive() way {
	r, q := x.routing, &x.Request
	switch {
	case r.Snapshot.Resource.Kind == mesh.VirtualGateway:
		x.Port = q.Listener
		if x.Port == 0 && (r.onlyInbound == nil || r.inbound[q.Port] != nil) {
			x.Port = q.DialPort()
		}
	case !q.Inbound:
		x.Direction, x.Port = mesh.Egress.String(), q.DialPort()
		return r.wayOut(x.Port)
	case q.Listener != 0 || q.Port != 0:
		x.Port = q.DialPort()
	}
	x.Direction = mesh.Ingress.String()
	if x.Port == 0 && r.onlyInbound != nil {
		x.Port = r.onlyInbound.spec.Port
	}
	if x.Port == 0 {
		x.Port = q.DialPort()
	}
	return r.wayIn(x.Port)
}

func (x *explainer) closed(why string) {
	x.Verdict = explain.Verdict{Kind: explain.Closed, Reason: why, Flag: l7.FlagNoRoute.String()}
}

// passed tells of a connection that goes to the address that was dialled.
func (x *explainer) passed(why string, to *mesh.Cluster) {
	x.Verdict = explain.Verdict{Kind: explain.Passed, Reason: why + "; " + unread}
	x.Targets = []explain.Target{{Cluster: to.Name, Weight: 1, Share: "all", Origin: explain.Origin(to.Origin), Facts: clusterFacts(to),
		Dialled: to.Discovery.Kind == mesh.OriginalDst}}
}

const unread = "its bytes are relayed, unread"

// asksAWS tells that TLS asks for one of AWS's own services.
func (x *explainer) asksAWS() bool {
	return x.Request.Scheme == "https" && l4.IsAWS(x.Request.ServerName())
}

// aws tells of a port that nothing leaves by but TLS to *.amazonaws.com.
func (x *explainer) aws(w way) {
	if x.asksAWS() && w.cluster != nil {
		x.passed("TLS asks for "+x.Request.ServerName(), w.cluster.Spec())
		return
	}
	x.closed(w.why)
}

// tcp tells of a TCP chain: a connection, whatever it carries, goes to one of
// its targets.
func (x *explainer) tcp(ch *chain) {
	x.Verdict = explain.Verdict{Kind: explain.Forwarded, Reason: unread}
	f := x.shares(ch.spec.Targets, ch.spec.Origin)
	if ch.targets.Pick(0) == nil {
		f = errNoWeight
	}
	if f != nil {
		x.Verdict = explain.Verdict{Kind: explain.Closed, Flag: f.Flag.String(), Details: f.Details, Reason: x.reason(f)}
	}
}

// http tells of a request, or of what is none, on a chain of HTTP.
func (x *explainer) http(ch *chain) {
	switch x.Request.Scheme {
	case "https":
		d := ch.spec.Direction
		if w := x.routing.wayOfTLS(d, x.Request.ServerName()); w.end == endsPassed {
			x.passed("TLS asks for "+x.Request.ServerName(), w.cluster.Spec())
		} else if x.routing.Snapshot.Resource.Kind == mesh.VirtualGateway {
			x.closed(w.why + "; where a load balancer before the gateway ends TLS, ask with http://")
		} else {
			x.closed(w.why)
		}
		return
	case "tcp":
		x.Verdict = explain.Verdict{Kind: explain.Closed, Reason: "the port serves HTTP; what is none is answered 400, or waited for in vain"}
		return
	}
	var ex l7.Exchange
	switch {
	case !x.parse(&ex):
	case ex.Request.IsConnect():
		x.connect(&ex, ch)
	default:
		x.exchange(&ex, ch)
	}
}

// parse reads the request as the codec reads it, and tells whether it is one.
func (x *explainer) parse(ex *l7.Exchange) bool {
	ex.Reset()
	ex.Downstream = netip.AddrPortFrom(netip.IPv4Unspecified(), 0) // nobody asks from where
	err := h1.Parse(x.head(), &ex.Request)
	var bad *h1.Error
	switch {
	case errors.As(err, &bad) && bad.Status == 0:
		x.Verdict = explain.Verdict{Kind: explain.Closed, Flag: l7.FlagDownstreamProtocolError.String(), Details: bad.Details, Reason: bad.Reason}
	case errors.As(err, &bad):
		x.refused(ex, rejection(bad), bad.Reason)
	case err != nil:
		x.Verdict = explain.Verdict{Kind: explain.Closed, Reason: err.Error()}
	}
	return err == nil
}

// head is the request as it is sent.
func (x *explainer) head() []byte {
	q, target := &x.Request, x.Request.Target
	switch {
	case q.Method == "CONNECT":
		target = q.HostPort()
	case q.Way == explain.Proxy:
		target = q.Scheme + "://" + q.Authority + q.Target
	}
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\n", q.Method, target)
	if q.Authority != "" {
		b = fmt.Appendf(b, "Host: %s\r\n", q.Authority)
	}
	for _, h := range q.Headers {
		b = fmt.Appendf(b, "%s: %s\r\n", h.Name, h.Value)
	}
	return append(b, "\r\n"...)
}

// connect tells of CONNECT to a chain, which the sidecar answers itself.
func (x *explainer) connect(ex *l7.Exchange, ch *chain) {
	switch f := ch.noTunnel(ch.spec.Direction); {
	case f != nil:
		x.refused(ex, f, "nobody may tunnel through this port")
	case ch.spec.Protocol == mesh.TCP:
		x.tcp(ch)
	default:
		x.Verdict = explain.Verdict{Kind: explain.Forwarded, Reason: "answered 200; what comes through the tunnel is served as if it had been sent to port " + strconv.Itoa(int(ch.spec.Port))}
	}
}

// exchange passes the stages to a router that decides and sends nothing.
func (x *explainer) exchange(ex *l7.Exchange, ch *chain) {
	var body, reason string
	before := append([]l7.Field(nil), ex.Request.Header.Fields...)
	handle := ch.stages(func(ex *l7.Exchange) error {
		x.Changes = changes(before, ex.Request.Header.Fields)
		err := x.router(ex, ch)
		var f *l7.Failure
		if errors.As(err, &f) {
			body, reason = f.Body, x.reason(f)
		}
		return err
	})
	if err := handle(ex); err != nil || ex.Response.Status != 0 {
		x.answered(ex, body, reason)
	}
}

// router does what chain.route does, but for counting and sending.
func (x *explainer) router(ex *l7.Exchange, ch *chain) error {
	target := string(ex.Request.Target)
	watch := &watch{to: &x.Explanation, hosts: ch.spec.VirtualHosts}
	chosen, err := ch.decide(ex, watch)
	watch.done(&ex.Request)
	if len(x.Passes) > 0 && x.Passes[0].Target != target {
		x.Changes = append(x.Changes, "its path, "+target+", is read as "+x.Passes[0].Target)
	}
	if chosen.route == nil || chosen.route.Service != nil {
		return err
	}
	x.Route = routeFacts(chosen.route)
	f := x.shares(chosen.route.Targets, chosen.route.Origin)
	if err == nil && f != nil {
		return f
	}
	if err == nil {
		x.Verdict = explain.Verdict{Kind: explain.Forwarded, Reason: x.forwarded(chosen.route)}
	}
	return err
}

// answered takes the verdict from the response that the stages have made.
func (x *explainer) answered(ex *l7.Exchange, body, reason string) {
	x.Verdict = explain.Verdict{Kind: explain.Answered, Status: ex.Response.Status, Flag: ex.Flags.String(), Details: ex.Details, Body: body, Reason: reason}
	if f := ex.Response.Header.Find(l7.NameGRPCStatus); f != nil {
		x.Verdict.GRPCStatus = string(f.Value)
	}
}

// refused tells of an answer that is given before the stages.
func (x *explainer) refused(ex *l7.Exchange, f *l7.Failure, reason string) {
	filter.Reply(ex, f)
	x.answered(ex, f.Body, reason)
}

// changes are what the stages did to the fields.
func changes(before, after []l7.Field) (all []string) {
	var gets, loses []string
	for i := range after {
		switch f := &after[i]; {
		case i >= len(before):
			gets = append(gets, string(f.Name))
		case f.Name == nil && before[i].Name != nil:
			loses = append(loses, string(before[i].Name))
		}
	}
	if loses != nil {
		all = append(all, "loses "+strings.Join(loses, ", ")+", which no stranger may say")
	}
	if gets != nil {
		all = append(all, "gets "+strings.Join(gets, ", "))
	}
	return all
}
