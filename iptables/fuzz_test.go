package iptables

import (
	"strings"
	"testing"
)

// What a parser lets through is valid in the field it is for, and spelled so that it reads back the same.
func FuzzParseLists(f *testing.F) {
	for _, seed := range []string{"80", " 80 , 443,80", "", ",", "65536", "-1", "0x50", "10.0.0.1/8,::1", "::ffff:1.2.3.4/90", "fe80::1%eth0", "4294967295"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		cfg := Config{EgressPort: 1, IngressPort: 2, AppPorts: []uint16{3}, IgnoredUIDs: []uint32{1}}
		if ports, err := ParsePorts("ports", list); err == nil {
			cfg.EgressIgnoredPorts = ports
		}
		if ids, err := ParseIDs("ids", list); err == nil {
			cfg.IgnoredGIDs = ids
		}
		if ips, err := ParseAddresses("addresses", list); err == nil {
			cfg.EgressIgnoredIPs = ips
		}
		if err := cfg.Validate(); err != nil {
			t.Fatalf("%q was let through: %v", list, err)
		}
		for _, family := range []Family{IPv4, IPv6} {
			h := &nat{}
			text := NewPlan(cfg, family).Text()
			if err := h.restore(text); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
	})
}

func FuzzTaskDefinition(f *testing.F) {
	for _, seed := range []string{
		`{"proxyConfiguration": {"type": "APPMESH", "properties": [{"name": "IgnoredUID", "value": "1337"}, {"name": "ProxyEgressPort", "value": "15001"}]}}`,
		`{"taskDefinition": {"proxyConfiguration": {"properties": {"AppPorts": 8080}}}}`,
		`{"Resources": {"T": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ProxyConfiguration": {"ProxyConfigurationProperties": [{"Value": {"Ref": "x"}}]}}}}}`,
		`{"resource": {"aws_ecs_task_definition": {"t": {"proxy_configuration": null}}}}`,
		`[]`, `{`, `{"Resources": {"T": {"Type": "AWS::ECS::TaskDefinition"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		cfg, err := FromTaskDefinition(document, "task.json")
		if err == nil && cfg.Validate() != nil {
			t.Fatalf("let through: %v", cfg.Validate())
		}
	})
}

// Whatever iptables-save prints: there is nothing to do where nothing is to change, and a script is whole lines.
func FuzzSaved(f *testing.F) {
	f.Add("*nat\n:OUTPUT ACCEPT [0:0]\n:APPMESH_EGRESS - [0:0]\n-A OUTPUT -p tcp -j APPMESH_EGRESS\n-A APPMESH_EGRESS -j RETURN\nCOMMIT\n")
	f.Add("*nat\n-A X -m comment --comment \"a -j APPMESH_EGRESS\" -g APPMESH_INGRESS\n")
	f.Add("*nat\n:APPMESH_EGRESS - [0:0]\n-A APPMESH_EGRESS ! -p tcp -m owner --uid-owner 1-3 -g X -j \n-A OUTPUT -j X\n-A X -d ::/0 --dport 1:65535,9 -j X\n-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS\n")
	f.Add("*filter\n:APPMESH_EGRESS - [0:0]\nCOMMIT\n*nat\n: \n-A \n")
	f.Fuzz(func(t *testing.T, text string) {
		now, err := parseSaved(text)
		if err != nil {
			return
		}
		for _, d := range NewPlan(planned(), IPv4).differences(planned(), now) {
			if d.Kind.Meaning() == "" || d.Expected == "" && d.Found == "" && d.Kind != NotIntercepted {
				t.Fatalf("a difference without a word: %+v", d)
			}
		}
		if text := script(now, now); text != "" {
			t.Fatalf("from %+v to itself:\n%s", now, text)
		}
		for _, want := range []layout{{}, NewPlan(guide(), IPv4).over(now)} {
			text := script(now, want)
			for line := range strings.Lines(text) {
				if !strings.HasSuffix(line, "\n") || !strings.ContainsAny(line[:1], "*:-C") {
					t.Fatalf("line %q in:\n%s", line, text)
				}
			}
		}
	})
}
