package filter

import (
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// ServiceTime sets x-envoy-upstream-service-time: milliseconds from the end of
// the request to the head of the response. It is left out when the response
// came before the request had ended (Envoy 2.5).
func ServiceTime(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		if err := next(ex); err != nil || ex.UpstreamTime < 0 {
			return err
		}
		at := len(ex.Scratch)
		ex.Scratch = strconv.AppendInt(ex.Scratch, int64(ex.UpstreamTime/time.Millisecond), 10)
		h := &ex.Response.Header
		for i := range h.Fields {
			if f := &h.Fields[i]; f.ID == l7.NameXEnvoy && l7.EqualFold(f.Name, "x-envoy-upstream-service-time") {
				f.Value = ex.Scratch[at:]
				return nil
			}
		}
		h.Add(l7.NameXEnvoy, serviceTimeName, ex.Scratch[at:])
		return nil
	}
}

var serviceTimeName = []byte("x-envoy-upstream-service-time")
