// Package l4 serves TCP: it chooses a cluster by weight and hands the two
// connections to relay. TLS that nobody here can read passes by its server
// name (sniff).
package l4
