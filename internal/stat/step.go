package stat

import "math/bits"

const (
	subBits = 3
	// steps is eight for the values below 8 and eight for each doubling above,
	// up to 2^42: 51 days in microseconds.
	steps = (42 - subBits + 1) << subBits
)

// step is the index of the log-linear step that holds v.
func step(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	exp := bits.Len64(v) - 1 - subBits
	i := (exp+1)<<subBits | int(v>>exp)&(1<<subBits-1)
	return min(i, steps-1)
}

// lower is the least value that falls in step i; lower(steps) is the end of
// the last step.
func lower(i int) uint64 {
	if i < 1<<subBits {
		return uint64(i)
	}
	exp := i>>subBits - 1
	return uint64(1<<subBits|i&(1<<subBits-1)) << exp
}
