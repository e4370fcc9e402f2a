package h1

import "github.com/outrider-mesh/outrider/proxy/l7"

// appendTranslated appends the head of a request that came by HTTP/2. How the
// body ends is said anew, and once: HTTP/2 frames it by itself, and a field that
// frames a message in HTTP/1 must not come out of one that did not (RFC 9113
// 8.2.2, 10.3). The codec it came by has checked names and values.
func appendTranslated(b []byte, r *l7.Outgoing, chunked bool) []byte {
	req := r.Head
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, req.Target...)
	b = append(b, " HTTP/1.1\r\nhost: "...)
	b = append(b, req.Authority...)
	b = append(b, "\r\n"...)
	announced, te := false, false
	for i := range req.Header.Fields {
		f := &req.Header.Fields[i]
		if f.Name == nil {
			continue
		}
		switch f.ID {
		case l7.NameContentLength:
			announced = true
		case l7.NameTE:
			te = te || l7.EqualFold(f.Value, "trailers")
		case l7.NameHost, l7.NameTransferEncoding, l7.NameConnection, l7.NameKeepAlive, l7.NameProxyConnection,
			l7.NameUpgrade, l7.NameHTTP2Settings, l7.NameExpect:
		default:
			b = appendField(b, f)
		}
	}
	if chunked {
		b = append(b, "transfer-encoding: chunked\r\n"...)
	} else {
		b = appendLength(b, r, announced)
	}
	if te {
		b = append(b, "te: trailers\r\nconnection: te\r\n"...)
	}
	return append(b, "\r\n"...)
}

// announcesTrailer tells that a message that came by HTTP/2 will have trailer
// fields behind a body, whether it says how long that is or not. In HTTP/1 a body
// whose length is given leaves no room for them (RFC 9112 7.1.2): such a message
// is sent in chunks, and its length is not passed on. Trailers that nothing
// announces, behind a length, are dropped, as any recipient may (RFC 9110 6.5.1);
// a message without a length, as all of gRPC are, keeps them.
func announcesTrailer(came l7.Version, h *l7.Header) bool {
	return came == l7.HTTP2 && h.Find(l7.NameTrailer) != nil
}

// appendLength says how long the body is. One that is empty is said to be where
// the client said so, and where its method has a meaning for content (RFC 9110
// 8.6).
func appendLength(b []byte, r *l7.Outgoing, announced bool) []byte {
	length := int64(len(r.Whole))
	if r.Body != nil {
		length = r.Body.Length()
	}
	if length == 0 && !announced && !expectsContent(r.Head.Method) {
		return b
	}
	b = append(b, "content-length: "...)
	b = appendInt(b, length)
	return append(b, "\r\n"...)
}

func expectsContent(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}
