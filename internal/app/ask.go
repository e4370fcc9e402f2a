package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/config"
)

// mostAnswer bounds what is read of an admin page's answer.
const mostAnswer = 64 << 20

// askPage asks an admin page for a path, with a form by POST, else by GET, and
// gives the status and text of the answer. It waits so long at most.
func askPage(ctx context.Context, door config.Door, most time.Duration, path string, form url.Values) (status int, text []byte, err error) {
	client := http.Client{
		Timeout: most,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, door.Network, door.Address)
			},
		},
	}
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return 0, nil, fmt.Errorf("asking the admin page: %w", err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("asking the admin page: %w", err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	return resp.StatusCode, text, err
}
