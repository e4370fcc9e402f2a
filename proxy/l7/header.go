package l7

// Field is one header or trailer field, with the spelling it came in.
type Field struct {
	// Name is nil for a field that was removed.
	Name  []byte
	Value []byte
	ID    Name
}

// Header is fields in the order in which they came. The zero value is empty.
// It is reused from exchange to exchange: Reset keeps its memory.
type Header struct {
	Fields []Field
}

// Reset empties the header and keeps its memory.
func (h *Header) Reset() { h.Fields = h.Fields[:0] }

// Add appends a field. name and value are borrowed until the exchange ends.
func (h *Header) Add(id Name, name, value []byte) {
	h.Fields = append(h.Fields, Field{Name: name, Value: value, ID: id})
}

// Find gives the first field of a known name, or nil. Not for NameOther and
// NameXEnvoy, which stand for many names: use Lookup.
func (h *Header) Find(id Name) *Field {
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == id && f.Name != nil {
			return f
		}
	}
	return nil
}

// Lookup gives the first field of a name in lower case, or nil.
func (h *Header) Lookup(lower string) *Field {
	for i := range h.Fields {
		if f := &h.Fields[i]; len(f.Name) == len(lower) && EqualFold(f.Name, lower) {
			return f
		}
	}
	return nil
}

// Remove takes out all fields of a known name.
func (h *Header) Remove(id Name) {
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == id {
			f.Name = nil
		}
	}
}

// Append appends the value of a name in lower case to dst; several values are
// joined by ",", as Envoy does before it matches or logs them. ok is false,
// and dst unchanged, when there is no such field.
func (h *Header) Append(dst []byte, lower string) (out []byte, ok bool) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if len(f.Name) != len(lower) || !EqualFold(f.Name, lower) {
			continue
		}
		if ok {
			dst = append(dst, ',')
		}
		dst, ok = append(dst, f.Value...), true
	}
	return dst, ok
}
