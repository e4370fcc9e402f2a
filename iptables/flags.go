package iptables

import (
	"flag"
	"os"
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

// Config turns the flags into a valid Config, or reports everything that is wrong with them in one *ConfigError.
// It reads the task definition, if one is named, and asks the environment for APPMESH_ENABLE_IPV6 alone.
//
// Decisions: with a task definition nothing is defaulted, for ECS would refuse the same file; without one the ports
// and the user of every App Mesh guide are taken. An ignored group given alone is enough, as in ECS.
func (f *Flags) Config(env func(string) string) (Config, error) {
	var bad problems
	cfg := f.base(&bad)
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

// base is the Config that explicit flags change: the task definition's, or the defaults.
func (f *Flags) base(bad *problems) Config {
	if f.taskDefinition.given {
		cfg, err := readTaskDefinition(f.taskDefinition.value)
		bad.add(err)
		return cfg
	}
	cfg := Config{EgressPort: DefaultEgressPort}
	if f.appPorts.given && strings.TrimSpace(f.appPorts.value) != "" {
		cfg.IngressPort = DefaultIngressPort
	}
	if !f.ignoredUID.given && !f.ignoredGID.given {
		cfg.IgnoredUIDs = []uint32{DefaultIgnoredUID}
	}
	return cfg
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
