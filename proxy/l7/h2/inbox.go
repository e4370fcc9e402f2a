package h2

import "sync"

// block is memory for body bytes that have come. Small messages take a small
// one.
type block struct {
	mem  []byte
	w    int
	pool *sync.Pool
}

const smallBlock, largeBlock = 2 << 10, 16 << 10

var smallBlocks, largeBlocks = blocksOf(smallBlock), blocksOf(largeBlock)

func blocksOf(size int) *sync.Pool {
	p := new(sync.Pool)
	p.New = func() any { return &block{mem: make([]byte, size), pool: p} }
	return p
}

func takeBlock(n int) *block {
	if n <= smallBlock {
		return smallBlocks.Get().(*block)
	}
	return largeBlocks.Get().(*block)
}

func (b *block) release() {
	b.w = 0
	b.pool.Put(b)
}

// inbox is a stream's body bytes that have come and were not yet taken. The
// connection's lock guards it.
type inbox struct {
	blocks []*block
	size   int
	lent   *block // what was given out last
}

// put copies p in; expected says how many bytes of the frame are to come with
// and after it.
func (i *inbox) put(p []byte, expected int) {
	i.size += len(p)
	for len(p) > 0 {
		var b *block
		if n := len(i.blocks); n > 0 {
			b = i.blocks[n-1]
		}
		if b == nil || b.w == len(b.mem) {
			b = takeBlock(expected)
			i.blocks = append(i.blocks, b)
		}
		n := copy(b.mem[b.w:], p)
		b.w += n
		p = p[n:]
		expected -= n
	}
}

// take gives the next bytes, valid until the next take; nil when there are
// none: what was lent before then stays valid.
func (i *inbox) take() []byte {
	if len(i.blocks) == 0 {
		return nil
	}
	i.giveBack()
	b := i.blocks[0]
	i.blocks = append(i.blocks[:0], i.blocks[1:]...)
	i.lent = b
	i.size -= b.w
	return b.mem[:b.w]
}

func (i *inbox) giveBack() {
	if i.lent != nil {
		i.lent.release()
		i.lent = nil
	}
}

// drop throws away what has not been taken and says how much that was.
func (i *inbox) drop() (n int) {
	for _, b := range i.blocks {
		b.release()
	}
	clear(i.blocks)
	i.blocks = i.blocks[:0]
	n, i.size = i.size, 0
	return n
}
