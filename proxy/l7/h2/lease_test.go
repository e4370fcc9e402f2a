package h2_test

import (
	"sync"

	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// lease ties a ClientStream to the exchange it was opened for, as upstream does.
type lease struct {
	st     *h2.ClientStream
	ex     *l7.Exchange
	out    l7.Outgoing
	waiter l7.Waiter
	waits  sync.Mutex // held while waiter looks at st
}

var leases = sync.Pool{New: func() any {
	l := &lease{}
	l.waiter.Wake = l.wake
	return l
}}

// wake may come late, from whoever held the waiter when the lease ended.
func (l *lease) wake() {
	l.waits.Lock()
	defer l.waits.Unlock()
	if l.st != nil {
		l.st.Wake()
	}
}

func (l *lease) use(st *h2.ClientStream, ex *l7.Exchange) {
	l.waits.Lock()
	l.st, l.ex = st, ex
	l.waits.Unlock()
	st.ReadBy(within())
	st.WriteBy(0)
	if ex.Peer != nil {
		st.Watch(ex.Peer.Gone())
		ex.Peer.Wait(&l.waiter)
	}
}

// End is l7.Lease's.
func (l *lease) End(complete bool) {
	if l.ex.Peer != nil {
		l.ex.Peer.Wait(nil)
	}
	l.waits.Lock()
	st := l.st
	l.st = nil
	l.waits.Unlock()
	st.Finish()
	l.ex, l.out = nil, l7.Outgoing{}
	leases.Put(l)
}
