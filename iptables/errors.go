package iptables

import (
	"errors"
	"fmt"
	"strings"
)

// ConfigError says what is wrong with a Config, all of it at once. Nothing was touched. It is the user's to correct.
type ConfigError struct {
	// Problems holds one sentence per fault, in the order in which the fields are documented. Never empty.
	Problems []string
}

func (e *ConfigError) Error() string {
	return "interception refused: " + strings.Join(e.Problems, "; ")
}

// PrivilegeError says that the kernel refused us. Changing rules needs the capability NET_ADMIN in the network
// namespace (and NET_RAW for the legacy variant).
type PrivilegeError struct {
	Doing  string // what was under way
	Answer string // what the program or the kernel said
}

func (e *PrivilegeError) Error() string {
	return fmt.Sprintf("%s: permission denied: run as root or with the capabilities NET_ADMIN and NET_RAW (%s)", e.Doing, e.Answer)
}

// MissingError says that a program this package runs is not installed.
type MissingError struct {
	Program string // as looked for, such as ip6tables-nft-restore
	Package string // the Debian package that holds it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s not found: install the Debian package %q", e.Program, e.Package)
}

// CommandError says that one of the programs failed for another reason than privilege.
type CommandError struct {
	Command string // the program and its arguments
	Answer  string // its standard error, at most a few lines, or why it did not run
}

func (e *CommandError) Error() string { return e.Command + ": " + e.Answer }

// problems gathers faults until somebody asks for the error.
type problems []string

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// add takes over the faults of a ConfigError, or the text of any other error.
func (p *problems) add(err error) {
	var bad *ConfigError
	if errors.As(err, &bad) {
		*p = append(*p, bad.Problems...)
	} else if err != nil {
		*p = append(*p, err.Error())
	}
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &ConfigError{Problems: p}
}
