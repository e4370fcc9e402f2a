package relay

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// idlers are relays between peers that are bare descriptors, so that what the
// process holds is the relays'.
type idlers struct {
	t       testing.TB
	relays  *Splicing
	clients []int
	servers []int
	done    chan Result
}

func idle(t testing.TB, pairs int) *idlers {
	t.Helper()
	s := &idlers{t: t, relays: NewSplicing(new(stat.Set)), done: make(chan Result, pairs)}
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range pairs {
		client, down := s.peer(l)
		server, up := s.peer(l)
		s.clients, s.servers = append(s.clients, client), append(s.servers, server)
		go func() { s.done <- s.relays.Run(Side{Conn: down}, Side{Conn: up}, time.Hour) }()
	}
	return s
}

func (s *idlers) peer(l *net.TCPListener) (fd int, ours *sock.Conn) {
	s.t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		s.t.Fatal(err)
	}
	nc, err := l.AcceptTCP()
	if err != nil {
		s.t.Fatal(err)
	}
	return fd, sock.New(nc)
}

// carry makes each pair carry n bytes each way.
func (s *idlers) carry(n int) {
	for i := range s.clients {
		s.pass(s.clients[i], s.servers[i], n)
		s.pass(s.servers[i], s.clients[i], n)
	}
}

func (s *idlers) pass(from, to, n int) {
	s.t.Helper()
	piece := make([]byte, 64<<10) // fits what the kernel holds on the way
	for sent := 0; sent < n; sent += len(piece) {
		if _, err := syscall.Write(from, piece); err != nil {
			s.t.Fatal(err)
		}
		for got := 0; got < len(piece); {
			k, err := syscall.Read(to, piece[got:])
			if err != nil || k == 0 {
				s.t.Fatal("read ", k, err)
			}
			got += k
		}
	}
}

func (s *idlers) end() {
	for i := range s.clients {
		syscall.Close(s.clients[i])
		syscall.Close(s.servers[i])
	}
	for range s.clients {
		<-s.done
	}
}

func descriptors(t testing.TB) int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("descriptors cannot be counted here: %v", err)
	}
	return len(names)
}

// memory is heap and stacks.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestAnIdlePairTakesAtMost12KiB(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps books of its own for each goroutine")
	}
	const pairs = 500
	for what, bytes := range map[string]int{"fresh": 1 << 10, "after it has spliced": 512 << 10} {
		before := memory()
		s := idle(t, pairs)
		s.carry(bytes)
		each := (memory() - before) / pairs
		s.end()
		t.Logf("%s: %d bytes", what, each)
		if each > 12<<10 {
			t.Errorf("%s: an idle pair takes %d bytes, want at most 12 KiB", what, each)
		}
	}
}

func TestIdlePairsHoldTwoDescriptorsEach(t *testing.T) { holdTwoEach(t, 200, 512<<10) }

// The real number: peers of 10,000 pairs are in this process too.
func TestTenThousandIdlePairsHoldTwentyThousandDescriptors(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: 10,000 pairs that each carry 320 KiB both ways")
	}
	const pairs, need = 10_000, 4*10_000 + 500
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < need {
		raised := syscall.Rlimit{Cur: need, Max: max(limit.Max, need)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
			t.Skipf("NOT TESTED: 10,000 idle pairs need %d descriptors, and the limit of %d (hard %d) cannot be raised: %v",
				need, limit.Cur, limit.Max, err)
		}
		defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	holdTwoEach(t, pairs, 320<<10)
}

func holdTwoEach(t *testing.T, pairs, bytes int) {
	before := descriptors(t)
	s := idle(t, pairs)
	s.carry(bytes)
	defer s.end()
	if s.relays.bytes.Value() == 0 {
		t.Error("nothing was spliced")
	}
	// One that was idle first was so for a while: its pipe is on the shelf, from
	// where the next pair took it. Two may still be held for the last pair's.
	pipes, peers := s.relays.descriptors(), 2*pairs
	if pipes > 8 {
		t.Errorf("%d descriptors of pipes for %d pairs that carry one after the other", pipes, pairs)
	}
	if n := descriptors(t) - before - peers - pipes; n > 2*pairs+4 { // a few that were yielded on
		t.Errorf("%d pairs hold %d descriptors", pairs, n)
	}
}
