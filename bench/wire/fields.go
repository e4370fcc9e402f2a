package wire

import (
	"bytes"
	"slices"

	"golang.org/x/net/http2/hpack"
)

// DefaultTable is the size of a dynamic table (RFC 7541) that nobody has changed.
const DefaultTable = 4096

// Fields reads header blocks (RFC 7541) as far as it must: every field is walked over, the dynamic table is kept, and only the one value that is
// asked for is decoded. That costs a tenth of decoding all, which matters on the core that generator and backend share.
// The zero value is a connection's state at its beginning.
type Fields struct {
	table []field // dynamic, oldest first
	size  int
	limit int  // of the table as the peer last said
	said  bool // limit counts; before it is DefaultTable
}

type field struct{ name, value string }

func (f field) size() int { return len(f.name) + len(f.value) + 32 }

// static is the static table, number 0 unused, as the hpack package knows it.
var static = func() (all [62]field) {
	i := 0
	d := hpack.NewDecoder(0, func(f hpack.HeaderField) { all[i] = field{f.Name, f.Value} })
	for i = 1; i < len(all); i++ {
		_, _ = d.Write([]byte{0x80 | byte(i)}) // a static index: cannot fail
	}
	return all
}()

// Find walks over a whole block and returns the last value of the field with this name, empty if it has none.
func (f *Fields) Find(block []byte, name string) (value string, err error) {
	for len(block) > 0 {
		var one field
		one, block, err = f.next(block, name)
		if err != nil {
			return "", err
		}
		if one.name == name {
			value = one.value
		}
	}
	return value, nil
}

// next takes one representation off the block. Of a literal that is not kept in the table, and has not the wanted name, the
// value is skipped.
func (f *Fields) next(block []byte, wanted string) (one field, rest []byte, err error) {
	first := block[0]
	switch {
	case first&0x80 != 0: // indexed
		index, rest, err := number(block, 7)
		if err != nil {
			return one, nil, err
		}
		one, err = f.at(index)
		return one, rest, err
	case first&0xe0 == 0x20: // the table's size changes
		size, rest, err := number(block, 5)
		if err != nil || size > DefaultTable {
			return one, nil, ErrFields
		}
		f.limit, f.said = size, true
		f.evict()
		return one, rest, nil
	}
	bits, kept := 4, false
	if first&0x40 != 0 {
		bits, kept = 6, true
	}
	index, rest, err := number(block, bits)
	if err != nil {
		return one, nil, err
	}
	if index > 0 {
		one, err = f.at(index)
		one.value = ""
	} else {
		one.name, rest, err = text(rest, true)
	}
	if err != nil {
		return one, nil, err
	}
	if one.value, rest, err = text(rest, kept || one.name == wanted); err != nil {
		return one, nil, err
	}
	if kept {
		f.table = append(f.table, one)
		f.size += one.size()
		f.evict()
	}
	return one, rest, nil
}

func (f *Fields) at(index int) (field, error) {
	if index > 0 && index < len(static) {
		return static[index], nil
	}
	if back := index - len(static); index > 0 && back < len(f.table) {
		return f.table[len(f.table)-1-back], nil
	}
	return field{}, ErrFields
}

func (f *Fields) evict() {
	limit := DefaultTable
	if f.said {
		limit = f.limit
	}
	n := 0
	for ; f.size > limit; n++ {
		f.size -= f.table[n].size()
	}
	f.table = slices.Delete(f.table, 0, n)
}

// number reads an integer with a prefix of so many bits (RFC 7541 section 5.1).
func number(p []byte, bits int) (int, []byte, error) {
	if len(p) == 0 {
		return 0, nil, ErrFields
	}
	most := 1<<bits - 1
	n := int(p[0]) & most
	if p = p[1:]; n < most {
		return n, p, nil
	}
	for shift := 0; shift <= 21 && len(p) > 0; shift += 7 {
		b := p[0]
		p = p[1:]
		n += int(b&0x7f) << shift
		if b&0x80 == 0 {
			return n, p, nil
		}
	}
	return 0, nil, ErrFields
}

// text reads a string, or skips it if it is not wanted (RFC 7541 section 5.2).
func text(p []byte, wanted bool) (string, []byte, error) {
	if len(p) == 0 {
		return "", nil, ErrFields
	}
	coded := p[0]&0x80 != 0
	n, p, err := number(p, 7)
	if err != nil || n > len(p) {
		return "", nil, ErrFields
	}
	switch {
	case !wanted:
		return "", p[n:], nil
	case !coded:
		return string(p[:n]), p[n:], nil
	}
	s, err := hpack.HuffmanDecodeToString(p[:n])
	if err != nil {
		return "", nil, ErrFields
	}
	return s, p[n:], nil
}

// Encoder encodes the same few blocks over and over, as one connection's compression state wants it. What a client or server that indexes would send
// is what it sends: the first time in full, then a byte per field.
type Encoder struct {
	buffer bytes.Buffer
	hpack  *hpack.Encoder
}

// NewEncoder makes one for a connection whose peer announced a table of so many bytes. A small table is not used at all.
func NewEncoder(table uint32) *Encoder {
	e := new(Encoder)
	e.hpack = hpack.NewEncoder(&e.buffer)
	if table < DefaultTable {
		e.hpack.SetMaxDynamicTableSizeLimit(0)
	}
	return e
}

// Block is a header block of one connection. All blocks of a connection together must fit into DefaultTable.
type Block struct {
	Fields []hpack.HeaderField
	steady bool
	bytes  []byte
}

// Bytes encodes the block: again and again until it comes out as before, from then on by memory. They are good until the next call.
func (b *Block) Bytes(e *Encoder) []byte {
	if b.steady {
		return b.bytes
	}
	e.buffer.Reset()
	for _, f := range b.Fields {
		_ = e.hpack.WriteField(f) // into memory: cannot fail
	}
	b.steady = bytes.Equal(b.bytes, e.buffer.Bytes())
	b.bytes = append(b.bytes[:0], e.buffer.Bytes()...)
	return b.bytes
}
