// Package conf holds the peers' configurations: committed, so that whoever doubts a figure can read what it was made
// with.
package conf

import (
	_ "embed"
	"strings"
)

var (
	//go:embed nginx.conf
	nginx string
	//go:embed nginx-h2.conf
	nginxHTTP2 string
	//go:embed haproxy.cfg
	haproxy string
	//go:embed haproxy-h2.cfg
	haproxyHTTP2 string
	//go:embed haproxy-tcp.cfg
	haproxyTCP string
)

// Nginx is nginx's configuration, listening on listen and passing on to backend (ADDR:PORT each).
func Nginx(listen, backend string) string { return fill(nginx, listen, backend) }

// NginxHTTP2 is nginx's for HTTP/2 on both sides.
func NginxHTTP2(listen, backend string) string { return fill(nginxHTTP2, listen, backend) }

// HAProxy is HAProxy's configuration, the same way.
func HAProxy(listen, backend string) string { return fill(haproxy, listen, backend) }

// HAProxyHTTP2 is HAProxy's for HTTP/2 on both sides.
func HAProxyHTTP2(listen, backend string) string { return fill(haproxyHTTP2, listen, backend) }

// HAProxyTCP is HAProxy's for TCP.
func HAProxyTCP(listen, backend string) string {
	return fill(strings.ReplaceAll(haproxyTCP, "@GLOBAL@", ""), listen, backend)
}

// HAProxyTCPPipes is HAProxy's for TCP with pipes of 1 MiB for splicing, as Outrider has.
func HAProxyTCPPipes(listen, backend string) string {
	return fill(strings.ReplaceAll(haproxyTCP, "@GLOBAL@", "tune.pipesize 1048576"), listen, backend)
}

func fill(text, listen, backend string) string {
	return strings.NewReplacer("@LISTEN@", listen, "@BACKEND@", backend).Replace(text)
}
