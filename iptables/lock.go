package iptables

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 20 * time.Millisecond

// lockNamespace keeps other processes of ours away from this network namespace's tables until unlock is called. The
// lock is on the namespace itself, by way of its file in /proc: it leaves nothing behind and dies with its holder. The
// lock of iptables cannot serve, for the programs we run take it themselves and nft's ignore it.
//
// It waits for as long as the context lasts. Where the namespace cannot be opened there is no lock: others at the table
// are survived anyway (edit.do), this only makes it rare.
func lockNamespace(ctx context.Context) (unlock func(), err error) {
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return func() {}, nil
	}
	for {
		err := syscall.Flock(int(namespace.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { namespace.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			namespace.Close()
			return func() {}, nil
		}
		select {
		case <-ctx.Done():
			namespace.Close()
			return nil, &CommandError{Command: "waiting for another apply or remove", Answer: context.Cause(ctx).Error()}
		case <-time.After(lockPoll):
		}
	}
}
