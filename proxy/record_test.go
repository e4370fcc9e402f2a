package proxy

import (
	"testing"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// trailed is a body that has ended, with a trailer.
type trailed struct {
	l7.Bytes
	trailer l7.Header
}

func (b *trailed) Trailer() *l7.Header { return &b.trailer }

// What the access log is told of a response outlives the memory it came in.
func TestWhatTheLogIsToldIsKept(t *testing.T) {
	memory := []byte("content-typetext/html")
	ending := []byte("grpc-status13")
	resp := &l7.Response{}
	resp.Header.Add(l7.NameContentType, memory[:12], memory[12:])
	resp.Header.Fields = append(resp.Header.Fields, l7.Field{}) // one that was removed
	body := &trailed{}
	body.trailer.Add(l7.NameGRPCStatus, ending[:11], ending[11:])
	resp.Body = body
	var k kept
	k.keep(resp, true)
	clear(memory)
	clear(ending)
	if v, _ := resp.Header.Append(nil, "content-type"); string(v) != "text/html" || len(resp.Header.Fields) != 2 {
		t.Errorf("content-type %q of %d fields", v, len(resp.Header.Fields))
	}
	if v, _ := k.trailer.Append(nil, "grpc-status"); string(v) != "13" {
		t.Errorf("grpc-status %q", v)
	}
	if n := testing.AllocsPerRun(100, func() {
		k.reset()
		k.keep(resp, true)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	k.reset()
	k.keep(resp, false)
	if len(k.trailer.Fields) > 0 {
		t.Error("a response that was cut has a trailer")
	}
}
