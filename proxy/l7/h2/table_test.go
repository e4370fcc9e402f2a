package h2

import (
	"math/rand/v2"
	"testing"
)

func TestTheTableFindsWhatIsInIt(t *testing.T) {
	var table streamTable
	want := map[uint32]*stream{}
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		id := dice.Uint32N(600)<<1 | 1
		if id%64 == 1 {
			id += dice.Uint32N(1000) << 12 // far from the others, in the same slots
		}
		if st := want[id]; st != nil {
			table.remove(st)
			delete(want, id)
		} else {
			st := &stream{streamState: streamState{id: id}}
			table.put(st)
			want[id] = st
		}
		if got := table.get(id); got != want[id] {
			t.Fatalf("stream %d: %v, want %v", id, got, want[id])
		}
		if table.n != len(want) {
			t.Fatalf("%d in the table, want %d", table.n, len(want))
		}
	}
	for id, st := range want {
		if table.get(id) != st {
			t.Errorf("stream %d is lost", id)
		}
	}
	seen := 0
	table.each(func(st *stream) { seen++ })
	if seen != len(want) {
		t.Errorf("each gave %d of %d", seen, len(want))
	}
}

func TestAnEmptyTableKeepsLittle(t *testing.T) {
	var table streamTable
	var all []*stream
	for id := range uint32(1000) {
		st := &stream{streamState: streamState{id: 2*id + 1}}
		table.put(st)
		all = append(all, st)
	}
	for _, st := range all {
		table.remove(st)
	}
	if len(table.slots) > 64 || table.get(1) != nil {
		t.Errorf("%d slots are kept", len(table.slots))
	}
}
