// Package conf holds the peers' configurations: committed, so that whoever doubts a figure can read what it was made
// with.
package conf

import (
	_ "embed"
	"strings"
)

//go:embed nginx.conf
var nginx string

//go:embed haproxy.cfg
var haproxy string

// Nginx is nginx's configuration, listening on listen and passing on to backend (ADDR:PORT each).
func Nginx(listen, backend string) string { return fill(nginx, listen, backend) }

// HAProxy is HAProxy's configuration, the same way.
func HAProxy(listen, backend string) string { return fill(haproxy, listen, backend) }

func fill(text, listen, backend string) string {
	return strings.NewReplacer("@LISTEN@", listen, "@BACKEND@", backend).Replace(text)
}
