//go:build linux

package backend

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/bench/wire"
)

func TestHTTP2IsSpokenOnTheSameListener(t *testing.T) {
	addr := start(t, 1)[0]
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	for path, want := range map[string]int{"/1k": 1024, "/16k": 16384, "/ping32": 32, "/nothing": 12} {
		for range 3 {
			response, err := client.Get("http://" + addr.String() + path)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || len(text) != want || response.ProtoMajor != 2 || (response.StatusCode == 404) != (path == "/nothing") {
				t.Errorf("%s: %d bytes, %s, status %d, %v", path, len(text), response.Proto, response.StatusCode, err)
			}
		}
	}
	response, err := client.Post("http://"+addr.String()+"/sink", "text/plain", strings.NewReader(strings.Repeat("x", 3_000_000)))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(response.Body); string(text) != "ok" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	_ = response.Body.Close()
}

func TestAnAnswerWaitsForBothWindows(t *testing.T) {
	conn := dial(t, start(t, 1)[0])
	send(t, conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	ask := func(stream uint32, path string) {
		block.Reset()
		_ = encoder.WriteField(hpack.HeaderField{Name: ":path", Value: path})
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes()[:1], EndStream: true})
		_ = framer.WriteContinuation(stream, true, block.Bytes()[1:])
	}
	ask(1, "/16k")
	ask(3, "/ping32")
	got := map[uint32]int{}
	ended := map[uint32]bool{}
	read := func(until func() bool) {
		t.Helper()
		for !until() {
			f, err := framer.ReadFrame()
			if err != nil {
				t.Fatal(got, ended, err)
			}
			if d, ok := f.(*http2.DataFrame); ok {
				got[d.StreamID] += len(d.Data())
				ended[d.StreamID] = d.StreamEnded()
			}
		}
	}
	read(func() bool { return ended[3] })
	if got[1] != 1000 || got[3] != 32 {
		t.Errorf("with a window of 1,000: %v", got)
	}
	_ = framer.WriteWindowUpdate(1, 500)
	read(func() bool { return got[1] >= 1500 })
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100_000})
	read(func() bool { return ended[1] })
	for stream := uint32(5); stream < 15; stream += 2 { // 82 KB more than the connection's 65,535 bytes allow
		ask(stream, "/16k")
	}
	read(func() bool { return got[5]+got[7]+got[9]+got[11]+got[13] == 65535-16384-32 })
	_ = framer.WriteWindowUpdate(0, 1<<20)
	read(func() bool { return ended[5] && ended[7] && ended[9] && ended[11] && ended[13] })
	if got[13] != 16384 || got[5] != 16384 {
		t.Error(got)
	}
}

func TestAHeldStreamIsAnsweredAndStaysOpen(t *testing.T) {
	conn := dial(t, start(t, 1)[0])
	send(t, conn, http2.ClientPreface[:10])
	send(t, conn, http2.ClientPreface[10:])
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":path", Value: "/hold"})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = framer.WritePing(false, [8]byte{1})
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := f.(*http2.DataFrame); ok && (d.StreamEnded() || len(d.Data()) != 32) {
			t.Error(d)
		}
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			return
		}
	}
}

func TestWhatIsNotHTTP2IsClosed(t *testing.T) {
	for name, text := range map[string]string{
		"a request before SETTINGS": string(wire.AppendFrame(nil, wire.Headers, wire.EndHeaders|wire.EndStream, 1, []byte{0x84})),
		"a broken block":            string(wire.AppendFrame(wire.AppendSettings(nil), wire.Headers, wire.EndHeaders|wire.EndStream, 1, []byte{0xff, 0xff})),
		"a frame too long":          "\xff\xff\xff\x00\x00\x00\x00\x00\x01",
	} {
		conn := dial(t, start(t, 1)[0])
		send(t, conn, wire.Preface+text)
		if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARequestThatBeginsAsThePrefaceDoesIsStillARequest(t *testing.T) {
	conn := dial(t, start(t, 1)[0])
	for _, piece := range []string{"P", "RI", "CE / HTTP/1.1\r\n", "Connection: close\r\n\r\n"} {
		send(t, conn, piece)
	}
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 ") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestWebSocketMessagesComeBack(t *testing.T) {
	addr := start(t, 1)[0]
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	conn, _, err := websocket.Dial(ctx, "ws://"+addr.String()+"/websocket", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	for _, size := range []int{0, 1, 125, 126, 30_000, 65_535, 65_536} {
		want := bytes.Repeat([]byte("m"), size)
		if err := conn.Write(ctx, websocket.MessageBinary, want); err != nil {
			t.Fatal(err)
		}
		kind, got, err := conn.Read(ctx)
		if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, want) {
			t.Fatalf("message of %d: %d bytes, %v, %v", size, len(got), kind, err)
		}
	}
	reading := conn.CloseRead(ctx)
	if err := conn.Ping(ctx); err != nil {
		t.Error(err)
	}
	if err := conn.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Error(err)
	}
	<-reading.Done()
}
