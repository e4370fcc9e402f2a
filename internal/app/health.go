package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// health asks the admin page whether the sidecar is LIVE, for images without
// curl; with --wait it asks until it is.
func health(ctx context.Context, p *Process, args []string) int {
	fs := flag.NewFlagSet("outrider health", flag.ContinueOnError)
	wait := fs.Duration("wait", 0, "how long to wait for LIVE")
	addr := fs.String("admin-addr", adminAddr(p), "address of the admin page, or path of its unix `socket`")
	if code, done := parseFlags(p, fs, args); done {
		return code
	}
	if fs.NArg() > 0 || *wait < 0 {
		fmt.Fprintln(p.Stderr, "usage: outrider health [--wait DURATION] [--admin-addr ADDR]")
		return ExitUsage
	}
	deadline := time.Now().Add(*wait)
	for {
		state, err := askState(ctx, *addr)
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

// adminAddr is where this task's sidecar has its admin page.
func adminAddr(p *Process) string {
	if a := p.Getenv("OUTRIDER_ADMIN_ADDR"); a != "" {
		return a
	}
	if p.Getenv("ENVOY_ADMIN_MODE") == "uds" {
		return "/tmp/envoy_admin.sock"
	}
	if port := p.Getenv("ENVOY_ADMIN_ACCESS_PORT"); port != "" {
		return "127.0.0.1:" + port
	}
	return "127.0.0.1:9901"
}

// askState gives the text of /ready.
func askState(ctx context.Context, addr string) (string, error) {
	network := "tcp"
	if addr != "" && addr[0] == '/' {
		network = "unix"
	}
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
