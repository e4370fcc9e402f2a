package iptables

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Flags are the command-line flags of `outrider iptables`. The zero value is ready for Register.
// It belongs to one flag set and one goroutine.
type Flags struct {
	ingressPort        option
	egressPort         option
	appPorts           option
	ignoredUID         option
	ignoredGID         option
	egressIgnoredPorts option
	egressIgnoredIPs   option
	taskDefinition     option
}

// option is a flag that knows whether it was given: `--egress-ignored-ports=` empties what a task definition says.
type option struct {
	value string
	given bool
}

func (o *option) String() string { return o.value }

func (o *option) Set(text string) error {
	o.value, o.given = text, true
	return nil
}

// Register declares the flags. What their values mean is checked by Config, so that one error can name every fault.
func (f *Flags) Register(fs *flag.FlagSet) {
	fs.Var(&f.ingressPort, "ingress-port", "`port` of the sidecar for incoming traffic (default 15000 if --app-ports is given)")
	fs.Var(&f.egressPort, "egress-port", "`port` of the sidecar for outgoing traffic (default 15001)")
	fs.Var(&f.appPorts, "app-ports", "`ports` the application listens on, comma list; none: incoming traffic is left alone")
	fs.Var(&f.ignoredUID, "ignored-uid", "numeric `users` whose traffic passes, comma list (default 1337 if no group is given)")
	fs.Var(&f.ignoredGID, "ignored-gid", "numeric `groups` whose traffic passes, comma list")
	fs.Var(&f.egressIgnoredPorts, "egress-ignored-ports", "destination `ports` that pass, comma list")
	fs.Var(&f.egressIgnoredIPs, "egress-ignored-ips", "destination `addresses` or CIDR blocks that pass, IPv4 and IPv6, comma list; 169.254.170.2 and 169.254.169.254 always do")
	fs.Var(&f.taskDefinition, "task-definition", "ECS task definition `file` (JSON) whose proxyConfiguration is taken; the other flags override it")
}

// Config turns the flags into a valid Config, or reports everything that is wrong with them in one *ConfigError. That
// the task definition cannot be had is an *fs.PathError.
// It reads the task definition, if one is named, and asks the environment for APPMESH_ENABLE_IPV6 alone.
//
// Decisions: with a task definition nothing is defaulted, for ECS would refuse the same file; without one the ports
// and the user of every App Mesh guide are taken. An ignored group given alone is enough, as in ECS.
func (f *Flags) Config(env func(string) string) (Config, error) {
	var bad problems
	cfg, err := f.base()
	if missing := (*fs.PathError)(nil); errors.As(err, &missing) {
		return Config{}, fmt.Errorf("reading the task definition: %w", missing)
	}
	bad.add(err)
	readInto(&cfg.IngressPort, f.ingressPort, "--ingress-port", ParsePort, &bad)
	readInto(&cfg.EgressPort, f.egressPort, "--egress-port", ParsePort, &bad)
	readInto(&cfg.AppPorts, f.appPorts, "--app-ports", ParsePorts, &bad)
	readInto(&cfg.IgnoredUIDs, f.ignoredUID, "--ignored-uid", ParseIDs, &bad)
	readInto(&cfg.IgnoredGIDs, f.ignoredGID, "--ignored-gid", ParseIDs, &bad)
	readInto(&cfg.EgressIgnoredPorts, f.egressIgnoredPorts, "--egress-ignored-ports", ParsePorts, &bad)
	readInto(&cfg.EgressIgnoredIPs, f.egressIgnoredIPs, "--egress-ignored-ips", ParseAddresses, &bad)
	cfg.EgressIgnoredIPs = withAlwaysIgnored(cfg.EgressIgnoredIPs)
	cfg.EnableIPv6 = enableIPv6(env("APPMESH_ENABLE_IPV6"), &bad)
	if len(bad) > 0 { // What could not be read would look missing to Validate.
		return Config{}, bad.err()
	}
	if err := cfg.Validate(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// Command is the `outrider iptables` command whose flags say this Config: "outrider iptables apply --app-ports 8080".
// What is as the flags have it by themselves is left out. EnableIPv6 is the environment's, and is not in it.
func (c Config) Command(verb string) string {
	text := "outrider iptables " + verb
	add := func(name, value string, given bool) {
		if given {
			text += " --" + name + " " + value
		}
	}
	ips := slices.DeleteFunc(slices.Clone(c.EgressIgnoredIPs), func(ip netip.Prefix) bool { return slices.Contains(alwaysIgnored, ip) })
	add("app-ports", joined(c.AppPorts), len(c.AppPorts) > 0)
	add("ingress-port", fmt.Sprint(c.IngressPort), c.IngressPort != 0 && c.IngressPort != DefaultIngressPort)
	add("egress-port", fmt.Sprint(c.EgressPort), c.EgressPort != 0 && c.EgressPort != DefaultEgressPort)
	usual := len(c.IgnoredGIDs) == 0 && slices.Equal(c.IgnoredUIDs, []uint32{DefaultIgnoredUID})
	add("ignored-uid", joined(c.IgnoredUIDs), len(c.IgnoredUIDs) > 0 && !usual)
	add("ignored-gid", joined(c.IgnoredGIDs), len(c.IgnoredGIDs) > 0)
	add("egress-ignored-ports", joined(c.EgressIgnoredPorts), len(c.EgressIgnoredPorts) > 0)
	add("egress-ignored-ips", joined(ips), len(ips) > 0)
	return text
}

func joined[T any](all []T) string {
	var words []string
	for _, one := range all {
		words = append(words, fmt.Sprint(one))
	}
	return strings.Join(words, ",")
}

// base is the Config that explicit flags change: the task definition's, or the defaults.
func (f *Flags) base() (Config, error) {
	if f.taskDefinition.given {
		return readTaskDefinition(f.taskDefinition.value)
	}
	cfg := Config{EgressPort: DefaultEgressPort}
	if f.appPorts.given && strings.TrimSpace(f.appPorts.value) != "" {
		cfg.IngressPort = DefaultIngressPort
	}
	if !f.ignoredUID.given && !f.ignoredGID.given {
		cfg.IgnoredUIDs = []uint32{DefaultIgnoredUID}
	}
	return cfg, nil
}

func readTaskDefinition(path string) (Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return Config{}, err
	}
	defer file.Close()
	return decodeTaskDefinition(file, path)
}

// readInto parses a flag that was given over what the base says.
func readInto[T any](field *T, o option, name string, parse func(name, text string) (T, error), bad *problems) {
	if !o.given {
		return
	}
	value, err := parse(name, o.value)
	bad.add(err)
	*field = value
}

// enableIPv6 reads APPMESH_ENABLE_IPV6 as App Mesh's own images do (1 or 0); unset means on, see the package comment.
func enableIPv6(text string, bad *problems) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "1", "true":
		return true
	case "0", "false":
		return false
	}
	bad.addf("APPMESH_ENABLE_IPV6: %q is neither 1 nor 0", text)
	return false
}
