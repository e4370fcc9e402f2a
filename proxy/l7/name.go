package l7

// Name identifies a field name that the proxy itself acts upon, so that it is
// compared once, when it is parsed. NameOther is every other name.
type Name uint8

// The names the proxy acts upon.
const (
	NameOther Name = iota
	NameHost
	NameConnection
	NameContentLength
	NameContentType
	NameTransferEncoding
	NameTE
	NameTrailer
	NameUpgrade
	NameExpect
	NameKeepAlive
	NameProxyConnection
	NameProxyAuthenticate
	NameProxyAuthorization
	NameHTTP2Settings
	NameDate
	NameServer
	NameLocation
	NameXRequestID
	NameXForwardedProto
	NameXForwardedFor
	NameXEnvoy // any x-envoy-*
	NameGRPCStatus
	NameGRPCMessage
	NameXForwardedClientCert
	NameCookie
	NameXAppMeshVirtualService
)

// ClassifyName gives the Name of a field name in any case.
func ClassifyName(b []byte) Name {
	if n := byLength(b); n != NameOther {
		return n
	}
	if len(b) > 8 && b[0]|0x20 == 'x' && EqualFold(b[:8], "x-envoy-") {
		return NameXEnvoy
	}
	return NameOther
}

func byLength(b []byte) Name {
	switch len(b) {
	case 2:
		return known(b, "te", NameTE)
	case 4:
		switch b[0] | 0x20 {
		case 'h':
			return known(b, "host", NameHost)
		case 'd':
			return known(b, "date", NameDate)
		}
	case 6:
		switch b[0] | 0x20 {
		case 'e':
			return known(b, "expect", NameExpect)
		case 's':
			return known(b, "server", NameServer)
		case 'c':
			return known(b, "cookie", NameCookie)
		}
	case 7:
		switch b[0] | 0x20 {
		case 'u':
			return known(b, "upgrade", NameUpgrade)
		case 't':
			return known(b, "trailer", NameTrailer)
		}
	case 8:
		return known(b, "location", NameLocation)
	case 10:
		switch b[0] | 0x20 {
		case 'c':
			return known(b, "connection", NameConnection)
		case 'k':
			return known(b, "keep-alive", NameKeepAlive)
		}
	case 11:
		return known(b, "grpc-status", NameGRPCStatus)
	case 12:
		switch b[0] | 0x20 {
		case 'c':
			return known(b, "content-type", NameContentType)
		case 'x':
			return known(b, "x-request-id", NameXRequestID)
		case 'g':
			return known(b, "grpc-message", NameGRPCMessage)
		}
	case 14:
		switch b[0] | 0x20 {
		case 'c':
			return known(b, "content-length", NameContentLength)
		case 'h':
			return known(b, "http2-settings", NameHTTP2Settings)
		}
	case 15:
		return known(b, "x-forwarded-for", NameXForwardedFor)
	case 16:
		return known(b, "proxy-connection", NameProxyConnection)
	case 17:
		switch b[0] | 0x20 {
		case 't':
			return known(b, "transfer-encoding", NameTransferEncoding)
		case 'x':
			return known(b, "x-forwarded-proto", NameXForwardedProto)
		}
	case 18:
		return known(b, "proxy-authenticate", NameProxyAuthenticate)
	case 23:
		return known(b, "x-forwarded-client-cert", NameXForwardedClientCert)
	case 19:
		return known(b, "proxy-authorization", NameProxyAuthorization)
	case 26:
		return known(b, "x-app-mesh-virtual-service", NameXAppMeshVirtualService)
	}
	return NameOther
}

func known(b []byte, name string, n Name) Name {
	if EqualFold(b, name) {
		return n
	}
	return NameOther
}

// EqualFold compares b with a lower-case ASCII text without regard to case.
func EqualFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
