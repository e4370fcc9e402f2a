//go:build !race

package upstream

import (
	"bufio"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Under the race detector pools drop things at random.

func TestAPlaceIsTakenAndGivenBackWithoutMemory(t *testing.T) {
	e, _ := multiplexed(t, silent(t), Settings{})
	round := func() {
		p, ok := e.mux.take()
		if !ok {
			t.Fatal("no place")
		}
		giveBack(p)
	}
	if n := testing.AllocsPerRun(1000, round); n > 0.05 {
		t.Errorf("%v allocations", n)
	}
}

// A request to an HTTP/2 upstream and its response allocate nothing once memory
// and goroutines are there.
func TestForwardingByHTTP2AllocatesNothing(t *testing.T) {
	addr := testkit.NewTCP(t, answerHTTP2)
	e, _ := multiplexed(t, addr, Settings{})
	route := &mesh.Route{Timeout: mesh.Timeout{Value: time.Minute}, Retry: mesh.DefaultRetry()}
	ex := &l7.Exchange{Peer: &l7.Peer{}}
	method, target, authority := []byte("POST"), []byte("/s.S/M"), []byte("svc")
	name, value := []byte("content-type"), []byte("application/grpc")
	body := make([]byte, 100)
	round := func() {
		ex.Reset()
		ex.Start = sock.Now()
		ex.Clock = ex.Start
		ex.Request.Method, ex.Request.Target, ex.Request.Authority, ex.Request.Body = method, target, authority, l7.Empty
		ex.Request.Header.Add(l7.NameContentType, name, value)
		if err := e.cluster.Forward(ex, route); err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			p, err := ex.Response.Body.Next()
			if n += copy(body, p); err != nil {
				break
			}
		}
		if ex.End(true); n != 5 {
			t.Fatalf("%d bytes", n)
		}
	}
	for range 50 {
		round()
	}
	if n := testing.AllocsPerRun(1000, round); n > 0.05 {
		t.Errorf("%v allocations per request", n)
	}
	if ok := e.cluster.grpc.find(target).Counter(grpcFailure).Value(); ok == 0 {
		t.Error("it was not counted")
	}
}

// answerHTTP2 answers every request with five bytes, without memory of its own.
func answerHTTP2(c *net.TCPConn) {
	r := bufio.NewReader(c)
	r.Discard(24)
	c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
	answer := []byte{
		0, 0, 1, 1, 4, 0, 0, 0, 0, 0x88, // HEADERS, :status 200
		0, 0, 5, 0, 1, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o',
	}
	for {
		head, err := r.Peek(9)
		if err != nil {
			return
		}
		length, kind, stream := int(head[0])<<16|int(head[1])<<8|int(head[2]), head[3], binary.BigEndian.Uint32(head[5:])
		r.Discard(9 + length)
		if kind == 1 {
			binary.BigEndian.PutUint32(answer[5:], stream)
			binary.BigEndian.PutUint32(answer[15:], stream)
			c.Write(answer)
		}
	}
}
