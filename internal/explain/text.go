package explain

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/terminal"
)

// label is how wide the column of labels is.
const label = 13

// WriteText tells the explanation to people.
func WriteText(w io.Writer, getenv func(string) string, e *Explanation) error {
	t := teller{terminal.New(w, getenv)}
	t.request(e)
	t.verdict(&e.Verdict)
	t.listener(e)
	t.changes(e.Changes)
	for i := range e.Passes {
		if i == 1 && e.Rewrite != nil {
			t.rewrite(e.Rewrite)
		}
		t.pass(&e.Passes[i])
	}
	if len(e.Passes) < 2 && e.Rewrite != nil {
		t.rewrite(e.Rewrite)
	}
	t.facts(0, e.Route)
	for i := range e.Targets {
		t.target(e, &e.Targets[i])
	}
	return t.paper.Flush()
}

type teller struct{ paper *terminal.Paper }

func (t teller) request(e *Explanation) {
	t.paper.Line(0, span(terminal.Strong, e.Request.String()))
	if q := &e.Request; q.Method != "" && q.Authority != q.host() {
		t.paper.Line(4, span(terminal.Text, "Host: "+q.Authority))
	}
	for _, h := range e.Request.Headers {
		t.paper.Line(4, span(terminal.Text, h.Name+": "+h.Value))
	}
	t.paper.Line(0, span(terminal.Text, "asked of "+e.Resource+", "+e.way()))
	t.paper.Blank()
}

// way says who dials whom.
func (e *Explanation) way() string {
	port := strconv.Itoa(int(e.Port))
	switch {
	case e.Request.Way != Redirected && e.Direction == "ingress":
		return "whose ingress port is dialled directly"
	case e.Request.Way == Proxy:
		return "whose app has its egress port for HTTP_PROXY"
	case e.Request.Way == Direct:
		return "whose app dials its egress port"
	}
	if e.Direction == "ingress" {
		return "whose port " + port + " is dialled"
	}
	return "whose app dials port " + port
}

