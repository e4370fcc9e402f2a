package admin

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
)

// Listener is a bound port.
type Listener struct {
	// Name is App Mesh's, "lds_ingress_0.0.0.0_15000".
	Name string
	// Addresses are those bound; the first is the one Envoy would show.
	Addresses []netip.AddrPort
	// Egress tells the egress port from the ingress port.
	Egress bool
	// Chain is the port of the one chain that serves it, on a gateway; 0: all of
	// its direction do.
	Chain uint16
}

type listenerStatuses struct {
	Statuses []listenerStatus `json:"listener_statuses,omitempty"`
}

type listenerStatus struct {
	Name       string    `json:"name"`
	Local      *address  `json:"local_address,omitempty"`
	Additional []address `json:"additional_local_addresses,omitempty"`
}

func (s *Server) listeners(w http.ResponseWriter, q url.Values) {
	all := s.cfg.Engine.Listeners()
	if q.Get("format") != "json" {
		for _, l := range all {
			for _, a := range l.Addresses {
				fmt.Fprintf(w, "%s::%s\n", l.Name, a)
			}
		}
		return
	}
	var out listenerStatuses
	for _, l := range all {
		status := listenerStatus{Name: l.Name}
		for i, bound := range l.Addresses {
			a := addressOf(bound)
			if i == 0 {
				status.Local = &a
			} else {
				status.Additional = append(status.Additional, a)
			}
		}
		out.Statuses = append(out.Statuses, status)
	}
	writeJSON(w, out)
}
