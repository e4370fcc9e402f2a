package proxy

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// BenchmarkAddedConnectLatency measures what the way through the egress port adds
// to the time from an app's connect to its server's accept, whatever they speak:
// added-us is the median of direct and relayed connections in turn, in
// microseconds. It is to stay below 1,000 in each. Under DROP_ALL nobody is dialed
// before the hello has come, so there the time begins with the hello's last byte.
func BenchmarkAddedConnectLatency(b *testing.B) {
	for _, talker := range talkers {
		b.Run("allow-all/"+talker.what, func(b *testing.B) {
			f := newFiltered(b, mesh.AllowAll)
			f.measure(b, talker.app, talker.serve, nil)
		})
		b.Run("declared/"+talker.what, func(b *testing.B) {
			f := newFiltered(b, mesh.DropAll)
			f.measure(b, talker.app, talker.serve, func(dst netip.AddrPort) { f.tcpChain(b, dst.Port(), dst) })
		})
	}
	for what, how := range map[string]writing{"at once": whole, "byte by byte": byteByByte, "in many records": fragmented} {
		b.Run("drop-all/TLS to AWS "+what, func(b *testing.B) {
			newFiltered(b, mesh.DropAll).measureAfterHello(b, how)
		})
	}
}

// measureAfterHello measures connections that begin with a hello for AWS.
func (f *filtered) measureAfterHello(b *testing.B, how writing) {
	accepted := make(chan time.Time, 1)
	egress := f.listen(b, testkit.NewTCP(b, func(c *net.TCPConn) {
		accepted <- time.Now()
		echoes(c)
	}))
	var said time.Time
	app := sayHello("s3.amazonaws.com", func(w io.Writer, p []byte) error {
		return how(stamping{w, &said}, p)
	})
	added := make([]time.Duration, b.N)
	for i := range b.N {
		begun := time.Now()
		took := timeConnect(b, egress, app, accepted)
		added[i] = took - said.Sub(begun)
		<-f.records
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(added))/1e3, "added-us")
}

// measure has the app call its server b.N times each way.
func (f *filtered) measure(b *testing.B, app func(net.Conn) error, serve func(*net.TCPConn), declare func(netip.AddrPort)) {
	accepted := make(chan time.Time, 1)
	dst := testkit.NewTCP(b, func(c *net.TCPConn) {
		accepted <- time.Now()
		serve(c)
	})
	if declare != nil {
		declare(dst)
	}
	egress := f.listen(b, dst)
	direct, relayed := make([]time.Duration, b.N), make([]time.Duration, b.N)
	for i := range b.N {
		direct[i] = timeConnect(b, dst, app, accepted)
		relayed[i] = timeConnect(b, egress, app, accepted)
		<-f.records
	}
	b.ReportMetric(0, "ns/op") // says nothing
	b.ReportMetric(float64(median(relayed)-median(direct))/1e3, "added-us")
}

// stamping notes when what was written last began to be.
type stamping struct {
	io.Writer
	at *time.Time
}

func (s stamping) Write(p []byte) (int, error) {
	*s.at = time.Now()
	return s.Writer.Write(p)
}

// listen is an egress port whose connections all wanted to go to dst.
func (f *filtered) listen(b *testing.B, dst netip.AddrPort) netip.AddrPort {
	return testkit.NewTCP(b, func(nc *net.TCPConn) {
		c := &conn{server: f.Server, listener: f.listener, sock: sock.New(nc), born: sock.Now()}
		c.serveRedirectedEgress(dst)
		c.sock.Close()
	})
}

// timeConnect gives the time from the connect to the accept, and waits for the end.
func timeConnect(b *testing.B, to netip.AddrPort, app func(net.Conn) error, accepted <-chan time.Time) time.Duration {
	begun := time.Now()
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		b.Fatal(err)
	}
	if err := app(c); err != nil {
		b.Fatal(err)
	}
	at := <-accepted
	c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, c)
	c.Close()
	return at.Sub(begun)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
