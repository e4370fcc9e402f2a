package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// maxStrays bounds how many messages of others are read while waiting.
const maxStrays = 64

// ask puts one question to one server: UDP, then TCP if the answer did not
// fit; without EDNS0 where the server does not understand it. Each message
// waits for timeout at most.
func (r *Resolver) ask(ctx context.Context, server netip.AddrPort, q question, timeout time.Duration) (Answer, error) {
	answer, err := r.askUDP(ctx, server, q, timeout, true)
	edns := !errors.Is(err, errFormat)
	if !edns {
		answer, err = r.askUDP(ctx, server, q, timeout, false)
	}
	if errors.Is(err, errTruncated) {
		answer, err = r.askTCP(ctx, server, q, timeout, edns)
	}
	if err == nil || errors.Is(err, ErrNoName) || errors.Is(err, ErrEmpty) || errors.Is(err, ErrUnanswered) {
		return answer, err
	}
	return Answer{}, fmt.Errorf("%w: %w", ErrUnanswered, err)
}

func (r *Resolver) askUDP(ctx context.Context, server netip.AddrPort, q question, timeout time.Duration, edns bool) (Answer, error) {
	conn, stop, err := dial(ctx, "udp", server, timeout)
	if err != nil {
		return Answer{}, err
	}
	defer stop()
	id := r.newID()
	query, err := q.pack(id, edns)
	if err != nil {
		return Answer{}, err
	}
	if _, err := conn.Write(query); err != nil {
		return Answer{}, err
	}
	// A server may ignore what we asked for; what is longer is cut and then
	// malformed.
	buf := make([]byte, 4096)
	for range maxStrays {
		n, err := conn.Read(buf)
		if err != nil {
			return Answer{}, err
		}
		answer, err := q.parse(buf[:n], id)
		if !errors.Is(err, errStray) {
			return answer, err
		}
	}
	return Answer{}, errors.New("too many messages that answer other questions")
}

// askTCP is RFC 7766: the message behind its length.
func (r *Resolver) askTCP(ctx context.Context, server netip.AddrPort, q question, timeout time.Duration, edns bool) (Answer, error) {
	conn, stop, err := dial(ctx, "tcp", server, timeout)
	if err != nil {
		return Answer{}, err
	}
	defer stop()
	id := r.newID()
	query, err := q.pack(id, edns)
	if err != nil {
		return Answer{}, err
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	if _, err := conn.Write(framed); err != nil {
		return Answer{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return Answer{}, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return Answer{}, err
	}
	return q.parse(buf, id)
}

// dial opens a connected socket with a source port of the kernel's choice:
// answers of others than the server do not reach it. The socket gives up
// after timeout, or as soon as ctx ends; stop closes it.
func dial(ctx context.Context, network string, server netip.AddrPort, timeout time.Duration) (net.Conn, func(), error) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		conn.Close()
		return nil, nil, err
	}
	release := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { release(); conn.Close() }, nil
}
