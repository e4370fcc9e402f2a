package tools

import "embed"

// Tool is a program and where it comes from.
type Tool struct {
	Program string
	Package string // Debian's; for a program of every Debian installation too, to name it where it is missing
	Module  string // what go install takes, for a Go program; Package is empty then
	Pins    string // the name of the .mod and .sum that pin it and what it needs; empty: Module names the version
	Service bool   // the package would start a service
}

// Base are programs of every Debian installation. Test scripts may use them.
var Base = []Tool{
	{Program: "sh", Package: "dash"},
	{Program: "bash", Package: "bash"},
	{Program: "cat", Package: "coreutils"},
	{Program: "chmod", Package: "coreutils"},
	{Program: "chown", Package: "coreutils"},
	{Program: "cp", Package: "coreutils"},
	{Program: "cut", Package: "coreutils"},
	{Program: "date", Package: "coreutils"},
	{Program: "dd", Package: "coreutils"},
	{Program: "df", Package: "coreutils"},
	{Program: "du", Package: "coreutils"},
	{Program: "echo", Package: "coreutils"},
	{Program: "env", Package: "coreutils"},
	{Program: "false", Package: "coreutils"},
	{Program: "head", Package: "coreutils"},
	{Program: "id", Package: "coreutils"},
	{Program: "ln", Package: "coreutils"},
	{Program: "ls", Package: "coreutils"},
	{Program: "mkdir", Package: "coreutils"},
	{Program: "mkfifo", Package: "coreutils"},
	{Program: "mktemp", Package: "coreutils"},
	{Program: "mv", Package: "coreutils"},
	{Program: "nproc", Package: "coreutils"},
	{Program: "printf", Package: "coreutils"},
	{Program: "readlink", Package: "coreutils"},
	{Program: "rm", Package: "coreutils"},
	{Program: "rmdir", Package: "coreutils"},
	{Program: "seq", Package: "coreutils"},
	{Program: "sleep", Package: "coreutils"},
	{Program: "sort", Package: "coreutils"},
	{Program: "stat", Package: "coreutils"},
	{Program: "tail", Package: "coreutils"},
	{Program: "tee", Package: "coreutils"},
	{Program: "test", Package: "coreutils"},
	{Program: "timeout", Package: "coreutils"},
	{Program: "touch", Package: "coreutils"},
	{Program: "tr", Package: "coreutils"},
	{Program: "true", Package: "coreutils"},
	{Program: "uname", Package: "coreutils"},
	{Program: "uniq", Package: "coreutils"},
	{Program: "wc", Package: "coreutils"},
	{Program: "yes", Package: "coreutils"},
	{Program: "find", Package: "findutils"},
	{Program: "xargs", Package: "findutils"},
	{Program: "diff", Package: "diffutils"},
	{Program: "grep", Package: "grep"},
	{Program: "sed", Package: "sed"},
	{Program: "tar", Package: "tar"},
	{Program: "gzip", Package: "gzip"},
	{Program: "setpriv", Package: "util-linux"},
	{Program: "nsenter", Package: "util-linux"},
	{Program: "unshare", Package: "util-linux"},
	{Program: "mount", Package: "mount"},
	{Program: "umount", Package: "mount"},
}

// Go are the programs that a checkout is built with; `make` itself needs them.
var Go = []Tool{
	{Program: "go"}, {Program: "gofmt"}, {Program: "git", Package: "git"}, {Program: "make", Package: "make"},
}

// Demo is what the demo uses.
var Demo = []Tool{
	{Program: "ip", Package: "iproute2"},
	{Program: "iptables", Package: "iptables"},
	{Program: "curl", Package: "curl"},
}

// Namespaces is what tests with real redirects use.
var Namespaces = []Tool{
	{Program: "ip", Package: "iproute2"},
	{Program: "ss", Package: "iproute2"},
	{Program: "nft", Package: "nftables"},
	{Program: "iptables", Package: "iptables"},
	{Program: "iptables-save", Package: "iptables"},
	{Program: "iptables-restore", Package: "iptables"},
	{Program: "iptables-nft", Package: "iptables"},
	{Program: "iptables-nft-save", Package: "iptables"},
	{Program: "iptables-nft-restore", Package: "iptables"},
	{Program: "iptables-legacy", Package: "iptables"},
	{Program: "iptables-legacy-save", Package: "iptables"},
	{Program: "iptables-legacy-restore", Package: "iptables"},
	{Program: "ip6tables", Package: "iptables"},
	{Program: "ip6tables-save", Package: "iptables"},
	{Program: "ip6tables-restore", Package: "iptables"},
	{Program: "ip6tables-nft", Package: "iptables"},
	{Program: "ip6tables-nft-save", Package: "iptables"},
	{Program: "ip6tables-nft-restore", Package: "iptables"},
	{Program: "ip6tables-legacy", Package: "iptables"},
	{Program: "ip6tables-legacy-save", Package: "iptables"},
	{Program: "ip6tables-legacy-restore", Package: "iptables"},
}

// EndToEnd is what the tests of the shipped binary use.
var EndToEnd = []Tool{
	{Program: "curl", Package: "curl"},
	{Program: "openssl", Package: "openssl"},
	{Program: "ps", Package: "procps"},
	{Program: "pgrep", Package: "procps"},
}

// Documents is what the shell blocks of the documentation use.
var Documents = []Tool{
	{Program: "unshare", Package: "util-linux"},
	{Program: "ip", Package: "iproute2"},
	{Program: "iptables", Package: "iptables"},
}

// Conformance is what others wrote to judge a protocol by.
var Conformance = []Tool{
	{Program: "h2spec", Module: "github.com/summerwind/h2spec/cmd/h2spec", Pins: "h2spec"}, // v2.2.1
}

// pins are modules of their own for programs whose needs are not ours.
//
//go:embed h2spec.mod h2spec.sum
var pins embed.FS

// Bench are the peers of a benchmark. Their services are never started.
var Bench = []Tool{
	{Program: "nginx", Package: "nginx-light", Service: true},
	{Program: "haproxy", Package: "haproxy", Service: true},
}

// Race is what the race detector is linked with.
var Race = []Tool{
	{Program: "gcc", Package: "gcc"},
	{Program: "as", Package: "binutils"},
	{Program: "ld", Package: "binutils"},
}

// headers is the one package that is no program: C's header files, for the race detector.
const headers = "libc6-dev"

// Lint is what looks at the code.
var Lint = []Tool{
	{Program: "staticcheck", Module: "honnef.co/go/tools/cmd/staticcheck@v0.8.2"},
}

// All is the whole list.
func All() []Tool {
	var all []Tool
	seen := map[string]bool{}
	for _, part := range [][]Tool{Base, Go, Demo, Namespaces, EndToEnd, Documents, Conformance, Bench, Race, Lint} {
		for _, tool := range part {
			if !seen[tool.Program] {
				seen[tool.Program] = true
				all = append(all, tool)
			}
		}
	}
	return all
}
