package h2_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// recorded is a connection whose peer has said everything beforehand, once it
// was spoken to, and then leaves. What is written to it is thrown away.
type recorded struct {
	left   []byte
	piece  int // how much a read gives at most; 0: no bound
	spoken chan struct{}
	closed chan struct{}
	first  sync.Once
	last   sync.Once
}

func says(b []byte, piece uint8) *recorded {
	return &recorded{left: b, piece: int(piece), spoken: make(chan struct{}), closed: make(chan struct{})}
}

func (r *recorded) Read(p []byte) (int, error) {
	select {
	case <-r.spoken:
	case <-r.closed:
		return 0, net.ErrClosed
	}
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	if r.piece > 0 && len(p) > r.piece {
		p = p[:r.piece]
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *recorded) speak()                           { r.first.Do(func() { close(r.spoken) }) }
func (r *recorded) Write(p []byte) (int, error)      { r.speak(); return len(p), nil }
func (r *recorded) Close() error                     { r.last.Do(func() { close(r.closed) }); return nil }
func (r *recorded) LocalAddr() net.Addr              { return nil }
func (r *recorded) RemoteAddr() net.Addr             { return nil }
func (r *recorded) SetDeadline(time.Time) error      { return nil }
func (r *recorded) SetReadDeadline(time.Time) error  { return nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }

// record is what a peer would say.
func record(t testing.TB, say func(p *peer)) []byte {
	near, far := net.Pipe()
	defer near.Close()
	p := newPeer(t, far)
	var b bytes.Buffer
	p.w.Reset(&b)
	say(p)
	p.w.Flush()
	return b.Bytes()
}

var conversations = []func(p *peer){
	func(p *peer) { p.WriteSettings(); p.get(1); p.WriteSettingsAck(); p.get(3) },
	func(p *peer) {
		p.WriteSettings(set(http2.SettingInitialWindowSize, 10), set(http2.SettingMaxFrameSize, 1<<20))
		p.post(1)
		p.data(1, false, []byte("hello"))
		p.headers(1, true, "trailer", "value")
		p.WriteWindowUpdate(1, 100)
	},
	func(p *peer) {
		p.WriteSettings(set(http2.SettingHeaderTableSize, 0))
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(post("content-length", "6")...)[:3], PadLength: 2})
		p.WriteContinuation(1, true, p.encode(post("content-length", "6")...)[3:])
		p.WriteDataPadded(1, true, []byte("padded"), make([]byte, 9))
		p.WritePing(false, [8]byte{1})
		p.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		p.WriteRSTStream(1, http2.ErrCodeCancel)
		p.WriteGoAway(1, http2.ErrCodeNo, []byte("bye"))
	},
	func(p *peer) {
		p.WriteSettings()
		p.headers(1, false, ":status", "103")
		p.headers(1, false, ":status", "200", "a", "b")
		p.data(1, true, []byte("body"))
	},
	func(p *peer) {
		p.WriteSettings()
		p.headers(1, false, ":status", "200")
		p.headers(1, true, "grpc-status", "0")
	},
	func(p *peer) {
		p.WriteSettings()
		p.headers(1, true, ":status", "304", "content-length", "5")
		p.WriteGoAway(1, http2.ErrCodeNo, nil)
	},
	func(p *peer) {
		p.WriteSettings()
		p.headers(1, false, ":status", "200", "content-length", "9")
		p.data(1, false, []byte("12345"))
		p.WriteRSTStream(1, http2.ErrCodeInternal)
	},
	func(p *peer) {
		p.WriteSettings(set(http2.SettingMaxConcurrentStreams, 0))
		p.WriteRSTStream(1, http2.ErrCodeRefusedStream)
	},
}

// fuzzConfig has small limits, so that they are met.
func fuzzConfig(t testing.TB) *h2.Config {
	cfg := config(t)
	cfg.Limits = h2.Limits{MaxConcurrentStreams: 8, InitialStreamWindow: 1 << 10, MaxHeaderBytes: 2 << 10, MaxHeaders: 20}
	cfg.Budget = h2.NewBudget(1 << 20)
	return cfg
}

// FuzzServer gives a server any bytes behind the preface: it ends, and gives
// back what it took from the budget.
func FuzzServer(f *testing.F) {
	for _, say := range conversations {
		f.Add(record(f, say), uint8(0))
		f.Add(record(f, say), uint8(1))
		f.Add(record(f, say), uint8(10))
	}
	cfg := fuzzConfig(f)
	before := cfg.Budget.Left()
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		s := newServed(t, cfg, func(ex *l7.Exchange) error {
			if err := echo(ex); err != nil {
				return err
			}
			add(&ex.Response.Header, "x-method", string(ex.Request.Method))
			return nil
		})
		r := says(append([]byte(http2.ClientPreface), b...), piece)
		r.speak()
		soon(t, func() { s.run(sock.New(r)) })
		if s.active.Load() != 0 {
			t.Errorf("%d handlers outlive Run", s.active.Load())
		}
		if left := cfg.Budget.Left(); left != before {
			t.Fatalf("the budget had %d bytes and has %d", before, left)
		}
	})
}

// FuzzClient gives a client any bytes for the answers to two requests.
func FuzzClient(f *testing.F) {
	for _, say := range conversations {
		f.Add(record(f, say), uint8(0))
		f.Add(record(f, say), uint8(1))
		f.Add(record(f, say), uint8(10))
	}
	cfg := fuzzConfig(f)
	before := cfg.Budget.Left()
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		soon(t, func() {
			c := h2.NewClient(sock.New(says(b, piece)), cfg, func(*h2.Client) {})
			var calls []*call
			for _, body := range []l7.Body{nil, &source{size: 5000}} {
				st := c.Open()
				if st == nil {
					continue
				}
				one := newCall(t, st, "POST", body)
				close(one.goOn)
				go one.run()
				calls = append(calls, one)
			}
			for _, one := range calls {
				<-one.done
			}
			c.Close()
			<-c.Done()
		})
		if left := cfg.Budget.Left(); left != before {
			t.Fatalf("the budget had %d bytes and has %d", before, left)
		}
	})
}

// soon runs something that must not hang.
func soon(t *testing.T, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		panic("it hangs")
	}
}