func (t teller) verdict(v *Verdict) {
	end := terminal.Bad
	if v.Fine() {
		end = terminal.Good
	}
	word := string(v.Kind)
	if v.Status > 0 {
		word += " " + strconv.Itoa(v.Status)
	}
	if v.GRPCStatus != "" {
		word += ", grpc-status " + v.GRPCStatus
	}
	t.item(0, "verdict", span(end, word), span(terminal.Text, because(v.Reason)), span(terminal.Dim, logged(v)))
	if v.Body != "" {
		t.item(0, "body", span(terminal.Text, v.Body))
	}
	t.paper.Blank()
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func logged(v *Verdict) string {
	switch {
	case v.Fine(), v.Flag == "" && v.Details == "":
		return ""
	case v.Flag == "" || v.Details == "":
		return " (access log: " + v.Flag + v.Details + ")"
	}
	return " (access log: " + v.Flag + " " + v.Details + ")"
}

func (t teller) listener(e *Explanation) {
	if e.Listener == nil {
		t.item(0, "listener", span(terminal.Doubt, "none"))
		t.choices(e.Listeners)
		return
	}
	t.item(0, "listener", span(terminal.Text, e.Direction+" port "+strconv.Itoa(int(e.Port))+", "+e.Listener.Protocol), place(e.Listener.Origin))
	t.facts(2, e.Listener.Facts)
}

// choices are what there is where nothing was found.
func (t teller) choices(all []string) {
	if len(all) > 0 {
		t.item(0, "", span(terminal.Text, "there is "+strings.Join(all, ", ")))
	}
}

func (t teller) changes(all []string) {
	for _, change := range all {
		t.item(0, "request", span(terminal.Text, change))
	}
}

func (t teller) pass(p *Pass) {
	if p.Host == nil {
		t.item(0, "virtual host", span(terminal.Doubt, "none"), span(terminal.Text, " for "+quoted(p.Authority)))
		t.choices(p.Hosts)
		return
	}
	by := ""
	if p.Host.Domain != "" && p.Host.Domain != p.Host.Name {
		by = ", by " + p.Host.Domain
	}
	t.item(0, "virtual host", span(terminal.Text, p.Host.Name+by), place(p.Host.Origin))
	for i := range p.Tries {
		t.try(&p.Tries[i])
	}
	switch {
	case len(p.Tries) == 0:
		t.item(2, "routes", span(terminal.Doubt, "none"))
	case p.Untried == 1:
		t.paper.Line(label, span(terminal.Text, "one more behind it was not looked at"))
	case p.Untried > 1:
		t.paper.Line(label, span(terminal.Text, strconv.Itoa(p.Untried)+" more behind it were not looked at"))
	}
}

func (t teller) try(r *Try) {
	name := r.Route
	if name == "" {
		name = "unnamed"
	}
	if r.Taken {
		t.item(2, "route", span(terminal.Good, name+": taken"), span(terminal.Text, ", "+r.Match), place(r.Origin))
		return
	}
	had := ""
	if r.Had != "" {
		had = "; " + r.Had
	}
	t.item(2, "route", span(terminal.Doubt, name+": no match"), span(terminal.Text, ", "+r.Failed+had), place(r.Origin))
}

func (t teller) rewrite(r *Rewrite) {
	t.item(0, "rewrite", span(terminal.Text, r.Words), place(r.Origin))
	t.item(2, "before", span(terminal.Text, r.Before))
	t.item(2, "after", span(terminal.Text, r.After))
	if r.Gets != nil {
		t.item(2, "gets", span(terminal.Text, strings.Join(r.Gets, ", ")))
	}
}

func (t teller) target(e *Explanation, target *Target) {
	t.item(0, "target", span(terminal.Strong, target.Cluster))
	t.item(2, "share", span(terminal.Text, target.Share), place(target.Origin))
	if target.Refuse != "" {
		t.item(2, "refused", span(terminal.Bad, target.Refuse))
	}
	t.facts(2, target.Facts)
	if !e.Live {
		return
	}
	if len(target.Endpoints) == 0 && !target.Dialled {
		t.item(2, "now", span(terminal.Bad, "no endpoint is known"))
	}
	for i := range target.Endpoints {
		t.endpoint(&target.Endpoints[i])
	}
}

func (t teller) endpoint(e *Endpoint) {
	health, turn := span(terminal.Good, e.Health), ", not to be picked"
	if e.Health != "healthy" {
		health = span(terminal.Bad, e.Health)
	}
	switch {
	case e.Turn == 1:
		turn = ", picked next"
	case e.Turn > 1:
		turn = ", picked after " + strconv.Itoa(e.Turn-1) + " more"
	}
	t.item(2, "now", span(terminal.Text, e.Address+" "), health,
		span(terminal.Text, fmt.Sprintf("%s, %d connections, %d requests", turn, e.Connections, e.Requests)))
}

func (t teller) facts(indent int, all []Fact) {
	for _, f := range all {
		t.item(indent, f.Name, span(terminal.Text, f.Value), place(f.Origin))
	}
}

// item writes a label and its text in the one column that all texts share.
func (t teller) item(indent int, name string, text ...terminal.Span) {
	t.paper.Item(indent, label-indent, span(terminal.Text, name), text...)
}

// place is where a value comes from, behind it.
func place(origin string) terminal.Span {
	if origin == "" {
		return span(terminal.Text, "")
	}
	return span(terminal.Dim, " ("+origin+")")
}

func quoted(s string) string {
	if s == "" {
		return "a request without Host"
	}
	return strconv.Quote(s)
}

// span is a piece of text. Much of it is what a request says, or another process:
// it is kept from doing more to a terminal than being read.
func span(of func(string) terminal.Span, text string) terminal.Span {
	return of(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text))
}
