// Package sniff says which protocol a connection speaks, from the first bytes
// that its peer has sent. It reads nothing itself: the caller peeks, and shows
// more bytes as long as it is asked for more, so that whoever takes the
// connection afterwards finds every byte in its place.
//
// It recognizes, it does not check: a request that is recognized as HTTP may
// still be refused by the codec. What is not recognized is opaque. A protocol
// whose server speaks first (MySQL, SMTP) never shows a byte; only the caller's
// own deadline ends that wait (Envoy: listener_filters_timeout).
package sniff
