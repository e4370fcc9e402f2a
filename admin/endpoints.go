package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// endpoint is one path of the admin page.
type endpoint struct {
	path string
	help string
	// mutates: it changes something, so it takes POST alone.
	mutates bool
	params  []param
	serve   func(s *Server, w http.ResponseWriter, q url.Values)
}

type param struct {
	name, help string
	choices    []string // nil: any text
}

var statParams = []param{
	{name: "usedonly", help: "Only include stats that have been written by system since restart"},
	{name: "filter", help: "Regular expression (Google re2) for filtering stats"},
}

// endpoints lists all paths, in the order of /help. It is a function because
// /help and / are among what it lists.
func endpoints() []endpoint {
	return []endpoint{
		{path: "/", help: "Admin home page", serve: (*Server).home},
		{path: "/certs", help: "print certs on machine", serve: (*Server).certs},
		{path: "/clusters", help: "upstream cluster status", serve: (*Server).clusters,
			params: []param{{name: "format", help: "The format", choices: []string{"text", "json"}}}},
		{path: "/config_dump", help: "dump current Envoy configs", serve: (*Server).configDump},
		{path: "/drain_listeners", help: "drain listeners", mutates: true, serve: (*Server).drainListeners, params: []param{
			{name: "graceful", help: "When draining listeners, enter a graceful drain period prior to closing listeners. This behaviour and duration is configurable via server options or CLI"},
			{name: "skip_exit", help: "When draining listeners, do not exit after the drain period. This must be used with graceful"},
			{name: "inboundonly", help: "Drains all inbound listeners. traffic_direction field in envoy_v3_api_msg_config.listener.v3.Listener is used to determine whether a listener is inbound or outbound."},
		}},
		{path: "/explain", help: "print what would happen to a request, and why", serve: (*Server).explain, params: []param{
			{name: "method", help: "The request's method, GET by default"},
			{name: "url", help: "http://host:port/path; https:// for TLS that the app begins itself, tcp:// for bytes"},
			{name: "header", help: "A header as name:value; repeat for more"},
			{name: "inbound", help: "Somebody calls this node; by default its app calls out"},
			{name: "port", help: "The port that the connection arrives for, where it is not the URL's"},
			{name: "way", help: "How the connection comes: redirected, or made to the sidecar's own port, with the URL in the request line for proxy", choices: []string{"", "direct", "proxy"}},
		}},
		{path: "/healthcheck/fail", help: "cause the server to fail health checks", mutates: true, serve: (*Server).failHealth},
		{path: "/healthcheck/ok", help: "cause the server to pass health checks", mutates: true, serve: (*Server).passHealth},
		{path: "/help", help: "print out list of admin commands", serve: (*Server).help},
		{path: "/hot_restart_version", help: "print the hot restart compatibility version", serve: (*Server).hotRestart},
		{path: "/listeners", help: "print listener info", serve: (*Server).listeners,
			params: []param{{name: "format", help: "File format to use", choices: []string{"text", "json"}}}},
		{path: "/logging", help: "query/change logging levels", mutates: true, serve: (*Server).logging, params: []param{
			{name: "paths", help: "Change multiple logging levels by setting to <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>."},
			{name: "level", help: "desired logging level, this will change all loggers's level", choices: append([]string{""}, levelNames...)},
		}},
		{path: "/memory", help: "print current allocation/heap usage", serve: (*Server).memory},
		{path: "/outrider/gc", help: "collect garbage, give memory back and print what is left", mutates: true, serve: (*Server).collect},
		{path: "/quitquitquit", help: "exit the server", mutates: true, serve: (*Server).quit},
		{path: "/ready", help: "print server state, return 200 if LIVE, otherwise return 503", serve: (*Server).ready},
		{path: "/reopen_logs", help: "reopen access logs", mutates: true, serve: (*Server).reopenLogs},
		{path: "/reset_counters", help: "reset all counters to zero", mutates: true, serve: (*Server).resetCounters},
		{path: "/server_info", help: "print server version/status information", serve: (*Server).serverInfo},
		{path: "/stats", help: "print server stats", serve: (*Server).stats, params: append(statParams[:2:2],
			param{name: "format", help: "Format to use", choices: []string{"text", "json", "prometheus"}},
			param{name: "type", help: "Stat types to include.", choices: []string{"All", "Counters", "Histograms", "Gauges", "TextReadouts"}},
			param{name: "histogram_buckets", help: "Histogram bucket display mode", choices: []string{"cumulative", "disjoint", "detailed", "summary", "none"}})},
		{path: "/stats/prometheus", help: "print server stats in prometheus format", serve: (*Server).prometheus, params: append(statParams[:2:2],
			param{name: "text_readouts", help: "Render text_readouts as new gauges with value 0 (increases Prometheus data size)"},
			param{name: "histogram_buckets", help: "Histogram bucket display mode", choices: []string{"cumulative", "summary"}})},
	}
}

