// Package sniff says which protocol a connection speaks, from the first bytes
// that its peers have sent. It reads nothing itself, and consumes nothing:
//
//   - Where the answer decides where a connection goes, the caller peeks, and
//     shows more bytes as long as it is asked for more (Detect, ServerName).
//     Whoever takes the connection afterwards finds every byte in its place.
//   - Where it decides nothing, nobody waits for it: a Witness looks at the
//     bytes while they are passed on, and gives the connection its label.
//
// It recognizes, it does not check: a request that is recognized as HTTP may
// still be refused by the codec. What is not recognized is opaque. A protocol
// whose server speaks first (MySQL, SMTP, SSH) never shows a byte to who waits
// for its client, and only the caller's own deadline ends that wait (Envoy:
// listener_filters_timeout); so it is to be waited for only where nobody may be
// dialed before.
package sniff
