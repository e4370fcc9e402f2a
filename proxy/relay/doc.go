// Package relay carries bytes both ways between two connections, for TCP and
// for what follows an upgrade.
//
// Each direction is a loop of one read and one write on a goroutine of its own,
// the caller's and one more, so that a slow reader holds back its sender: no
// more than one piece (sock.BufferSize) waits between the two, and none while
// there is nothing to read. After every 64 KiB a loop gives way (sock.Yielder).
//
// A direction that has carried 256 KiB goes on by splice(2): from the socket into
// a pipe and on to the other socket, so that bytes never enter user space. A pipe
// is held only while there are bytes to move. Where none can be had (there are 64,
// and descriptors may be short) bytes go through user space as before. Nothing
// else changes: how it ends, idle time and counts are the same code. A slow
// reader then holds back one pipe (1 MiB), which is the kernel's memory, not ours.
//
// How it ends (Envoy: TCP proxy, half-close semantics):
//
//   - A FIN is passed on and the other direction stays open. When both have
//     ended, both connections are closed.
//   - No bytes in either direction for the idle time: both are closed.
//   - A side that is reset, or fails otherwise, resets the other: what the other
//     got must not look like the whole. What the failed side had sent before,
//     and what was read of it, is passed on first where it is still there.
//   - A side that closes entirely while the other still sends: what it sent is
//     flushed, then its FIN; what the other sends is thrown away for a moment, so
//     that the flush is not lost to an RST.
package relay