// serve finds the endpoint and answers, or says why not.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.allowsPeer(r) {
		refuse(w, http.StatusForbidden, "request to path "+r.URL.RequestURI()+" not allowed")
		return
	}
	for _, e := range endpoints() {
		if e.path != r.URL.Path {
			continue
		}
		if e.mutates && r.Method != http.MethodPost {
			refuse(w, http.StatusMethodNotAllowed, "Method "+r.Method+" not allowed, POST required.")
			return
		}
		if why := fromElsewhere(r); e.mutates && why != "" {
			refuse(w, http.StatusForbidden, why+"\n")
			return
		}
		q, err := parameters(r)
		if err != nil {
			refuse(w, http.StatusBadRequest, "cannot read parameters: "+err.Error()+"\n")
			return
		}
		e.serve(s, w, q)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, "invalid path. ")
	writeHelp(w)
}

// parameters are those of the query, or of a form when there is no query.
func parameters(r *http.Request) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return url.ParseQuery(r.URL.RawQuery)
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(body))
}

// refuse answers with a reason.
func refuse(w http.ResponseWriter, code int, why string) {
	w.WriteHeader(code)
	_, _ = io.WriteString(w, why) // the peer may have gone
}

func (s *Server) help(w http.ResponseWriter, _ url.Values) { writeHelp(w) }

func writeHelp(w io.Writer) {
	fmt.Fprint(w, "admin commands are:\n")
	for _, e := range endpoints() {
		post := ""
		if e.mutates {
			post = " (POST)"
		}
		fmt.Fprintf(w, "  %s%s: %s\n", e.path, post, e.help)
		for _, p := range e.params {
			choices := ""
			if p.choices != nil {
				choices = "; One of (" + strings.Join(p.choices, ", ") + ")"
			}
			fmt.Fprintf(w, "      %s: %s%s\n", p.name, p.help, choices)
		}
	}
}

// home lists the endpoints as links, and as buttons those that change things.
// All of it is constant text.
func (s *Server) home(w http.ResponseWriter, _ url.Values) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	// No other site may show the buttons in a frame of its own.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	fmt.Fprint(w, "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Outrider admin</title>"+
		"<style>body{font-family:sans-serif}td{padding:2px 12px 2px 0}</style></head>\n<body><h1>Outrider admin</h1>\n<table>\n")
	for _, e := range endpoints() {
		if e.path == "/" {
			continue
		}
		link := `<a href="` + e.path + `">` + e.path[1:] + `</a>`
		if e.mutates {
			link = `<form action="` + e.path + `" method="post"><button>` + e.path[1:] + `</button></form>`
		}
		fmt.Fprintf(w, "<tr><td>%s</td><td>%s</td></tr>\n", link, htmlText(e.help))
	}
	fmt.Fprint(w, "</table></body></html>\n")
}

func htmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
