package filter

import (
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Clock gives wall-clock time.
type Clock func() time.Time

// ResponseHeaders overwrites Server and adds Date where there is none (Envoy
// 2.5: server_header_transformation OVERWRITE, server_name envoy).
func ResponseHeaders(clock Clock) l7.Stage {
	var dates dateCache
	return func(next l7.Handler) l7.Handler {
		return func(ex *l7.Exchange) error {
			if err := next(ex); err != nil {
				return err
			}
			h := &ex.Response.Header
			if f := h.Find(l7.NameServer); f != nil {
				f.Value = envoy
			} else {
				h.Add(l7.NameServer, serverName, envoy)
			}
			if h.Find(l7.NameDate) == nil {
				h.Add(l7.NameDate, dateName, dates.at(clock()))
			}
			return nil
		}
	}
}

var (
	serverName = []byte("server")
	dateName   = []byte("date")
	envoy      = []byte("envoy")
)

// dateCache formats a date once a second.
type dateCache struct{ last atomic.Pointer[date] }

type date struct {
	second int64
	text   []byte
}

func (c *dateCache) at(now time.Time) []byte {
	d := c.last.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), []byte(now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))}
		c.last.Store(d)
	}
	return d.text
}
