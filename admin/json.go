package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// writeJSON prints v as protobuf's JSON printer does for Envoy: one space of
// indentation for each level, one behind a colon, nothing escaped for HTML.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the peer may have gone; v always encodes
}

// seconds prints a duration as protobuf does: "15s", "0.250s".
func seconds(d time.Duration) string {
	whole, part := d/time.Second, d%time.Second
	switch {
	case part == 0:
		return fmt.Sprintf("%ds", whole)
	case part%time.Millisecond == 0:
		return fmt.Sprintf("%d.%03ds", whole, part/time.Millisecond)
	case part%time.Microsecond == 0:
		return fmt.Sprintf("%d.%06ds", whole, part/time.Microsecond)
	}
	return fmt.Sprintf("%d.%09ds", whole, part)
}

// wholeSeconds prints a duration rounded down.
func wholeSeconds(d time.Duration) string { return seconds(d.Truncate(time.Second)) }

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// address is Envoy's Address.
type address struct {
	Socket socketAddress `json:"socket_address"`
}

type socketAddress struct {
	Address string `json:"address"`
	Port    uint16 `json:"port_value,omitempty"`
}

func addressOf(a netip.AddrPort) address {
	return address{socketAddress{a.Addr().String(), a.Port()}}
}
