//go:build !linux

package sock

import "runtime"

// Yielder lets a loop that copies a lot give way to everybody else; away from
// Linux that is runtime.Gosched.
type Yielder struct{}

// Yield gives way once.
func (*Yielder) Yield() { runtime.Gosched() }

// Close does nothing.
func (*Yielder) Close() {}
