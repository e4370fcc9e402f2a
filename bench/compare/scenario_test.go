//go:build linux

package compare

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/report"
)

func TestScenariosArePickedByName(t *testing.T) {
	all, err := Pick(nil)
	if err != nil || len(all) != 16 {
		t.Fatal(len(all), err)
	}
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.Name] || s.Title == "" || s.connections < 1 || s.generate == nil {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
	}
	for pick, want := range map[string]string{
		"open-1000 get-1k-64": "get-1k-64 open-1000",
		"h2c-*":               "h2c-16x10 h2c-4x100 h2c-8x1",
		"tcp-* ws-echo":       "ws-echo tcp-bulk-1 tcp-bulk-16 tcp-connect tcp-ping-beside-bulk",
	} {
		some, err := Pick(strings.Fields(pick))
		var got []string
		for _, s := range some {
			got = append(got, s.Name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Error(got, err)
		}
	}
	for _, wrong := range []string{"get-1k", "x*", "get-1k-64*x"} {
		if _, err := Pick([]string{wrong}); err == nil || !strings.Contains(err.Error(), "get-1k-64") {
			t.Error(err)
		}
	}
}

func TestEveryRequestOfAScenarioIsRoutedByAuthority(t *testing.T) {
	peer := &peers.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:8080")}
	for _, s := range Scenarios() {
		config, err := turn{scenario: s, peer: peer}.config(t.Context())
		if err != nil || !strings.Contains(string(config.Target.Request), "\r\nHost: backend.local:8080\r\n") {
			t.Errorf("%s: %.200s, %v", s.Name, config.Target.Request, err)
		}
		if posts := strings.HasPrefix(string(config.Target.Request), "POST "); posts != (s.body > 0) {
			t.Errorf("%s: %.40s", s.Name, config.Target.Request)
		}
	}
}

func TestEveryHTTP1ScenarioWithACPUFigureIsHeldAgainstTheEarlierBuild(t *testing.T) {
	for _, s := range overHTTP1() {
		held := false
		for _, g := range s.goals {
			held = held || (g.Against == peers.Before && g.AtMost == 1.03)
		}
		if held != (s.main == report.CPU) {
			t.Errorf("%s: %+v", s.Name, s.goals)
		}
	}
}

func TestAScenarioWithoutAPeerIsMissingNotForgotten(t *testing.T) {
	scenarios, err := Pick([]string{"tcp-connect"})
	if err != nil {
		t.Fatal(err)
	}
	result, err := Plan{Scenarios: scenarios, Peers: []string{peers.Nginx}, Rounds: 1, Progress: new(bytes.Buffer)}.Run(t.Context(), peers.Stage{}, 0)
	if err != nil || len(result.Missing) != 1 || !strings.Contains(result.Missing[0], "tcp-connect") {
		t.Errorf("%+v, %v", result, err)
	}
}
