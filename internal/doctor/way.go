package doctor

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// wayIn says which way into the sidecar works.
func (c *chart) wayIn() []Finding {
	if c.patient.gateway() {
		return c.gatewayWay()
	}
	redirect, direct := c.redirect(), c.direct()
	conclusion := Finding{About: "way in"}
	switch {
	case redirect.Verdict == Good && direct.Verdict == Good:
		conclusion.Verdict, conclusion.Seen = Good, "redirect works, direct works"
	case redirect.Verdict == Good:
		conclusion.Verdict, conclusion.Seen = Good, "redirect works"
	case direct.Verdict == Good:
		conclusion.Verdict, conclusion.Seen = Doubtful, "direct works, redirect does not"
		conclusion.Why = "only apps that dial the sidecar's ports on purpose go through it; all others go past it"
		conclusion.Fix = fmt.Sprintf("where NET_ADMIN can be had: %s; elsewhere let apps dial 127.0.0.1:%d with the service's name as Host", c.patient.Apply, c.patient.Egress)
		if c.inForce().EgressPort != 0 && redirect.Verdict == Wrong { // The rules are there: putting them there is no fix.
			conclusion.Fix = redirect.Fix
		}
		if redirect.Verdict == Unseen {
			conclusion.Seen = "direct works; whether redirect does could not be told"
			conclusion.Why, conclusion.Fix = "", redirect.Fix
		}
		if c.patient.RulesAsked && redirect.Verdict == Wrong {
			conclusion.Verdict = Wrong
		} else if redirect.Verdict == Wrong && c.inForce().EgressPort == 0 && c.try.outcome != stranger {
			redirect.Verdict = Doubtful // One way is enough, unless the other was asked for, or tried by rules that fail.
		} else if redirect.Verdict == Wrong {
			conclusion.Verdict = Wrong
		}
	default:
		conclusion.Verdict, conclusion.Seen = Wrong, "neither redirect nor direct works"
		conclusion.Why, conclusion.Fix = direct.Why, direct.Fix
	}
	return []Finding{conclusion, redirect, direct}
}

// gatewayWay: clients dial a gateway's own ports.
func (c *chart) gatewayWay() (all []Finding) {
	for _, l := range c.patient.Snapshot.Inbound {
		f := Finding{About: fmt.Sprintf("way in: gateway port %d", l.Port), Verdict: Good}
		sockets := c.listeners(l.Port)
		switch {
		case c.socketsErr != nil:
			f.Verdict, f.Seen = Unseen, c.socketsErr.Error()
		case len(sockets) == 0:
			f.Verdict, f.Seen = Wrong, "nobody listens there"
			f.Why, f.Fix = "clients and the load balancer's health check are refused", "start the gateway: outrider run --node "+c.patient.Snapshot.Resource.String()
			if start := c.unprivilegedStart(); int(l.Port) < start {
				f.Fix += fmt.Sprintf("; below port %d it needs the capability NET_BIND_SERVICE, or the sysctl net.ipv4.ip_unprivileged_port_start=0", start)
			}
		default:
			p := c.holder(sockets[0])
			f.Seen = "held by " + p.String()
			if !c.isSidecar(p) {
				f.Verdict, f.Why, f.Fix = Wrong, "what clients send does not come to the gateway", "stop the other process, or give the gateway's listener another port"
			}
		}
		all = append(all, f)
	}
	return all
}

