package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// maxLookup bounds a lookup over all names, servers and attempts.
const maxLookup = 30 * time.Second

// Resolver is a stub resolver. The order of things: a literal address;
// localhost (RFC 6761); /etc/hosts, which silences DNS for a name that it has
// a usable address for; then the servers of /etc/resolv.conf, the search list
// as its ndots says, each server in turn, as often as its attempts say. Both
// files are read again when they change.
//
// A search goes on past a name that is missing or empty, never past one that
// nobody answered for: a name later in the list could be the wrong one.
//
// The zero value is ready. Any number of goroutines may use it at once.
type Resolver struct {
	// ResolvConf is the path of resolv.conf; empty is /etc/resolv.conf.
	ResolvConf string
	// Hosts is the path of the hosts file; empty is /etc/hosts.
	Hosts string
	// ID draws message ids; nil is a good generator. (Together with the source
	// port it is what keeps answers from being forged, RFC 5452.)
	ID func() uint16

	conf  reloaded[resolvConf]
	hosts reloaded[hostsFile]
	// at is where a server is reached; nil is its port 53. For tests.
	at func(netip.Addr) netip.AddrPort
}

// Resolve looks up the addresses of a host. AnyFamily and IPv6Preferred give
// the IPv6 addresses, or the IPv4 ones if there are none (Envoy: AUTO);
// IPv4Preferred the other way round. It blocks until answered, 30 s at most,
// or until ctx ends. The error wraps ErrNoName, ErrEmpty or ErrUnanswered.
func (r *Resolver) Resolve(ctx context.Context, host string, preference mesh.IPPreference) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, maxLookup)
	defer cancel()
	if addr, err := netip.ParseAddr(host); err == nil {
		return Answer{Addrs: []netip.Addr{addr.Unmap()}}, nil
	}
	if addrs := choose(preference, r.local(host)); len(addrs) > 0 {
		return Answer{Addrs: addrs}, nil
	}
	conf := r.conf.read(orDefault(r.ResolvConf, "/etc/resolv.conf"), parseResolvConf)
	var err error
	for _, name := range conf.candidates(host) {
		answer, failed := r.families(ctx, conf, name, preference)
		if failed == nil {
			return answer, nil
		}
		// NXDOMAIN of one candidate says less than that another exists empty.
		if err == nil || !errors.Is(failed, ErrNoName) {
			err = failed
		}
		if errors.Is(failed, ErrUnanswered) {
			break
		}
	}
	return Answer{}, fmt.Errorf("look up %q: %w", host, err)
}

// local is what is known without DNS.
func (r *Resolver) local(host string) []netip.Addr {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if addrs := r.hosts.read(orDefault(r.Hosts, "/etc/hosts"), parseHosts)[name]; len(addrs) > 0 {
		return addrs
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return nil
}

// choose keeps the addresses of the family that the preference comes to.
func choose(preference mesh.IPPreference, addrs []netip.Addr) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, addr := range addrs {
		if addr.Is4() {
			v4 = append(v4, addr)
		} else {
			v6 = append(v6, addr)
		}
	}
	switch preference {
	case mesh.IPv4Only:
		return v4
	case mesh.IPv6Only:
		return v6
	case mesh.IPv4Preferred:
		v4, v6 = v6, v4
	}
	if len(v6) > 0 {
		return v6
	}
	return v4
}

// families asks for one absolute name in the families that the preference
// wants, both at once where it wants both.
func (r *Resolver) families(ctx context.Context, conf resolvConf, name string, preference mesh.IPPreference) (Answer, error) {
	first, second := dnsmessage.TypeAAAA, dnsmessage.TypeA
	switch preference {
	case mesh.IPv4Only:
		return r.query(ctx, conf, name, dnsmessage.TypeA)
	case mesh.IPv6Only:
		return r.query(ctx, conf, name, dnsmessage.TypeAAAA)
	case mesh.IPv4Preferred:
		first, second = second, first
	}
	type outcome struct {
		answer Answer
		err    error
	}
	other := make(chan outcome, 1)
	otherCtx, cancel := context.WithCancel(ctx)
	go func() {
		answer, err := r.query(otherCtx, conf, name, second)
		other <- outcome{answer, err}
	}()
	answer, err := r.query(ctx, conf, name, first)
	if err == nil {
		cancel()
	}
	fallback := <-other // always: no goroutine outlives the lookup
	cancel()
	switch {
	case err == nil:
		return answer, nil
	case fallback.err == nil:
		return fallback.answer, nil
	case errors.Is(fallback.err, ErrUnanswered):
		return Answer{}, fallback.err
	case errors.Is(err, ErrNoName) && !errors.Is(fallback.err, ErrNoName):
		return Answer{}, fallback.err // the name exists
	}
	return Answer{}, err
}

// query asks every server in turn, as often as attempts says, until one knows.
func (r *Resolver) query(ctx context.Context, conf resolvConf, name string, kind dnsmessage.Type) (Answer, error) {
	q, err := newQuestion(name, kind)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNoName, err)
	}
	for range conf.attempts {
		for _, server := range conf.servers {
			if ctx.Err() != nil {
				return Answer{}, fmt.Errorf("%w: %w", ErrUnanswered, ctx.Err())
			}
			var answer Answer
			answer, err = r.ask(ctx, r.reach(server), q, conf.timeout)
			if !errors.Is(err, ErrUnanswered) {
				return answer, err
			}
			err = fmt.Errorf("server %s: %w", server, err)
		}
	}
	return Answer{}, err
}

func (r *Resolver) reach(server netip.Addr) netip.AddrPort {
	if r.at != nil {
		return r.at(server)
	}
	return netip.AddrPortFrom(server, 53)
}

func (r *Resolver) newID() uint16 {
	if r.ID != nil {
		return r.ID()
	}
	return uint16(rand.Uint32()) // ChaCha8, seeded by the kernel
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
