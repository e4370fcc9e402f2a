//go:build linux

// Package closed generates closed loops of what bench/load does not speak: HTTP/2, where a connection carries many requests at once, and
// WebSocket messages.
//
// One thread, one poller, one read and one write per connection and turn: what the frames of one read have made room for is asked at once, as a
// client that batches would. Requests are encoded once (HTTP/2: once the compression state has settled) and answers are checked, not trusted:
// their status, their length and their end, or their bytes.
package closed

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/bench/load"
)

// Config is one run. The zero value of a field means what its comment says.
type Config struct {
	Addr        netip.AddrPort
	Speak       Speech        // what is said on every connection
	Connections int           // to hold; 0: 1
	Warmup      time.Duration // load before the measured window, in no figure; 0: none
	Duration    time.Duration // the measured window
	Requests    int64         // end after so many requests; 0: only time ends the run
	Timeout     time.Duration // how long a connection with requests under way may be silent, and of a connect; 0: 10 s

	// AtStart and AtEnd, if set, are called on the generating thread when the measured window begins and ends.
	AtStart, AtEnd func()
}

// Filled returns the configuration with its defaults filled in, or what is wrong with it.
func (c Config) Filled() (Config, error) {
	c.Connections = max(c.Connections, 1)
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	switch {
	case !c.Addr.IsValid() || c.Speak == nil:
		return c, errors.New("no target")
	case c.Connections > load.MaxConnections:
		return c, fmt.Errorf("connections %d: want at most %d", c.Connections, load.MaxConnections)
	case c.Duration <= 0 || c.Duration > load.MaxDuration:
		return c, fmt.Errorf("duration %v: want more than 0 and at most %v", c.Duration, load.MaxDuration)
	case c.Warmup < 0 || c.Warmup > load.MaxDuration:
		return c, fmt.Errorf("warm-up %v: want 0 to %v", c.Warmup, load.MaxDuration)
	case c.Requests < 0:
		return c, fmt.Errorf("requests %d: want 0 (no limit) or more", c.Requests)
	case c.Timeout < 0 || c.Timeout > load.MaxDuration:
		return c, fmt.Errorf("timeout %v: want more than 0 and at most %v", c.Timeout, load.MaxDuration)
	}
	return c, c.Speak.check()
}

// Speech begins conversations. It is HTTP2 or WebSocket.
type Speech interface {
	check() error
	begin() conversation
}

// conversation is the protocol on one connection. Its methods append what is to be sent to the turn.
type conversation interface {
	opened(*turn)                  // the connection stands
	heard(t *turn, p []byte) error // bytes have come; an error ends the connection, errParted without blame
	fill(t *turn)                  // ask as much as may be under way
}

// errParted says that the peer took its leave in the protocol's own way and owes no answer.
var errParted = errors.New("the peer has taken its leave")

// turn is what a conversation does when it is its turn.
type turn struct {
	run *run
	on  *link
	now int64 // nanoseconds since the run began
	out []byte
}

// ask takes the leave to send one request more; false when there is none to send.
func (t *turn) ask() bool { return t.run.ask(t) }

// answered records the end of a request that was sent at the given moment.
func (t *turn) answered(sent int64, o outcome) { t.run.answered(t, sent, o) }

// outcome is how a request ended.
type outcome struct {
	failure load.Kind // if failed
	failed  bool
	bytes   int
}
