package discovery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// hostKey is what clusters share a lookup by.
type hostKey struct {
	host       string // lower case
	preference mesh.IPPreference
}

func keyOf(d mesh.Discovery) hostKey {
	k := hostKey{strings.ToLower(d.Host), d.Preference}
	switch {
	case k.preference == mesh.AnyFamily && d.Kind == mesh.CloudMap:
		k.preference = mesh.IPv4Preferred // App Mesh 2.9: none is IPv4, then IPv6
	case k.preference == mesh.IPv6Preferred:
		k.preference = mesh.AnyFamily // Envoy: both are AUTO
	}
	return k
}

// lookup asks for one host again and again. Guarded by Watcher.mu.
type lookup struct {
	key   hostKey
	users []*watched // in the order in which they joined
	// timer is nil before the start, and while a question is open.
	timer *time.Timer
	// stop gives up the question that is open; nil when none is.
	stop context.CancelFunc
	// last is the latest result; known is false before the first.
	known bool
	last  Answer
	err   error
}

// join gives the cluster a lookup, and what that already knows.
func (w *Watcher) join(c *watched) {
	key := keyOf(c.discovery)
	l := w.lookups[key]
	if l == nil {
		l = &lookup{key: key}
		w.lookups[key] = l
	}
	l.users = append(l.users, c)
	c.lookup = l
	if l.known {
		c.answered(time.Now(), l.last, l.err)
		c.settle()
	}
}

// leave ends a cluster's part in its lookup, and the lookup with its last user.
func (w *Watcher) leave(c *watched) {
	l := c.lookup
	if l == nil {
		return
	}
	c.lookup = nil
	l.users = slices.DeleteFunc(l.users, func(user *watched) bool { return user == c })
	if len(l.users) > 0 {
		return
	}
	delete(w.lookups, l.key)
	if l.timer != nil && l.timer.Stop() {
		w.running.Done()
	}
	if l.stop != nil {
		l.stop()
	}
}

// start sets off the lookups that are new, at once.
func (w *Watcher) start() {
	for _, l := range w.lookups {
		if l.timer == nil && l.stop == nil {
			w.later(l, 0)
		}
	}
}

// later asks after a delay, on a goroutine that lasts as long as the question.
func (w *Watcher) later(l *lookup, delay time.Duration) {
	w.running.Add(1)
	l.timer = time.AfterFunc(delay, func() {
		defer w.running.Done()
		w.ask(l)
	})
}

func (w *Watcher) ask(l *lookup) {
	select {
	case w.open <- struct{}{}:
		defer func() { <-w.open }()
	case <-w.ctx.Done():
		return
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	w.mu.Lock()
	unused := len(l.users) == 0
	l.timer, l.stop = nil, cancel
	w.mu.Unlock()
	if unused {
		return
	}
	answer, err := w.options.Resolver.Resolve(ctx, l.key.host, l.key.preference)
	if err == nil && len(answer.Addrs) == 0 {
		err = ErrEmpty
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	l.stop = nil
	if len(l.users) == 0 {
		return
	}
	w.report(l, err)
	l.known, l.last, l.err = true, answer, err
	for _, c := range l.users {
		w.deliver(c, answer, err)
	}
	// Envoy: dns_jitter; here up to a tenth.
	spread := time.Duration(w.options.Rand() * float64(w.options.Refresh/10))
	w.later(l, w.options.Refresh+spread)
}

func (w *Watcher) deliver(c *watched, answer Answer, err error) {
	o := c.answered(time.Now(), answer, err)
	count(c.cells, err, o)
	if o == changed || o == emptied {
		c.update(c.current)
	}
	c.settle()
}

// report tells of a change between working and the ways to fail.
func (w *Watcher) report(l *lookup, err error) {
	if w.options.Report == nil || reason(err) == reason(l.err) {
		return
	}
	w.options.Report(l.key.host, err)
}

func reason(err error) error {
	for _, kind := range []error{ErrNoName, ErrEmpty} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	if err != nil {
		return ErrUnanswered
	}
	return nil
}

// move puts a cluster where its endpoints now come from, after the endpoints
// file has changed.
func (w *Watcher) move(c *watched) {
	if _, listed := w.static.of(c.discovery); !listed && c.lookup != nil {
		return
	}
	before := c.current
	w.leave(c)
	w.place(c)
	if !slices.Equal(before, c.current) {
		c.update(c.current)
	}
}
