//go:build linux

package epoll

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAConnectionCarriesBytesBothWays(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		listener, addr, err := Listen(netip.MustParseAddrPort(host))
		if err != nil {
			if host[0] == '[' {
				t.Log("left out: no IPv6 here:", err)
				continue
			}
			t.Fatal(err)
		}
		defer Close(listener)
		poller := open(t)
		client, err := Connect(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer Close(client)
		expect(t, poller, client, Writable)
		if err := Connected(client); err != nil {
			t.Fatal(err)
		}
		expect(t, poller, listener, Readable)
		server, err := Accept(listener)
		if err != nil {
			t.Fatal(err)
		}
		defer Close(server)
		if _, err := Accept(listener); err != unix.EAGAIN {
			t.Errorf("a second connection: %v", err)
		}
		buffer := make([]byte, 10)
		if _, errno := Read(server, buffer); errno != unix.EAGAIN {
			t.Errorf("reading nothing: %v", errno)
		}
		if n, errno := Write(client, []byte("hello, all")); n != 10 || errno != 0 {
			t.Fatal(n, errno)
		}
		expect(t, poller, server, Readable)
		if n, errno := Discard(server, buffer[:7]); n != 7 || errno != 0 {
			t.Fatal(n, errno)
		}
		if n, errno := Read(server, buffer); n != 3 || errno != 0 || string(buffer[:3]) != "all" {
			t.Errorf("after the discarded: %q, %v", buffer[:n], errno)
		}
	}
}

func TestARefusedConnectionSaysSo(t *testing.T) {
	listener, addr, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	Close(listener)
	client, err := Connect(addr)
	if err != nil {
		if err != unix.ECONNREFUSED {
			t.Error(err)
		}
		return
	}
	defer Close(client)
	expect(t, open(t), client, Writable)
	if err := Connected(client); err != unix.ECONNREFUSED {
		t.Error(err)
	}
}

func TestWaitEndsInTime(t *testing.T) {
	for _, coarse := range []bool{false, true} {
		poller := open(t)
		poller.coarse = coarse
		for _, patience := range []time.Duration{-1, 0, 300 * time.Microsecond} {
			began := time.Now()
			for { // a signal may interrupt a wait early
				events, err := poller.Wait(patience)
				if err != nil || len(events) != 0 {
					t.Fatal(events, err)
				}
				if time.Since(began) >= patience {
					break
				}
			}
		}
	}
}

func open(t *testing.T) *Poller {
	t.Helper()
	poller, err := Open(4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = poller.Close() })
	return poller
}

// expect waits until fd has the event, adding it to the poller for that.
func expect(t *testing.T, poller *Poller, fd int, event uint32) {
	t.Helper()
	const token = 7
	if err := poller.Add(fd, token, event); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		events, err := poller.Wait(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 1 && Token(&events[0]) == token && events[0].Events&event != 0 {
			if err := poller.Change(fd, token, 0); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Fatal("nothing happened")
}
