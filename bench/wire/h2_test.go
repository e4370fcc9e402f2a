package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestFramesAreFoundHoweverTheyArrive(t *testing.T) {
	var sent bytes.Buffer
	framer := http2.NewFramer(&sent, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 7}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 9})
	_ = framer.WriteDataPadded(3, true, []byte("hello"), make([]byte, 10))
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: []byte("block"), EndHeaders: true, PadLength: 3,
		Priority: http2.PriorityParam{StreamDep: 1, Weight: 3}})
	_ = framer.WriteWindowUpdate(1, 1000)
	_ = framer.WriteData(7, false, make([]byte, 16384))
	for size := range 40 {
		var frames Frames
		var got []string
		for p := sent.Bytes(); len(p) > 0; {
			piece := p[:min(size*size*size+1, len(p))]
			p = p[len(piece):]
			for {
				f, rest, ok, err := frames.Next(piece)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				piece = rest
				content, err := f.Content()
				if f.Kind != Data && f.Kind != Headers {
					content = nil
				}
				window, _ := f.Setting(SettingInitialWindowSize)
				got = append(got, fmt.Sprintf("%d %d %d %.5s %v %d", f.Kind, f.Stream, len(content), content, err, window))
			}
		}
		want := "4 0 0  <nil> 7|0 3 5 hello <nil> 0|1 5 5 block <nil> 0|8 1 0  <nil> 0|0 7 16384 \x00\x00\x00\x00\x00 <nil> 0"
		if strings.Join(got, "|") != want {
			t.Fatalf("pieces of %d: %q", size*size*size+1, got)
		}
	}
}

func TestAFrameThatCannotBeIsRefused(t *testing.T) {
	for name, p := range map[string][]byte{
		"oversized":        AppendFrameHead(nil, 16385, Data, 0, 1),
		"padding too long": AppendFrame(nil, Data, padded, 1, []byte{5, 'a'}),
		"no padding":       AppendFrame(nil, Data, padded, 1, nil),
		"no priority":      AppendFrame(nil, Headers, priority, 1, []byte{1}),
	} {
		var frames Frames
		f, _, ok, err := frames.Next(p)
		if ok {
			_, err = f.Content()
		}
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsAppendedIsWhatTheFramerReads(t *testing.T) {
	out := AppendSettings(nil, SettingEnablePush, 0, SettingInitialWindowSize, 1<<20)
	out = AppendWindowUpdate(out, 3, 99)
	out = AppendReply(out, Frame{Kind: Ping, Payload: []byte("12345678")})
	out = AppendReply(out, Frame{Kind: Settings})
	out = AppendReply(out, Frame{Kind: Settings, Flags: Ack})
	framer := http2.NewFramer(nil, bytes.NewReader(out))
	var got []string
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			break
		}
		got = append(got, f.Header().Type.String())
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			if v, _ := s.Value(http2.SettingInitialWindowSize); v != 1<<20 {
				t.Error(s)
			}
		}
	}
	if strings.Join(got, " ") != "SETTINGS WINDOW_UPDATE PING SETTINGS" {
		t.Error(got)
	}
}

func TestOneFieldIsFoundWhateverTheEncoderDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	var fields Fields
	for i := range 2000 {
		block.Reset()
		if random.IntN(50) == 0 {
			encoder.SetMaxDynamicTableSize(uint32(random.IntN(DefaultTable + 1)))
		}
		want := fmt.Sprint(200 + random.IntN(4)*random.IntN(200))
		_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: want, Sensitive: random.IntN(5) == 0})
		for range random.IntN(8) {
			_ = encoder.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", random.IntN(30)), Value: strings.Repeat("v", random.IntN(600)), Sensitive: random.IntN(5) == 0})
		}
		if got, err := fields.Find(block.Bytes(), ":status"); got != want || err != nil {
			t.Fatalf("block %d: %q, %v, want %s", i, got, err, want)
		}
	}
}

func TestABrokenBlockIsAnErrorAndNoPanic(t *testing.T) {
	for _, block := range [][]byte{{0x80}, {0xff}, {0xff, 0xff, 0xff, 0xff, 0xff}, {0xbe}, {0x40}, {0x00, 5, 'a'}, {0x00, 1, 'a'}, {0x3f, 0xff, 0xff, 0x7f}, {0x40, 0x82, 0xff, 0xff, 0}} {
		var fields Fields
		if _, err := fields.Find(block, "x"); !errors.Is(err, ErrFields) {
			t.Errorf("%x: %v", block, err)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		block := make([]byte, random.IntN(30))
		for i := range block {
			block[i] = byte(random.Uint32())
		}
		var fields Fields
		_, _ = fields.Find(block, ":path")
	}
}

func TestABlockSettlesToAByteAField(t *testing.T) {
	for table, want := range map[uint32]int{DefaultTable: 3, 0: 20} {
		encoder := NewEncoder(table)
		block := Block{Fields: []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "a-name", Value: "a-value"}, {Name: "b-name", Value: "b-value"}}}
		decoder := hpack.NewDecoder(table, nil)
		var last []byte
		for range 5 {
			last = block.Bytes(encoder)
			got, err := decoder.DecodeFull(last)
			if err != nil || len(got) != 3 || got[2].Value != "b-value" {
				t.Fatal(got, err)
			}
		}
		if !block.steady || (len(last) > want && table > 0) || (len(last) < want && table == 0) {
			t.Errorf("table of %d: %d bytes", table, len(last))
		}
	}
}
