package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// RemoteAccess says what peers that are not loopback may ask.
type RemoteAccess uint8

// The zero value is what a scraper and a load balancer need.
const (
	// RemoteStats: /ready, /server_info and /stats*, nothing else.
	RemoteStats RemoteAccess = iota
	// RemoteAll: everything, as Envoy allows.
	RemoteAll
)

// allowsPeer tells whether the peer may ask for the path at all.
func (s *Server) allowsPeer(r *http.Request) bool {
	if s.cfg.Remote == RemoteAll || isLocal(r.RemoteAddr) {
		return true
	}
	switch path := r.URL.Path; path {
	case "/ready", "/server_info", "/stats":
		return true
	default:
		return strings.HasPrefix(path, "/stats/")
	}
}

// fromElsewhere says why a request for a change is not taken from the peer's
// browser; empty when it is. Programs like curl send no Origin and a Host that
// they were given; a page of another site cannot leave out the one nor choose
// the other.
func fromElsewhere(r *http.Request) (why string) {
	if !isUnix(r.RemoteAddr) && !isOurHost(r) {
		return "host " + printable(r.Host) + " is not this admin interface: use localhost or its address"
	}
	for _, origin := range r.Header.Values("Origin") {
		// Another port is another site: the app beside us is not to steer us.
		if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return "origin " + printable(origin) + " is another site"
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return "the request was made by another site"
	}
	return ""
}

// isOurHost tells whether Host is localhost, a loopback address, or the
// address on which the connection arrived.
func isOurHost(r *http.Request) bool {
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	if a.Unmap().IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	bound, err := netip.ParseAddrPort(local.String())
	return err == nil && bound.Addr().Unmap().WithZone("") == a.Unmap().WithZone("")
}

// printable keeps what a peer sent from doing more than being read.
func printable(text string) string {
	if len(text) > 100 {
		text = text[:100]
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' {
			return '?'
		}
		return r
	}, text) + `"`
}
