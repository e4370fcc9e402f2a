package proxy

import (
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/sniff"
)

// The counters of connections that are passed on without a document that says
// what they speak, "sniff.". Each that was relayed has one verdict, from the
// bytes that went by (Envoy has most of these as tls_inspector.*_found and
// http_inspector.*_found, and makes every connection wait for them).
const (
	sniffTLS         = iota // a ClientHello, or the beginning of one
	sniffSNI                // of these, with a server name
	sniffNoSNI              // of these, without one that could be read
	sniffHTTP1              // a request line
	sniffHTTP2              // the preface
	sniffServerFirst        // the server spoke before its client
	sniffUnknown            // anything else, or nothing
	sniffRefused            // what the egress filter closed without dialing
)

var sniffLayout = stat.Layout{
	Counters: []string{
		sniffTLS:         "tls_found",
		sniffSNI:         "sni_found",
		sniffNoSNI:       "sni_not_found",
		sniffHTTP1:       "http1_found",
		sniffHTTP2:       "http2_found",
		sniffServerFirst: "server_first",
		sniffUnknown:     "unknown",
		sniffRefused:     "refused",
	},
}

// witness is for a session that is about to begin; what it tells is counted at
// once, by the side that knows.
func (s *Server) witness() *sniff.Witness { return &sniff.Witness{Tell: s.sniffed} }

func (s *Server) sniffed(p sniff.Protocol, serverName string) {
	counter := sniffUnknown
	switch p {
	case sniff.TLS:
		counter = sniffTLS
		if serverName != "" {
			s.streams.sniffs.Counter(sniffSNI).Inc()
		} else {
			s.streams.sniffs.Counter(sniffNoSNI).Inc()
		}
	case sniff.HTTP1:
		counter = sniffHTTP1
	case sniff.HTTP2:
		counter = sniffHTTP2
	case sniff.ServerFirst:
		counter = sniffServerFirst
	}
	s.streams.sniffs.Counter(counter).Inc()
}
