package iptables

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidateNamesEveryFault(t *testing.T) {
	err := Config{
		IngressPort: 15000, AppPorts: []uint16{0, 15000}, IgnoredUIDs: []uint32{noID}, IgnoredGIDs: []uint32{noID},
		EgressIgnoredPorts: []uint16{0}, EgressIgnoredIPs: []netip.Prefix{{}, netip.MustParsePrefix("::ffff:1.2.3.4/128")},
	}.Validate()
	var bad *ConfigError
	if !errors.As(err, &bad) || len(bad.Problems) != 8 {
		t.Fatalf("got %v", err)
	}
	for i, words := range []string{"egress port is missing", "app port 0", "app port 15000", "UID 4294967295", "GID 4294967295", "egress ignored port 0", "without a value", "write it as IPv4"} {
		if !strings.Contains(bad.Problems[i], words) {
			t.Errorf("problem %d is %q, want something about %q", i, bad.Problems[i], words)
		}
	}
}

func TestTheSmallestValidConfigs(t *testing.T) {
	for _, cfg := range []Config{
		{EgressPort: 15001, IgnoredUIDs: []uint32{0}},
		{EgressPort: 15001, IgnoredGIDs: []uint32{1337}},
		{EgressPort: 15001, IgnoredUIDs: []uint32{1337}, IngressPort: 15000, AppPorts: []uint16{65535}},
	} {
		if err := cfg.Validate(); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestFromTaskDefinitionJudgesTheFileAlone(t *testing.T) {
	_, err := FromTaskDefinition([]byte(`{"proxyConfiguration": {}}`), "task.json")
	if err == nil || !strings.Contains(err.Error(), "task definition task.json: egress port is missing") {
		t.Errorf("got %v", err)
	}
	if _, err := FromTaskDefinition([]byte(`{}`), "task.json"); err == nil || !strings.Contains(err.Error(), "no proxyConfiguration") {
		t.Errorf("got %v", err)
	}
	cfg, err := FromTaskDefinition([]byte(`{"proxyConfiguration": {"properties": {"IgnoredGID": "1", "ProxyEgressPort": "15001"}}}`), "task.json")
	if err != nil || cfg.EgressPort != 15001 || len(cfg.EgressIgnoredIPs) != 2 || cfg.EnableIPv6 {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func TestATaskDefinitionWithoutEndIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.json")
	if err := os.WriteFile(path, []byte(`{"family": "`+strings.Repeat("x", maxTaskDefinition)+`"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readTaskDefinition(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func TestTwoTaskDefinitionsInOneTemplateAreOneTooMany(t *testing.T) {
	const task = `{"Type": "AWS::ECS::TaskDefinition", "Properties": {"ProxyConfiguration": {}}}`
	_, err := FromTaskDefinition([]byte(`{"Resources": {"A": `+task+`, "B": `+task+`}}`), "template.json")
	if err == nil || !strings.Contains(err.Error(), "2 proxy configurations") {
		t.Errorf("got %v", err)
	}
}

func TestAlwaysIgnoredNeverWritesToItsArgument(t *testing.T) {
	given := make([]netip.Prefix, 1, 8)
	given[0] = netip.MustParsePrefix("10.0.0.0/8")
	withAlwaysIgnored(given)
	if given[:2][1].IsValid() {
		t.Error("the caller's array was written to")
	}
}

func TestACommandSaysItsConfig(t *testing.T) {
	for _, want := range []string{
		"outrider iptables apply",
		"outrider iptables apply --app-ports 8080,9090 --ingress-port 15010 --egress-port 15011 --ignored-uid 0,1337 --ignored-gid 5 --egress-ignored-ports 22,2049 --egress-ignored-ips 10.0.0.0/8,fd00::/8",
		"outrider iptables apply --app-ports 8080 --ignored-gid 5",
	} {
		var flags Flags
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		flags.Register(fs)
		if err := fs.Parse(strings.Fields(want)[3:]); err != nil {
			t.Fatal(err)
		}
		cfg, err := flags.Config(func(string) string { return "" })
		if got := cfg.Command("apply"); err != nil || got != want {
			t.Errorf("got  %s\nwant %s\n%v", got, want, err)
		}
	}
}
