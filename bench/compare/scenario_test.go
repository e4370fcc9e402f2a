//go:build linux

package compare

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/bench/peers"
)

func TestScenariosArePickedByName(t *testing.T) {
	all, err := Pick(nil)
	if err != nil || len(all) != 7 {
		t.Fatal(len(all), err)
	}
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.Name] || s.Title == "" || s.connections < 1 || len(s.goals) == 0 {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
	}
	some, err := Pick([]string{"open-1000", "get-1k-64"})
	if err != nil || len(some) != 2 || some[0].Name != "get-1k-64" {
		t.Error(some, err)
	}
	if _, err := Pick([]string{"get-1k"}); err == nil || !strings.Contains(err.Error(), "get-1k-64") {
		t.Error(err)
	}
}

func TestEveryRequestOfAScenarioIsRoutedByAuthority(t *testing.T) {
	peer := &peers.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:8080")}
	for _, s := range Scenarios() {
		config, err := Plan{}.config(t.Context(), s, peer)
		if err != nil || !strings.Contains(string(config.Target.Request), "\r\nHost: backend.local:8080\r\n") {
			t.Errorf("%s: %.200s, %v", s.Name, config.Target.Request, err)
		}
		if posts := strings.HasPrefix(string(config.Target.Request), "POST "); posts != (s.body > 0) {
			t.Errorf("%s: %.40s", s.Name, config.Target.Request)
		}
	}
}
