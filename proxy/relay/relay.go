package relay

import (
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// Side is one of the two connections.
type Side struct {
	Conn *sock.Conn
	// Early holds bytes that were read from Conn before; they are the first to
	// reach the other side, and must stay as they are until Run returns.
	Early []byte
	// Sent counts, while they pass, the bytes from this side that were written
	// to the other. Nil counts nothing.
	Sent *stat.Counter
	// First is shown what this side says, from its Early bytes on, each piece
	// before it is written to the other side, until it returns false or bytes no
	// longer pass through user space. It must not keep p. Each side's is called
	// on the goroutine of its direction. Nil: nobody looks.
	First func(p []byte) (more bool)
}

// Result says what passed and why it ended.
type Result struct {
	// Up are the bytes that were written to the upstream connection, Down those
	// that were written to the downstream one, Early ones included. They are
	// exact, also when a write broke off.
	Up, Down uint64
	End      End
	// Err is the failure that ended the relay; nil for Complete and Idle.
	Err error
}

// End is why a relay ended.
type End uint8

// The ends of a relay.
const (
	Complete        End = iota // both sides sent a FIN
	Idle                       // nothing passed for the idle time
	DownstreamBroke            // the downstream connection was reset or failed
	UpstreamBroke              // the upstream connection was reset or failed
	Canceled                   // we closed one, or raised its Watch flag
)

// String is the end as log lines name it.
func (e End) String() string {
	return [...]string{"complete", "idle timeout", "downstream broke", "upstream broke", "canceled"}[e]
}

// Run carries bytes both ways until both directions have ended, which may take
// for ever: close either connection, or raise the flag it watches, to end it.
// Both connections are closed when it returns, and no goroutine is left.
//
// idle is how long no byte may pass in either direction, 0 for ever. A byte
// counts as passed with its piece: a side that takes less than BufferSize in all
// that time is idle too. Deadlines set on the connections before are replaced.
func Run(down, up Side, idle time.Duration) Result {
	return (*Splicing)(nil).Run(down, up, idle)
}

// Relay is two connections between which bytes are to pass: Run in three steps,
// for those who wait in the second on a goroutine whose stack is to stay small.
type Relay struct {
	up, down direction
	idle     time.Duration
	splicing *Splicing // nil: no splice
}

// prepare sets the timers here, since they take more stack than all that Run does.
func (r *Relay) prepare(down, up *Side) {
	r.up.begin(r, down, up)
	r.up.other, r.up.fromBroke, r.up.toBroke = &r.down, DownstreamBroke, UpstreamBroke
	r.down.begin(r, up, down)
	r.down.other, r.down.fromBroke, r.down.toBroke = &r.up, UpstreamBroke, DownstreamBroke
	r.touch()
	r.up.from.ArmRead()
	r.down.from.ArmRead()
}

// Run is Run; it must be called once. An idle relay is parked in here, twice.
func (r *Relay) Run() {
	r.down.ended.Add(1)
	go r.down.run()
	r.up.ended.Add(1)
	r.up.run()
	r.down.ended.Wait()

	r.up.flushOther()
	r.down.flushOther()
	r.up.from.Close()
	r.up.to.Close()
}

// touch moves all four deadlines, since a byte that passes one way keeps both
// ways open. They only move later, so nobody has to be woken.
func (r *Relay) touch() {
	by := time.Duration(0)
	if r.idle > 0 {
		by = sock.Now() + r.idle
	}
	for _, c := range [...]*sock.Conn{r.up.from, r.up.to} {
		c.ReadBy(by)
		c.WriteBy(by)
	}
}

// Result says what passed and why it ended, once Run has returned: it takes the
// failure that came first; what it tears down fails too.
func (r *Relay) Result() Result {
	res := Result{Up: r.up.settle(), Down: r.down.settle()}
	first := &r.up
	if d := &r.down; first.err == nil || d.err != nil && (d.at < first.at || d.at == first.at && d.end == Idle) {
		first = d
	}
	if first.err == nil {
		return res
	}
	if res.End = first.end; res.End != Idle {
		res.Err = first.err
	}
	return res
}
