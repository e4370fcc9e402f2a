package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/admin"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/explain"
)

// explain answers the admin page.
func (s *sidecar) explain(ask admin.Ask) (any, error) {
	q, err := explain.Parse(strings.TrimSpace(ask.Method+" "+ask.URL), ask.Headers)
	if err != nil {
		return nil, err
	}
	q.Inbound, q.Listener, q.Way = ask.Inbound, ask.Port, explain.Way(ask.Way)
	e, err := s.server.Routing().ExplainNow(q)
	return &e, err
}

// form is the question as the admin page takes it.
func (ask *explaining) form(line string) url.Values {
	form := url.Values{"url": {line}, "header": ask.headers}
	if ask.inbound {
		form.Set("inbound", "true")
	}
	if way := ask.way(); way != explain.Redirected {
		form.Set("way", string(way))
	}
	if ask.port != 0 {
		form.Set("port", strconv.Itoa(int(ask.port)))
	}
	return form
}

// mostAnswer bounds what is read of an admin page's answer.
const mostAnswer = 64 << 20

// postAny posts a form to the first address of an admin page that can be
// reached, and gives the answer.
func postAny(ctx context.Context, page config.Admin, path string, form url.Values) ([]byte, error) {
	if page.Socket.V != "" {
		return post(ctx, "unix", page.Socket.V, path, form)
	}
	var first error
	for _, addr := range page.Addrs.V {
		text, err := post(ctx, "tcp", dialable(addr).String(), path, form)
		if err == nil {
			return text, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func post(ctx context.Context, network, addr, path string, form url.Values) ([]byte, error) {
	client := http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the admin page: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the admin page at %s answers %s: %.200s", addr, resp.Status, strings.TrimSpace(string(text)))
	}
	return text, err
}
