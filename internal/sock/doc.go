// Package sock is the one door to the kernel's sockets.
//
// A Conn is a connection over Go's own netpoller that does its system calls
// raw: a non-blocking call made through syscall.RawConn's callbacks, without
// telling the scheduler, which would otherwise wake the runtime's monitor
// thread for each of them. A goroutine parks only when the kernel says EAGAIN.
//
// The poller is edge-triggered and RawConn.Read resets it on entry, so a read
// always tries before it parks: a park without a try can sleep on data or a
// FIN that had already come. The one exception is Conn.Send, which peeks and
// then writes inside the read callback: the reset stood before both, so
// nothing that comes after it is missed.
//
// Buffers are taken from a pool inside the callback, only when there is
// something to read, and given back while the connection waits: an idle
// connection holds no buffer.
//
// Connections are dialed (Dial) and accepted (Listener) the same way, as an
// os.File over the descriptor: net would ask the kernel for more, and tell the
// scheduler. FillPipe and DrainPipe move bytes from one connection to another by
// splice(2) through a Pipe, which is held only while it has bytes or is filled.
// Pipes and the eventfds of Yield are lent from a shelf that closes what is not
// used for a second or two.
//
// Deadlines are coarse and lazy (deadline.go). Under the race detector, and on
// systems other than Linux, ordinary system calls do the same work. A net.Conn
// that is no socket (the fake network of the test kit) works too, without the
// tricks.
package sock
