package filter

import (
	"math/rand/v2"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// RequestID gives a request an x-request-id, a UUID of version 4, if it has
// none or an empty one (Envoy 2.4, step 11). The 15th character is "4": no
// trace.
func RequestID(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		h := &ex.Request.Header
		switch f := h.Find(l7.NameXRequestID); {
		case f == nil:
			h.Add(l7.NameXRequestID, requestIDName, newID(ex))
		case len(f.Value) == 0:
			f.Value = newID(ex)
		}
		return next(ex)
	}
}

var requestIDName = []byte("x-request-id")

// newID writes a UUID into the exchange's scratch memory.
func newID(ex *l7.Exchange) []byte {
	const digits = "0123456789abcdef"
	a, b := rand.Uint64(), rand.Uint64()
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 2<<62
	at := len(ex.Scratch)
	id := ex.Scratch
	for i, word := range [...]uint64{a, b} {
		for shift := 60; shift >= 0; shift -= 4 {
			id = append(id, digits[word>>shift&15])
			switch {
			case i == 0 && (shift == 32 || shift == 16 || shift == 0), i == 1 && shift == 48:
				id = append(id, '-')
			}
		}
	}
	ex.Scratch = id
	return id[at:]
}
