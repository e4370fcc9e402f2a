package h2

import (
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// entry is a field with what was found of it when it was first seen: most fields
// of a request were seen before on its connection, and are not looked at again.
type entry struct {
	l7.Field
	pseudo uint8  // which pseudo-header it is; 0: none
	bad    *Error // what is wrong with it; nil: nothing
}

// newEntry looks at a field (RFC 9113 8.2). It keeps name and value.
func newEntry(name, value []byte) entry {
	e := entry{Field: l7.Field{Name: name, Value: value}}
	e.lookAtName()
	e.lookAtValue()
	return e
}

func (e *entry) lookAtName() {
	if len(e.Name) > 0 && e.Name[0] == ':' {
		if e.pseudo = pseudoBit(e.Name); e.pseudo == 0 {
			e.bad = errPseudo
		}
		return
	}
	if !l7.IsLowerToken(e.Name) {
		e.bad = errFieldName
		return
	}
	switch e.ID = l7.ClassifyName(e.Name); e.ID {
	case l7.NameConnection, l7.NameKeepAlive, l7.NameProxyConnection, l7.NameTransferEncoding, l7.NameUpgrade:
		e.bad = errConnectionField
	}
}

func (e *entry) lookAtValue() {
	v := e.Value
	switch {
	case e.bad != nil:
	case !l7.IsFieldValue(v), len(v) > 0 && (blank(v[0]) || blank(v[len(v)-1])):
		e.bad = errFieldValue
	case e.ID == l7.NameTE && string(v) != "trailers":
		e.bad = errConnectionField
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func pseudoBit(name []byte) uint8 {
	switch string(name) {
	case ":method":
		return seenMethod
	case ":scheme":
		return seenScheme
	case ":path":
		return seenPath
	case ":authority":
		return seenAuthority
	case ":status":
		return seenStatus
	}
	return 0
}

// size is an entry's, as RFC 7541 4.1 counts.
func (e *entry) size() int { return len(e.Name) + len(e.Value) + 32 }

// decoder decodes header blocks (RFC 7541). Fields that the peer has put in the
// table live as long as anybody refers to them; others lie in the arena, which
// is handed on with the block.
type decoder struct {
	table []entry // the newest last
	size  int     // of the table
	most  int     // of the table, as the peer last said
	arena []byte
	last  entry // the literal that came last
}

// next takes the next field off a block; nil with ok is a table size update,
// which may come at the beginning alone. Without ok the block is malformed.
func (d *decoder) next(b []byte) (e *entry, rest []byte, ok bool) {
	switch c := b[0]; {
	case c&0x80 != 0:
		i, rest, ok := integer(b, 7)
		e = d.at(i)
		return e, rest, ok && e != nil
	case c&0xe0 == 0x20:
		n, rest, ok := integer(b, 5)
		if !ok || n > defaultTable {
			return nil, nil, false
		}
		d.most = n
		d.evict()
		return nil, rest, true
	case c&0xc0 == 0x40:
		if rest, ok = d.literal(b, 6); !ok {
			return nil, nil, false
		}
		d.add()
	default:
		if rest, ok = d.literal(b, 4); !ok {
			return nil, nil, false
		}
	}
	return &d.last, rest, true
}

// at gives the field of an index, in the static table or behind it; nil when
// there is none.
func (d *decoder) at(i int) *entry {
	switch {
	case i < 1:
		return nil
	case i <= len(staticTable):
		return &staticTable[i-1]
	case i-len(staticTable) <= len(d.table):
		return &d.table[len(d.table)-(i-len(staticTable))]
	}
	return nil
}

// literal reads a field that is spelled out, its name perhaps by index.
func (d *decoder) literal(b []byte, bits uint) (rest []byte, ok bool) {
	i, b, ok := integer(b, bits)
	if !ok {
		return nil, false
	}
	d.last = entry{}
	if i > 0 {
		known := d.at(i)
		if known == nil {
			return nil, false
		}
		d.last.Name, d.last.ID, d.last.pseudo = known.Name, known.ID, known.pseudo
		if known.bad != nil {
			d.last.lookAtName() // it may have been bad for its value
		}
	} else {
		if d.last.Name, b, ok = d.text(b); !ok {
			return nil, false
		}
		d.last.lookAtName()
	}
	if d.last.Value, b, ok = d.text(b); !ok {
		return nil, false
	}
	d.last.lookAtValue()
	return b, true
}

// text reads a string into the arena (RFC 7541 5.2).
func (d *decoder) text(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	huffman := b[0]&0x80 != 0
	n, b, ok := integer(b, 7)
	if !ok || n > len(b) {
		return nil, nil, false
	}
	at := len(d.arena)
	if !huffman {
		d.arena = append(d.arena, b[:n]...)
	} else if _, err := hpack.HuffmanDecode((*arenaWriter)(d), b[:n]); err != nil {
		return nil, nil, false
	}
	return d.arena[at:len(d.arena):len(d.arena)], b[n:], true
}

// arenaWriter appends to the arena.
type arenaWriter decoder

func (w *arenaWriter) Write(p []byte) (int, error) {
	w.arena = append(w.arena, p...)
	return len(p), nil
}

// add puts the literal that came last in the table, in memory of its own.
func (d *decoder) add() {
	e := d.last
	text := make([]byte, 0, len(e.Name)+len(e.Value))
	text = append(append(text, e.Name...), e.Value...)
	e.Name, e.Value = text[:len(e.Name):len(e.Name)], text[len(e.Name):]
	d.last = e
	d.size += e.size()
	d.table = append(d.table, e)
	d.evict()
}

// evict takes the oldest out until the table is no larger than it may be.
func (d *decoder) evict() {
	n := 0
	for ; d.size > d.most; n++ {
		d.size -= d.table[n].size()
	}
	if n > 0 {
		left := copy(d.table, d.table[n:])
		clear(d.table[left:])
		d.table = d.table[:left]
	}
}

// integer reads an integer whose prefix has so many bits (RFC 7541 5.1).
func integer(b []byte, bits uint) (n int, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	most := 1<<bits - 1
	n = int(b[0]) & most
	b = b[1:]
	if n < most {
		return n, b, true
	}
	for shift := uint(0); shift <= 21 && len(b) > 0; shift += 7 {
		c := b[0]
		b = b[1:]
		n += int(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, b, true
		}
	}
	return 0, nil, false
}
