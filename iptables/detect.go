package iptables

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// Variant is one of the two kernel interfaces that programs called iptables write to. A namespace can hold rules in
// both; a packet then meets both, in an order nobody should rely on.
type Variant string

const (
	NFT    Variant = "nft"
	Legacy Variant = "legacy"
)

// table is the nat table of one family in one variant, and the programs that read and write it.
type table struct {
	family  Family
	variant Variant
	save    string // path of iptables-save
	restore string // path of iptables-restore
	found   layout // what it held when it was looked at first
}

// tables looks at the nat tables of one family: those whose programs are installed and whose kernel side exists, nft
// first. It changes nothing, not even by loading a kernel module for the legacy table: that would make every later
// iptables-nft warn of legacy tables. The error is a *MissingError if there is no program at all.
func tables(ctx context.Context, host runner, family Family) ([]table, error) {
	var found []table
	for _, variant := range []Variant{NFT, Legacy} {
		t, err := locate(ctx, host, family, variant)
		if err != nil {
			var missing *MissingError
			if errors.As(err, &missing) {
				continue
			}
			return nil, err
		}
		if t.found, err = t.firstLook(ctx, host); err != nil {
			if notInKernel(err) {
				continue
			}
			return nil, err
		}
		found = append(found, t)
	}
	if len(found) == 0 {
		return nil, &MissingError{Program: prefix(family) + "-nft-restore", Package: "iptables"}
	}
	return found, nil
}

// choose picks the table to write to: the one that holds our rules already, else the one that holds anybody's, else
// the first. Where both hold some, nft wins: it is the one that stays.
func choose(tables []table) (chosen table, others []table) {
	best := 0
	for _, holds := range []func(layout) bool{layout.holdsAny, layout.holdsOurs} {
		for i := len(tables) - 1; i >= 0; i-- {
			if holds(tables[i].found) {
				best = i
			}
		}
	}
	others = append(others, tables[:best]...)
	return tables[best], append(others, tables[best+1:]...)
}

func prefix(family Family) string {
	if family == IPv6 {
		return "ip6tables"
	}
	return "iptables"
}

// locate finds a variant's two programs: iptables-nft-save as Debian calls them, or plain iptables-save where a system
// has one variant only and its --version says which.
func locate(ctx context.Context, host runner, family Family, variant Variant) (table, error) {
	t := table{family: family, variant: variant}
	var err error
	for _, name := range []string{prefix(family) + "-" + string(variant), prefix(family)} {
		if t.restore, err = host.find(name + "-restore"); err != nil {
			continue
		}
		if t.save, err = host.find(name + "-save"); err != nil {
			continue
		}
		if name != prefix(family) {
			return t, nil
		}
		version, err := host.run(ctx, command{path: t.restore, args: []string{"--version"}})
		if err != nil {
			return t, err
		}
		if isNFT := strings.Contains(version, "nf_tables"); isNFT == (variant == NFT) { // before 1.8 it names no variant: legacy
			return t, nil
		}
		return t, &MissingError{Program: name + "-" + string(variant) + "-restore", Package: "iptables"}
	}
	return t, err
}

// firstLook reads the table, but a legacy table only if this namespace has one.
func (t table) firstLook(ctx context.Context, host runner) (layout, error) {
	if t.variant == NFT {
		return t.read(ctx, host)
	}
	names, err := host.read("/proc/thread-self/net/" + strings.TrimSuffix(prefix(t.family), "tables") + "_tables_names")
	if errors.Is(err, fs.ErrPermission) { // Another user than root, with capabilities perhaps: the program will know.
		return t.read(ctx, host)
	}
	if err != nil { // The kernel side is absent, or not loaded yet.
		return layout{}, nil
	}
	for name := range strings.Lines(names) {
		if strings.TrimSpace(name) == "nat" {
			return t.read(ctx, host)
		}
	}
	return layout{}, nil
}

// read returns what the table holds now.
func (t table) read(ctx context.Context, host runner) (layout, error) {
	text, err := host.run(ctx, command{path: t.save, args: []string{"-t", "nat"}})
	if err != nil {
		return layout{}, err
	}
	return parseSaved(text)
}

// notInKernel recognises iptables-nft on a kernel without nf_tables (gVisor, old kernels).
func notInKernel(err error) bool {
	var failed *CommandError
	return errors.As(err, &failed) &&
		(strings.Contains(failed.Answer, "Failed to initialize nft") || strings.Contains(failed.Answer, "rule set generation id"))
}

// hasIPv6 says whether this namespace's kernel speaks IPv6 at all. Without it nothing can go past us that way.
func hasIPv6(host runner) (bool, error) {
	_, err := host.read("/proc/thread-self/net/if_inet6")
	if !errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if _, err := host.read("/proc/thread-self/net/dev"); err != nil {
		return false, &CommandError{Command: "looking for IPv6", Answer: "/proc is not mounted: " + err.Error()}
	}
	return false, nil
}
