package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Forwarded is what is done about X-Forwarded-For and X-Forwarded-Proto of
// requests that come in. The zero value does what App Mesh did: nothing, but for
// an X-Forwarded-Proto where there is none.
type Forwarded struct {
	// Append adds the peer's address, and takes it for the client's (Envoy:
	// use_remote_address).
	Append bool
	// Proxies is how many trusted proxies stand before us: the client is the
	// one that the first of them has added (Envoy: xff_num_trusted_hops). Only
	// with Append.
	Proxies int
}

// String is the spelling of --forwarded.
func (f Forwarded) String() string {
	switch {
	case f.Proxies > 0:
		return fmt.Sprintf("behind=%d", f.Proxies)
	case f.Append:
		return "append"
	}
	return "off"
}

// mostProxies is more than anybody chains.
const mostProxies = 16

func parseForwarded(s string) (Forwarded, error) {
	if n, ok := strings.CutPrefix(s, "behind="); ok {
		proxies, err := integer(1, mostProxies)(n)
		if err != nil {
			return Forwarded{}, fmt.Errorf("behind is %w", err)
		}
		return Forwarded{Append: true, Proxies: proxies}, nil
	}
	switch s {
	case "off":
		return Forwarded{}, nil
	case "append":
		return Forwarded{Append: true}, nil
	}
	return Forwarded{}, errors.New("not one of off, append, behind=N")
}

// checkGateway says what a gateway has no use for.
func (p *parser) checkGateway() {
	unused := func(from, why string) {
		if from != fromDefault {
			p.warn(mesh.Warning, from, "not used: %s", why)
		}
	}
	const ports = "nothing is redirected to a virtual gateway; it listens on the ports of its listeners"
	unused(p.run.Listen.Ingress.From, ports)
	unused(p.run.Listen.Egress.From, ports)
	unused(p.run.Listen.App.From, "a virtual gateway has no app")
}
