package discovery

import (
	"errors"
	"net/netip"
	"time"
)

// Answer is what a name stands for.
type Answer struct {
	// Addrs is in the server's order, without duplicates; never empty.
	Addrs []netip.Addr
	// TTL is the least of the records; 0 for hosts files and literals.
	TTL time.Duration
}

// How a lookup fails: errors.Is tells the consequence.
var (
	// ErrNoName: a server knows that the name does not exist (NXDOMAIN).
	ErrNoName = errors.New("no such name (NXDOMAIN)")
	// ErrEmpty: the name exists without an address of the wanted family.
	ErrEmpty = errors.New("the name has no address of the wanted family")
	// ErrUnanswered: no server gave an answer that counts (silence, SERVFAIL,
	// REFUSED, nonsense, or the lookup was given up). It says nothing about
	// the name.
	ErrUnanswered = errors.New("no server answered")
)