// redirect says whether an app that knows nothing of the sidecar comes to it.
func (c *chart) redirect() Finding {
	f := Finding{About: "redirect", Why: "what apps open goes past the sidecar", Fix: c.patient.Apply}
	inForce := c.inForce().EgressPort == c.patient.Egress
	switch c.try.outcome {
	case taken:
		if sockets := c.listeners(c.patient.Egress); len(sockets) > 0 && !c.sidecarRuns() {
			f.Verdict, f.Seen = Wrong, fmt.Sprintf("a connection to %s came out at port %d, at %s", nobody, c.patient.Egress, c.holder(sockets[0]))
			f.Why, f.Fix = "it is not a sidecar that listens there", "stop that process, and start the sidecar"
			return f
		}
		return Finding{About: f.About, Verdict: Good, Seen: fmt.Sprintf("a connection to %s came out at port %d", nobody, c.patient.Egress)}
	case stranger:
		f.Verdict, f.Seen = Wrong, fmt.Sprintf("a connection to %s, which nobody has, was taken by somebody else than port %d", nobody, c.patient.Egress)
		f.Why, f.Fix = "another proxy intercepts this namespace before the sidecar", c.verifyCommand()+" says which rule does; take it away"
		if port := c.inForce().EgressPort; port != c.patient.Egress && slices.ContainsFunc(c.listeners(port), func(s socket) bool { return c.isSidecar(c.holder(s)) }) {
			f.Why = fmt.Sprintf("the rules lead to port %d, and the sidecar is there", port)
			f.Fix = fmt.Sprintf("nothing, if it is meant: ask with the sidecar's environment (OUTRIDER_EGRESS_ADDR), or with --egress-port %d", port)
		}
	case refused, nowhere:
		f.Verdict, f.Seen = Wrong, fmt.Sprintf("a connection to %s was not taken: %s", nobody, plain(c.try.err))
		switch {
		case c.try.outcome == refused && c.egress != nil && (inForce || c.tablesErr != nil):
			f.Why = fmt.Sprintf("rules lead to port %d, and nobody listens there: every connection of the app is refused", c.patient.Egress)
			f.Fix = "start the sidecar (dependsOn HEALTHY holds the app back until it is there)"
		case inForce && c.tables[0].Same():
			f.Why, f.Fix = "the rules are as planned, and something else drops or untracks its packets", filterHint
		case inForce:
			f.Why, f.Fix = "rules are there, but something takes this traffic before them", c.verifyCommand()
		}
	default:
		f.Seen = map[outcome]string{
			ignored: fmt.Sprintf("not tried: user %d, who asks, is one whose traffic the rules let pass", c.machine.UID),
			circle:  "not tried: the rules do not let the sidecar's own user pass, so the sidecar would send it back to itself",
			noRoute: fmt.Sprintf("not tried: there is no route to %s, so no rule is asked", nobody),
			unclear: fmt.Sprintf("tried, but not seen where it came out: %s", plain(c.try.err)),
		}[c.try.outcome]
		return c.redirectByRules(f)
	}
	return f
}

// redirectByRules judges by what the kernel holds where trying tells nothing.
func (c *chart) redirectByRules(f Finding) Finding {
	switch {
	case c.tablesErr != nil:
		f.Verdict, f.Why = Unseen, "and the rules cannot be read: "+plain(c.tablesErr)
		f.Fix = c.toReadRules()
	case c.inForce().EgressPort == 0:
		f.Verdict, f.Why = Wrong, "there are no rules: "+f.Why
	case c.try.outcome == circle:
		f.Verdict, f.Why, f.Fix = Wrong, "every connection that the app opens would run in a circle", "see the user of the sidecar"
	case !c.tables[0].Same():
		f.Verdict, f.Why = Wrong, "the rules are not as planned"
	case c.egress != nil:
		f.Verdict, f.Why, f.Fix = Wrong, fmt.Sprintf("the rules are as planned, but nobody listens on port %d", c.patient.Egress), "start the sidecar"
	default:
		return Finding{About: f.About, Verdict: Good, Seen: f.Seen + "; the rules are as planned, and the sidecar listens"}
	}
	return f
}

// direct says whether an app can dial the sidecar on purpose.
func (c *chart) direct() Finding {
	p := c.patient
	f := Finding{About: "direct", Verdict: Good, Seen: fmt.Sprintf("127.0.0.1:%d takes connections (outgoing, by the name in Host), and so does 127.0.0.1:%d (incoming)", p.Egress, p.Ingress)}
	if c.egress == nil && c.ingress == nil {
		if !c.sidecarRuns() && len(c.listeners(p.Egress)) > 0 {
			f.Verdict = Wrong
			f.Why, f.Fix = "it is not a sidecar that listens there", "see port "+fmt.Sprint(p.Egress)
		}
		return f
	}
	var closed []string
	for _, end := range []struct {
		port uint16
		err  error
	}{{p.Egress, c.egress}, {p.Ingress, c.ingress}} {
		if end.err != nil {
			closed = append(closed, fmt.Sprintf("127.0.0.1:%d: %s", end.port, plain(end.err)))
		}
	}
	f.Verdict, f.Seen = Wrong, strings.Join(closed, "; ")
	f.Why, f.Fix = "no sidecar takes connections", "start it: outrider run"
	if timedOut(c.egress) || timedOut(c.ingress) {
		f.Why, f.Fix = "who listens on loopback answers at once: something drops the packets", filterHint
	} else if c.egress == nil || c.ingress == nil {
		f.Why, f.Fix = "only one of the sidecar's two ports takes connections", "look at the sidecar's log, and at who holds the other port"
	}
	return f
}

// filterHint says where to look for what is not in the table of the rules.
const filterHint = "look for DROP, REJECT and NOTRACK elsewhere: iptables-save -t raw, -t mangle and -t filter, or nft list ruleset"

func timedOut(err error) bool {
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout()
}

// plain is an error without what is said already: the last part of a chain of colons.
func plain(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 && !strings.ContainsAny(text[i:], "()\n") {
		return text[i+2:]
	}
	return text
}
