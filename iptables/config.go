package iptables

import (
	"net/netip"
	"slices"
)

// What an ECS user writes when nothing speaks against it.
const (
	DefaultIngressPort = 15000 // ProxyIngressPort of every App Mesh guide
	DefaultEgressPort  = 15001 // ProxyEgressPort
	DefaultIgnoredUID  = 1337  // the user that the App Mesh Envoy image runs as
)

// Config says what is intercepted. Its fields are the properties of an ECS proxyConfiguration.
// It is a plain value: functions of this package read it and never keep it.
type Config struct {
	// IngressPort receives TCP that arrives for one of AppPorts (ProxyIngressPort). 0 exactly when AppPorts is empty.
	IngressPort uint16
	// EgressPort receives TCP that this namespace opens (ProxyEgressPort). Never 0.
	EgressPort uint16
	// AppPorts are the ports the application listens on. Empty: inbound traffic is left alone.
	AppPorts []uint16
	// IgnoredUIDs are users whose traffic passes; the sidecar's own must be among them, or be in IgnoredGIDs.
	IgnoredUIDs []uint32
	// IgnoredGIDs are groups whose traffic passes.
	IgnoredGIDs []uint32
	// EgressIgnoredPorts are destination ports that pass.
	EgressIgnoredPorts []uint16
	// EgressIgnoredIPs are destinations that pass, IPv4 and IPv6 mixed.
	EgressIgnoredIPs []netip.Prefix
	// EnableIPv6 intercepts IPv6 too. The zero value leaves IPv6 alone, as ECS does.
	EnableIPv6 bool
}

// noID is (uid_t)-1, which means "no user" everywhere in the kernel.
const noID = 1<<32 - 1

// Validate reports everything that is wrong with the Config in one *ConfigError, or nil.
// ECS's rules: a user or a group is required, the egress port is required, ingress port and app ports go together.
// Ours besides: the sidecar's ports must differ from each other and from the application's, or it would call itself.
func (c Config) Validate() error {
	var bad problems
	if c.EgressPort == 0 {
		bad.addf("egress port is missing: name the port the sidecar takes outgoing traffic on (App Mesh: %d)", DefaultEgressPort)
	}
	switch {
	case c.IngressPort == 0 && len(c.AppPorts) > 0:
		bad.addf("app ports are given without an ingress port: name the port the sidecar takes incoming traffic on (App Mesh: %d)", DefaultIngressPort)
	case c.IngressPort != 0 && len(c.AppPorts) == 0:
		bad.addf("ingress port %d is given without app ports: name the ports the application listens on, or leave both out", c.IngressPort)
	case c.IngressPort != 0 && c.IngressPort == c.EgressPort:
		bad.addf("ingress and egress port are both %d: the sidecar could not tell the directions apart", c.IngressPort)
	}
	c.validateLists(&bad)
	return bad.err()
}

func (c Config) validateLists(bad *problems) {
	for _, port := range c.AppPorts {
		if port == 0 {
			bad.addf("app port 0 is not a port (1 to 65535)")
		} else if port == c.IngressPort || port == c.EgressPort {
			bad.addf("app port %d is the sidecar's own: its traffic would run in a circle", port)
		}
	}
	if len(c.IgnoredUIDs) == 0 && len(c.IgnoredGIDs) == 0 {
		bad.addf("no ignored UID and no ignored GID: name the sidecar's user (App Mesh: %d), or its own traffic would be sent back to it", DefaultIgnoredUID)
	}
	if slices.Contains(c.IgnoredUIDs, noID) {
		bad.addf("ignored UID %d means no user", uint32(noID))
	}
	if slices.Contains(c.IgnoredGIDs, noID) {
		bad.addf("ignored GID %d means no group", uint32(noID))
	}
	if slices.Contains(c.EgressIgnoredPorts, 0) {
		bad.addf("egress ignored port 0 is not a port (1 to 65535)")
	}
	for _, ip := range c.EgressIgnoredIPs {
		if !ip.IsValid() {
			bad.addf("egress ignored IP without a value")
		} else if ip.Addr().Is4In6() {
			bad.addf("egress ignored IP %s: write it as IPv4", ip)
		}
	}
}

// alwaysIgnored are the ECS task metadata and credentials endpoint and the EC2 instance metadata endpoint. The ECS
// agent appends them where they are missing; without them the sidecar stands between a task and its own credentials.
var alwaysIgnored = []netip.Prefix{
	netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 170, 2}), 32),
	netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 169, 254}), 32),
}

// withAlwaysIgnored returns the list with what is missing of alwaysIgnored at its end, in that order. It never writes
// to the list it was given.
func withAlwaysIgnored(ips []netip.Prefix) []netip.Prefix {
	ips = slices.Clone(ips)
	for _, ip := range alwaysIgnored {
		if !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	return ips
}
