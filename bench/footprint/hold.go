//go:build linux

package footprint

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/peers"
	"github.com/outrider-mesh/outrider/bench/wire"
)

// held is many idle connections.
type held struct {
	conns   []net.Conn
	request []byte
}

// hold opens n connections, one after the other, and has each serve a request with 2 KB of headers. What has been
// opened is returned in every case.
func hold(ctx context.Context, addr netip.AddrPort, n int) (*held, error) {
	h := &held{}
	headers := []string{"Host: " + peers.Authority}
	for i := range 10 {
		headers = append(headers, fmt.Sprintf("X-Padding-%d: %s", i, strings.Repeat("p", 190)))
	}
	target, err := load.Request{URL: "http://" + addr.String() + "/1k", Headers: headers}.Prepare(ctx)
	if err != nil {
		return h, err
	}
	h.request = target.Request
	var dialer net.Dialer
	for i := range n {
		conn, err := dialer.DialContext(ctx, "tcp", addr.String())
		if err == nil {
			h.conns = append(h.conns, conn)
			err = h.ask(conn)
		}
		if err != nil {
			return h, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return h, nil
}

// again has every connection serve another request.
func (h *held) again(ctx context.Context) error {
	for i, conn := range h.conns {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := h.ask(conn); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return nil
}

func (h *held) ask(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(h.request); err != nil {
		return err
	}
	var response wire.Response
	buffer := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return err
		}
		_, done, err := response.Feed(buffer[:n])
		switch {
		case err != nil:
			return err
		case done && response.Status != 200:
			return fmt.Errorf("status %d", response.Status)
		case done && response.Closes:
			return fmt.Errorf("the proxy closes the connection")
		case done:
			return nil
		}
	}
}

func (h *held) close() {
	for _, conn := range h.conns {
		_ = conn.Close()
	}
}
