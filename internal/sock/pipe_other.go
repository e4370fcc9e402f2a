//go:build !linux

package sock

import "syscall"

// canSplice says that splice(2) is known on Linux alone.
const canSplice = false

func openPipe() (pipeEnds, bool) { return pipeEnds{}, false }

func closePipe(pipeEnds) {}

func splice(_, _ uintptr, _ int) (int, syscall.Errno) { return 0, syscall.EINVAL }
