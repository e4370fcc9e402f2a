package filter

import (
	"bytes"
	"net/netip"
	"unsafe"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Forwarded says where a request's client is known from. The zero value is what
// App Mesh did: x-forwarded-for is neither made nor looked at (App Mesh 2.6).
type Forwarded struct {
	// Append adds the peer to x-forwarded-for (Envoy: use_remote_address). The
	// peer is the client, unless there are Proxies.
	Append bool
	// Proxies is how many trusted ones stand between the client and us; the
	// first of them has added the client, so that it is that many places from
	// the right (Envoy: xff_num_trusted_hops).
	Proxies int
}

// ForwardedFor appends the peer's address to x-forwarded-for, makes the client's
// address that of the exchange, for the access log, and says it to the app in
// x-envoy-external-address (Envoy 2.4, steps 4, 7 and 10). What a client of the
// edge says of its own way here is taken out: x-forwarded-proto becomes that of
// the connection, unless a proxy before us may have said it.
//
// Decisions, where Envoy's use_remote_address does more:
//   - nobody is internal: x-envoy-* control headers are taken out of every
//     request, whatever its address (Sanitize);
//   - an x-request-id that came stays, as on App Mesh;
//   - a peer on the loopback is appended as it is, not as our own address;
//   - an address of x-forwarded-for may have a port, which an ALB can be told
//     to write. One that is none makes the peer the client.
func ForwardedFor(f Forwarded) l7.Stage {
	return func(next l7.Handler) l7.Handler {
		if !f.Append {
			return next
		}
		return func(ex *l7.Exchange) error {
			peer := ex.Downstream.Addr().Unmap()
			client := peer
			if f.Proxies > 0 {
				if addr, ok := fromRight(&ex.Request.Header, f.Proxies); ok {
					client, ex.Downstream = addr, netip.AddrPortFrom(addr, 0)
				}
			}
			dropClaims(&ex.Request.Header)
			if f.Proxies == 0 || ex.Request.Header.Find(l7.NameXForwardedProto) == nil {
				claimNoScheme(&ex.Request)
			}
			appendFor(ex, peer)
			ex.Request.Header.Add(l7.NameXEnvoy, externalAddressName, text(ex, client))
			return next(ex)
		}
	}
}

// fromRight gives the n-th address of x-forwarded-for from the right, all of its
// fields together.
func fromRight(h *l7.Header, n int) (addr netip.Addr, ok bool) {
	for i := len(h.Fields) - 1; i >= 0; i-- {
		f := &h.Fields[i]
		if f.ID != l7.NameXForwardedFor || f.Name == nil {
			continue
		}
		for end := len(f.Value); end >= 0; n-- {
			start := end
			for start > 0 && f.Value[start-1] != ',' {
				start--
			}
			if n == 1 {
				return parseAddr(f.Value[start:end])
			}
			end = start - 1
		}
	}
	return netip.Addr{}, false
}

// parseAddr reads an address with blanks around it, perhaps with a port.
func parseAddr(b []byte) (netip.Addr, bool) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	if len(b) == 0 || bytes.IndexByte(b, '%') >= 0 { // no zone is known here
		return netip.Addr{}, false
	}
	s := unsafe.String(&b[0], len(b)) // whose only keeper is an error, dropped at once
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap(), true
	}
	with, err := netip.ParseAddrPort(s)
	return with.Addr().Unmap(), err == nil
}

// dropClaims takes out what Envoy sets itself on the edge, and a client may not.
func dropClaims(h *l7.Header) {
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == l7.NameXEnvoy && f.Name != nil && claims(f.Name) {
			f.Name = nil
		}
	}
}

func claims(name []byte) bool {
	for _, s := range [...]string{
		"external-address",
		"decorator-operation",
		"downstream-service-cluster",
		"downstream-service-node",
		"original-path",
		"original-host",
	} {
		if len(name) == len(s)+8 && l7.EqualFold(name[8:], s) {
			return true
		}
	}
	return false
}

// claimNoScheme makes a request one that says nothing of its scheme: it came in
// the clear, for no TLS of ours ends here.
func claimNoScheme(req *l7.Request) {
	req.Header.Remove(l7.NameXForwardedProto)
	req.Scheme = httpScheme
}

// appendFor appends an address to the last x-forwarded-for, or makes one.
func appendFor(ex *l7.Exchange, peer netip.Addr) {
	h := &ex.Request.Header
	for i := len(h.Fields) - 1; i >= 0; i-- {
		f := &h.Fields[i]
		if f.ID != l7.NameXForwardedFor || f.Name == nil {
			continue
		}
		at := len(ex.Scratch)
		if ex.Scratch = append(ex.Scratch, f.Value...); len(f.Value) > 0 {
			ex.Scratch = append(ex.Scratch, ',')
		}
		ex.Scratch = peer.AppendTo(ex.Scratch)
		f.Value = ex.Scratch[at:len(ex.Scratch):len(ex.Scratch)]
		return
	}
	h.Add(l7.NameXForwardedFor, forwardedForName, text(ex, peer))
}

// text writes an address into the exchange's scratch memory.
func text(ex *l7.Exchange, addr netip.Addr) []byte {
	at := len(ex.Scratch)
	ex.Scratch = addr.AppendTo(ex.Scratch)
	return ex.Scratch[at:]
}

var (
	forwardedForName    = []byte("x-forwarded-for")
	externalAddressName = []byte("x-envoy-external-address")
)
