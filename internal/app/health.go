package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/config"
)

// health asks the admin page whether the sidecar is LIVE, for images without
// curl; with --wait it asks until it is.
func health(ctx context.Context, p *Process, args []string) int {
	fs := newFlags("usage: outrider health [--wait DURATION] [--admin-addr ADDRS]")
	wait := fs.Duration("wait", 0, "how long to wait for LIVE")
	addr := fs.String("admin-addr", "", "`ADDRS` of the admin page as outrider run takes them (as the variables of this task say)")
	rest, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(rest) > 0 || *wait < 0:
		fs.Usage()
		return ExitUsage
	}
	page, err := config.ParseAdmin(*addr, p.Environ)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider health:", err)
		return ExitUsage
	}
	deadline := time.Now().Add(*wait)
	for {
		state, err := askAny(ctx, page)
		if state == "LIVE" {
			fmt.Fprintln(p.Stdout, state)
			return ExitFine
		}
		if !time.Now().Before(deadline) {
			if err != nil {
				state = err.Error()
			}
			fmt.Fprintln(p.Stderr, "outrider health: not LIVE:", state)
			return ExitFindings
		}
		select {
		case <-ctx.Done():
			return ExitFindings
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// askAny asks the addresses one after another until one says LIVE: they lead
// to one sidecar, and a host may lack the family of one. What the first says
// is the answer if none does.
func askAny(ctx context.Context, page config.Admin) (state string, err error) {
	if page.Socket.V != "" {
		return askState(ctx, "unix", page.Socket.V)
	}
	for i, addr := range page.Addrs.V {
		answer, failure := askState(ctx, "tcp", dialable(addr).String())
		if answer == "LIVE" {
			return answer, nil
		}
		if i == 0 {
			state, err = answer, failure
		}
	}
	return state, err
}

// dialable is where a port bound to all addresses is reached.
func dialable(addr netip.AddrPort) netip.AddrPort {
	switch {
	case !addr.Addr().IsUnspecified():
		return addr
	case addr.Addr().Is6():
		return netip.AddrPortFrom(netip.IPv6Loopback(), addr.Port())
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port())
}

// askState gives the text of /ready.
func askState(ctx context.Context, network, addr string) (string, error) {
	client := http.Client{
		Timeout: 2 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/ready", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if err != nil {
		return "", err
	}
	for len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	return string(text), nil
}
