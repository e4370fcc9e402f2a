package upstream_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// startH2 starts a sidecar whose one cluster, "c", is spoken to in HTTP/2.
func startH2(t *testing.T, addr netip.AddrPort, change func(*mesh.Route)) *sidecar.Sidecar {
	t.Helper()
	return startH2With(t, addr, func(s *h2setup) {
		if change != nil {
			change(&s.route)
		}
	})
}

// h2setup is what startH2With may change before it starts.
type h2setup struct {
	cluster  *mesh.Cluster
	route    mesh.Route
	settings upstream.Settings
	names    *sidecar.Names
}

func startH2With(t *testing.T, addr netip.AddrPort, change func(*h2setup)) *sidecar.Sidecar {
	t.Helper()
	cluster := sidecar.Cluster("c", addr)
	cluster.Protocol = mesh.HTTP2
	s := &h2setup{cluster: cluster, route: sidecar.Route(cluster), settings: sidecar.Settings(), names: &sidecar.Names{}}
	change(s)
	return sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, s.route)), s.settings, s.names)
}

// serveH2 starts a real HTTP/2 server without TLS; it ends with the test.
func serveH2(t *testing.T, handler http.HandlerFunc) (addr netip.AddrPort, conns *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = new(atomic.Int64)
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}}
	server.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort(), conns
}

// h2peer is an HTTP/2 server that does to each connection exactly what a test
// says.
type h2peer struct {
	Addr  netip.AddrPort
	conns atomic.Int64
}

// newH2Peer starts one; it ends with the test. serve gets each connection once
// the preface was read and settings were sent, and the connection is closed
// when it returns.
func newH2Peer(t *testing.T, serve func(*h2conn), settings ...http2.Setting) *h2peer {
	t.Helper()
	return newLateH2Peer(t, nil, serve, settings...)
}

// newLateH2Peer is newH2Peer, but on each connection settings are sent when say
// has a token for it or is closed; nil: at once.
func newLateH2Peer(t *testing.T, say <-chan struct{}, serve func(*h2conn), settings ...http2.Setting) *h2peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &h2peer{Addr: l.Addr().(*net.TCPAddr).AddrPort()}
	var mu sync.Mutex
	var open []net.Conn
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, nc)
			mu.Unlock()
			n := int(p.conns.Add(1))
			serving.Add(1)
			go func() {
				defer serving.Done()
				defer nc.Close()
				if c := greet(nc, n, say, settings); c != nil {
					serve(c)
				}
			}()
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, nc := range open {
			nc.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return p
}

// h2conn is one connection of an h2peer. It belongs to one goroutine.
type h2conn struct {
	*http2.Framer
	conn   net.Conn
	number int // from 1
	enc    *hpack.Encoder
	block  bytes.Buffer
	// data is called for what requests carry, if it is there.
	data func(*http2.DataFrame)
}

func greet(nc net.Conn, number int, say <-chan struct{}, settings []http2.Setting) *h2conn {
	preface := make([]byte, len(http2.ClientPreface))
	for n := 0; n < len(preface); {
		m, err := nc.Read(preface[n:])
		if n += m; err != nil {
			return nil
		}
	}
	c := &h2conn{Framer: http2.NewFramer(nc, nc), conn: nc, number: number}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.block)
	if say != nil {
		<-say
	}
	c.WriteSettings(settings...)
	return c
}

// h2request is the head of a request as an h2peer saw it.
type h2request struct {
	id     uint32
	fields map[string]string
	ended  bool
}

// next gives the next request, answering what the connection itself asks; nil
// when the connection is over.
func (c *h2conn) next() *h2request {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return nil
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.WritePing(true, f.Data)
			}
		case *http2.DataFrame:
			if c.data != nil {
				c.data(f)
			}
		case *http2.MetaHeadersFrame:
			r := &h2request{id: f.StreamID, fields: make(map[string]string), ended: f.StreamEnded()}
			for _, field := range f.Fields {
				r.fields[field.Name] = field.Value
			}
			return r
		}
	}
}

// must is next for a script that knows that one comes: without it the script
// ends, and with it the connection.
func (c *h2conn) must() *h2request {
	r := c.next()
	if r == nil {
		runtime.Goexit()
	}
	return r
}

// drain reads until the connection is over.
func (c *h2conn) drain() {
	for c.next() != nil {
	}
}

// head writes HEADERS; fields are "name: value".
func (c *h2conn) head(id uint32, end bool, fields ...string) {
	c.block.Reset()
	for _, field := range fields {
		i := strings.Index(field[1:], ": ") + 1
		c.enc.WriteField(hpack.HeaderField{Name: field[:i], Value: field[i+2:]})
	}
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// reply answers with a body.
func (c *h2conn) reply(id uint32, status int, body string, fields ...string) {
	c.head(id, body == "", append([]string{fmt.Sprintf(":status: %d", status)}, fields...)...)
	if body != "" {
		c.WriteData(id, true, []byte(body))
	}
}

// bigHead writes a head that does not fit in one frame, and ends the stream.
func (c *h2conn) bigHead(id uint32, fields ...string) {
	c.block.Reset()
	for _, field := range fields {
		i := strings.Index(field[1:], ": ") + 1
		c.enc.WriteField(hpack.HeaderField{Name: field[:i], Value: field[i+2:]})
	}
	block, most := c.block.Bytes(), 16<<10
	first := block[:min(len(block), most)]
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: true, EndHeaders: len(first) == len(block)})
	for block = block[len(first):]; len(block) > 0; {
		next := block[:min(len(block), most)]
		block = block[len(next):]
		c.WriteContinuation(id, len(block) == 0, next)
	}
}
