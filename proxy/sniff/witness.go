package sniff

import (
	"errors"
	"sync/atomic"
)

// Witness tells what is spoken on a connection while its bytes are passed on.
// It holds nobody up, and keeps MaxHello bytes at most, for as long as it takes
// to tell. The zero value has seen nothing.
//
// Client and Server may be called at the same time, each of them by one
// goroutine, and each piece before it is passed on: else an answer may be seen
// before what it answers.
type Witness struct {
	// Tell, if there is one, is called once, by Client, Server or End, as soon
	// as Verdict is final.
	Tell func(p Protocol, serverName string)

	spoke atomic.Uint32 // who spoke first; the rest belongs to them

	protocol Protocol
	name     string
	begin    []byte // the client's first bytes, while more are wanted
	look     int    // how many of them it takes to know more than now
	told     bool
}

// Who spoke first.
const (
	nobody uint32 = iota
	theClient
	theServer
)

// Client looks at the next bytes that the client has sent, which it does not
// keep, and tells whether it wants to see what follows them.
func (w *Witness) Client(p []byte) (more bool) {
	if len(p) == 0 {
		return true
	}
	if !w.first(theClient) || w.told {
		return false
	}
	if len(w.begin) > 0 {
		w.begin = append(w.begin, p...)
		p = w.begin
	}
	if len(p) >= w.look && !w.recognize(p) {
		w.tell()
		return false
	}
	if len(w.begin) == 0 {
		w.begin = append(w.begin, p...)
	}
	return true
}

// Server does the same for the server's bytes; the first say all that they can.
func (w *Witness) Server(p []byte) (more bool) {
	if len(p) == 0 {
		return true
	}
	if w.spoke.CompareAndSwap(nobody, theServer) {
		w.protocol = ServerFirst
		w.tell()
	}
	return false
}

// End says that both sides have ended: what has not been told by now is what it
// looks like.
func (w *Witness) End() {
	if w.told {
		return
	}
	if len(w.begin) > 0 {
		w.recognize(w.begin) // with the bytes that were too few to look at
	}
	w.tell()
}

// Verdict is what was told. serverName is TLS's, in lower case, and empty where
// the client has named none.
func (w *Witness) Verdict() (p Protocol, serverName string) { return w.protocol, w.name }

// first tells whether nobody has spoken before who.
func (w *Witness) first(who uint32) bool {
	return w.spoke.CompareAndSwap(nobody, who) || w.spoke.Load() == who
}

func (w *Witness) tell() {
	w.told, w.begin = true, nil
	if w.Tell != nil {
		w.Tell(w.protocol, w.name)
	}
}

// recognize looks at all that the client has sent, and tells whether it takes
// more. What begins as TLS and is no ClientHello is opaque; one that is too large
// to be read is TLS, to nobody knows whom.
func (w *Witness) recognize(begin []byte) (more bool) {
	p, more := Detect(begin)
	w.protocol, w.look = p, len(begin)+1
	if p != TLS {
		return more
	}
	name, missing, err := ServerNameSoFar(begin)
	w.name, w.look = name, len(begin)+missing
	if errors.Is(err, ErrNoHello) {
		w.protocol = Opaque
	}
	return missing > 0
}
