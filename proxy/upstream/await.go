package upstream

import (
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// await waits for a turn in a pool, until the time by (0: for ever) or until
// the client leaves.
func await[T any](ex *l7.Exchange, turn <-chan T, by time.Duration) (got T, ok bool) {
	gone := make(chan struct{}, 1)
	if ex.Peer != nil {
		leave := func() {
			select {
			case gone <- struct{}{}:
			default:
			}
		}
		ex.Peer.Wait(&l7.Waiter{Wake: leave})
		defer ex.Peer.Wait(nil)
		if ex.Peer.Gone().Load() {
			leave()
		}
	}
	var expired <-chan time.Time
	if by > 0 {
		timer := time.NewTimer(by - sock.Now())
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case got = <-turn:
		return got, true
	case <-expired:
	case <-gone:
	}
	return got, false
}
