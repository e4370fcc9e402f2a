package sock

import "sync"

// BufferSize is how much one read takes at most: a 16 KiB body and its head
// fit in one.
const BufferSize = 20 << 10

type block [BufferSize]byte

var blocks = sync.Pool{New: func() any { return new(block) }}

// Buffer holds bytes that were read and not yet consumed. It takes its memory
// from a pool when it is filled and gives it back by Release. The zero value
// is empty and holds no memory. It belongs to one goroutine.
type Buffer struct {
	mem    []byte
	pooled *block
	r, w   int
}

// Bytes are the unconsumed bytes, valid until the next Fill, Grow or Release.
func (b *Buffer) Bytes() []byte { return b.mem[b.r:b.w] }

// Len is the number of unconsumed bytes.
func (b *Buffer) Len() int { return b.w - b.r }

// Consume drops the first n bytes. Their memory stays as it is until the next
// Fill: slices of it remain valid until then.
func (b *Buffer) Consume(n int) { b.r += n }

// Full tells that nothing more fits without MakeRoom or Grow.
func (b *Buffer) Full() bool { return b.mem != nil && b.w == len(b.mem) }

// MakeRoom makes room behind the unconsumed bytes, if there is none: it moves
// them to the front, or takes more memory, up to most bytes in all. Slices of
// them are lost. Past most the buffer stays full.
func (b *Buffer) MakeRoom(most int) {
	switch {
	case !b.Full():
	case b.r > 0:
		b.compact()
	default:
		b.Grow(min(4*len(b.mem), most))
	}
}

func (b *Buffer) compact() {
	copy(b.mem, b.mem[b.r:b.w])
	b.r, b.w = 0, b.w-b.r
}

// Grow makes room for size bytes in all, keeping the unconsumed ones; slices
// of the old memory keep pointing at it only until the next Release.
func (b *Buffer) Grow(size int) {
	if len(b.mem) >= size {
		b.compact()
		return
	}
	mem := make([]byte, size)
	n := copy(mem, b.mem[b.r:b.w])
	b.Release()
	b.mem, b.r, b.w = mem, 0, n
}

// Release gives the memory back; unconsumed bytes are lost.
func (b *Buffer) Release() {
	if b.pooled != nil {
		blocks.Put(b.pooled)
	}
	*b = Buffer{}
}

// ReleaseIdle gives the memory back if no unconsumed byte is in it.
func (b *Buffer) ReleaseIdle() {
	if b.r == b.w && b.mem != nil {
		b.Release()
	}
}

// space is where the next bytes go; it is never empty unless the buffer is
// full.
func (b *Buffer) space() []byte {
	if b.mem == nil {
		b.pooled = blocks.Get().(*block)
		b.mem = b.pooled[:]
	} else if b.r == b.w {
		b.r, b.w = 0, 0
	}
	return b.mem[b.w:]
}

// Append adds bytes that were read elsewhere; they must fit.
func (b *Buffer) Append(p []byte) {
	if room := b.space(); len(room) < len(p) {
		b.Grow(b.Len() + len(p))
	}
	b.w += copy(b.mem[b.w:], p)
}
