package h2

// streamTable finds streams by their numbers: open addressing, since numbers of
// one side follow each other. The zero value is empty.
type streamTable struct {
	slots []*stream // a power of two
	n     int
}

const leastSlots = 16

func (t *streamTable) home(id uint32) int { return int(id>>1) & (len(t.slots) - 1) }

// get gives the stream of that number, or nil.
func (t *streamTable) get(id uint32) *stream {
	if t.n == 0 {
		return nil
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		if st := t.slots[i]; st == nil || st.id == id {
			return st
		}
	}
}

// put adds a stream whose number is not there.
func (t *streamTable) put(st *stream) {
	if t.n*2 >= len(t.slots) {
		t.resize(max(2*len(t.slots), leastSlots))
	}
	t.n++
	t.place(st)
}

func (t *streamTable) place(st *stream) {
	i := t.home(st.id)
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = st
}

func (t *streamTable) resize(size int) {
	old := t.slots
	t.slots = make([]*stream, size)
	for _, st := range old {
		if st != nil {
			t.place(st)
		}
	}
}

// remove takes a stream out that is there. Those behind it move up, so that
// nobody's way is interrupted.
func (t *streamTable) remove(st *stream) {
	mask := len(t.slots) - 1
	i := t.home(st.id)
	for t.slots[i] != st {
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		next := t.slots[j]
		if next == nil {
			break
		}
		if home := t.home(next.id); (j-home)&mask >= (j-i)&mask {
			t.slots[i] = next
			i = j
		}
	}
	t.slots[i] = nil
	if t.n--; t.n == 0 && len(t.slots) > 64 {
		t.slots = nil // what a burst has left
	}
}

// clear takes all out.
func (t *streamTable) clear() { *t = streamTable{} }

// each calls f for every stream. f must not change the table.
func (t *streamTable) each(f func(*stream)) {
	for _, st := range t.slots {
		if st != nil {
			f(st)
		}
	}
}
