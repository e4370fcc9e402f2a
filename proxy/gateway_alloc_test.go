//go:build !race

package proxy_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
	"github.com/outrider-mesh/outrider/proxy/filter"
)

// What a gateway does more than a sidecar (two matches, rewriting, its gate, the
// client's address) allocates nothing either.
func TestAGatewaysExchangeAllocatesNothing(t *testing.T) {
	body := strings.Repeat("x", 1021) + "END"
	response := fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
	size := make(chan int, 1)
	app := testkit.NewTCP(t, func(c *net.TCPConn) { answerFixed(c, size, response) })
	entry := sidecar.Entry("/new", "/v2/", sidecar.Cluster("c", app))
	door := sidecar.Door(8080, mesh.VirtualHost{Name: "suffix", Domains: []string{"*.example.com"}, Routes: []mesh.Route{entry}})
	door.Gate.Limits = mesh.Limits{MaxConnections: 8, MaxPendingRequests: 8}
	snap := sidecar.Mesh(door)
	snap.AccessLog = nil
	g := sidecar.StartGatewayWith(t, snap, filter.Forwarded{Append: true, Proxies: 1})
	c := testkit.Dial(t, g.Addr(8080))
	request := []byte("GET /new/users/42?limit=10 HTTP/1.1\r\nhost: WWW.example.com:443\r\nuser-agent: test\r\nx-forwarded-for: 203.0.113.9\r\n" +
		"x-app-mesh-virtual-service: evil\r\n\r\n")
	buf := make([]byte, 8<<10)
	learn(t, c, request, size)
	readAnswer(t, c, buf)
	exchange := func(times int) {
		for range times {
			if _, err := c.TCPConn.Write(request); err != nil {
				t.Fatal(err)
			}
			readAnswer(t, c, buf)
		}
	}
	exchange(500)
	const round = 1000
	best := 1e9
	for range 5 {
		best = min(best, mallocs(func() { exchange(round) })/round)
	}
	if best > 0.05 {
		t.Errorf("%.4f allocations per exchange", best)
	}
}
