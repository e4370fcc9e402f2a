package h2

import (
	"strconv"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Heads are encoded with HPACK's static table alone, without Huffman coding
// and without a dynamic table: no state, a tenth of the time, some bytes more on
// loopback (RFC 7541 6.2.2). The first block of a connection says so by a table
// size of 0.

const tableSizeZero = 0x20

// staticNames is the static table's index of the names the proxy knows.
var staticNames = [...]byte{
	l7.NameContentLength:     28,
	l7.NameContentType:       31,
	l7.NameDate:              33,
	l7.NameExpect:            35,
	l7.NameHost:              38,
	l7.NameLocation:          46,
	l7.NameProxyAuthenticate: 48,
	l7.NameServer:            54,
	l7.NameCookie:            32,
}

// Indices of the static table (RFC 7541 appendix A).
const (
	staticAuthority   = 1
	staticMethodGet   = 2
	staticMethodPost  = 3
	staticPath        = 4
	staticSchemeHTTP  = 6
	staticSchemeHTTPS = 7
	staticStatus      = 8
)

// appendRequest appends a request's header list.
func appendRequest(b []byte, req *l7.Request) []byte {
	switch string(req.Method) {
	case "GET":
		b = append(b, 0x80|staticMethodGet)
	case "POST":
		b = append(b, 0x80|staticMethodPost)
	default:
		b = appendLiteral(b, staticMethodGet, req.Method)
	}
	if !req.IsConnect() {
		switch string(req.Scheme) {
		case "https":
			b = append(b, 0x80|staticSchemeHTTPS)
		default:
			b = append(b, 0x80|staticSchemeHTTP)
		}
		b = appendLiteral(b, staticPath, req.Target)
	}
	if len(req.Authority) > 0 {
		b = appendLiteral(b, staticAuthority, req.Authority)
	}
	return appendFields(b, &req.Header)
}

// appendResponse appends a response's header list.
func appendResponse(b []byte, resp *l7.Response) []byte {
	index := byte(0)
	switch resp.Status {
	case 200:
		index = 8
	case 204:
		index = 9
	case 206:
		index = 10
	case 304:
		index = 11
	case 400:
		index = 12
	case 404:
		index = 13
	case 500:
		index = 14
	}
	if index != 0 {
		b = append(b, 0x80|index)
	} else {
		b = append(b, staticStatus, 3)
		b = strconv.AppendInt(b, int64(resp.Status), 10)
	}
	return appendFields(b, &resp.Header)
}

// appendFields appends the fields that were not removed, but for those of an
// HTTP/1 connection, with their names in lower case.
func appendFields(b []byte, h *l7.Header) []byte {
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name == nil {
			continue
		}
		switch f.ID {
		case l7.NameHost, l7.NameConnection, l7.NameKeepAlive, l7.NameProxyConnection,
			l7.NameTransferEncoding, l7.NameUpgrade, l7.NameHTTP2Settings:
			continue
		case l7.NameTE:
			if !l7.EqualFold(f.Value, "trailers") {
				continue
			}
		}
		if int(f.ID) < len(staticNames) && staticNames[f.ID] != 0 {
			b = appendLiteral(b, staticNames[f.ID], f.Value)
			continue
		}
		b = append(b, 0)
		b = appendInteger(b, 7, len(f.Name))
		b = appendLower(b, f.Name)
		b = appendInteger(b, 7, len(f.Value))
		b = append(b, f.Value...)
	}
	return b
}

// appendLiteral appends a field without indexing whose name is in the static
// table.
func appendLiteral(b []byte, name byte, value []byte) []byte {
	b = appendInteger(b, 4, int(name))
	b = appendInteger(b, 7, len(value))
	return append(b, value...)
}

// appendInteger appends an integer with a prefix of so many bits, whose other
// bits are 0 (RFC 7541 5.1).
func appendInteger(b []byte, bits uint, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(b, byte(n))
	}
	b = append(b, byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func appendLower(b, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

// beginHeaders makes room for the header of a HEADERS frame in the output and
// tells where it is.
func (c *conn) beginHeaders() (at int) {
	c.needOut()
	at = len(c.out.b)
	c.out.b = append(c.out.b, make([]byte, frameHeaderLen)...)
	if !c.tableSaid {
		c.tableSaid = true
		c.out.b = append(c.out.b, tableSizeZero)
	}
	return at
}

// endHeaders completes the HEADERS frame that begins at at. A block larger than
// a frame goes on in CONTINUATIONs.
func (c *conn) endHeaders(at int, stream uint32, flags http2.Flags) {
	block := c.out.b[at+frameHeaderLen:]
	c.outFrames++
	if len(block) <= c.peer.maxFrame {
		appendFrame(c.out.b[:at], http2.FrameHeaders, flags|flagEndHeaders, stream, len(block))
		return
	}
	block = append([]byte(nil), block...)
	c.out.b = c.out.b[:at]
	kind := http2.FrameHeaders
	for len(block) > 0 {
		n := min(len(block), c.peer.maxFrame)
		if n == len(block) {
			flags |= flagEndHeaders
		}
		c.out.b = append(appendFrame(c.out.b, kind, flags, stream, n), block[:n]...)
		block = block[n:]
		kind, flags = http2.FrameContinuation, 0
		c.outFrames++
	}
}
