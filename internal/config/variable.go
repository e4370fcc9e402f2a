package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// variable is one environment variable of an App Mesh task.
type variable struct {
	name   string
	family family
	// check gives the value in one spelling, or what is wrong with it.
	check check
	// fallback is the agent's default, told when a bad value gives way to it.
	fallback string
	// set acts on the value; nil for what this build does not act on.
	set func(p *parser, text, from string) error
	// would completes "would have ..." for a variable that is not acted on.
	would string
	// instead says what is true now; empty: a later build does it.
	instead string
	// fine is the value that asks for nothing that is not there anyway.
	fine string
	// needs is the switch without which App Mesh ignored the variable, too.
	needs string
	// effect is what is different without it, where that is more than what is
	// seen (would without instead) or nothing (with instead).
	effect mesh.Effect
}

// family is how App Mesh's agent read a variable (App Mesh 3.1).
type family uint8

const (
	// strict: trimmed; a bad value is fatal.
	strict family = iota
	// quiet: not trimmed; a bad value becomes the default.
	quiet
	// forgiving: trimmed; a bad value becomes the default (ENVOY_LOG_LEVEL).
	forgiving
)

// check gives the value in its one spelling.
type check func(string) (string, error)

func (v variable) read(p *parser, text string) {
	if v.family != quiet {
		if text = strings.TrimSpace(text); text == "" {
			return
		}
	}
	value, err := v.check(text)
	switch {
	case err != nil && v.family == strict:
		p.problem("%s %q: %v", v.name, text, err)
	case err != nil:
		p.warn(mesh.Warning, v.name, "%q is %v: %s is used"+asAgentDid, text, err, v.fallback)
	case v.set != nil:
		if err := v.set(p, value, v.name); err != nil {
			p.problem("%s %q: %v", v.name, text, err)
		}
	case value == v.fine && v.fine != "", v.needs != "" && !p.on(v.needs):
	case v.instead == "":
		p.warn(mesh.NotYet, v.name, "would have %s: this build does not", v.would)
	default:
		p.warn(mesh.Warning, v.name, "would have %s: %s", v.would, v.instead)
	}
}

// asAgentDid ends a warning about a bad value that gives way to its default.
const asAgentDid = ", as App Mesh's agent did"

// on tells whether a switch is on: a true boolean, or set at all if it is
// not a boolean.
func (p *parser) on(name string) bool {
	text := strings.TrimSpace(p.env[name])
	v, err := strconv.ParseBool(text)
	return text != "" && (v || err != nil)
}

// How values are checked.
var (
	anything check = text
	aSwitch        = spelled(boolean)
	aPort          = spelled(integer(1, 65535))
	aNumber        = spelled(integer(math.MinInt32, math.MaxInt32))
	seconds        = spelled(integer(0, math.MaxInt32))
	anyLevel check = func(s string) (string, error) { l, err := ParseLevel(s); return l.String(), err }
	interval       = spelled(duration(0, math.MaxInt64))
)

func between(least, most int) check { return spelled(integer(least, most)) }

func spelled[T any](parse func(string) (T, error)) check {
	return func(s string) (string, error) {
		v, err := parse(s)
		return fmt.Sprint(v), err
	}
}

// literalAddress is an IP with or without a port (AWS_XRAY_DAEMON_ADDRESS).
func literalAddress(s string) (string, error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, nil
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return s, nil
	}
	return "", errors.New("not a literal IP address, with or without a port")
}
