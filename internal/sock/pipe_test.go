//go:build linux

package sock

import (
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesPassThroughAPipeAndTheFINAfterThem(t *testing.T) {
	from, sender := pair(t)
	to, receiver := pair(t)
	var pipes Pipes
	p := Pipe{Supply: &pipes}
	sender.Write([]byte("through the kernel"))
	if n, err := from.FillPipe(&p); n != 18 || err != nil || p.Len() != 18 {
		t.Fatalf("FillPipe = %d, %v; the pipe holds %d", n, err, p.Len())
	}
	if n, err := to.DrainPipe(&p); n != 18 || err != nil || p.Len() != 0 {
		t.Fatalf("DrainPipe = %d, %v; the pipe holds %d", n, err, p.Len())
	}
	got := make([]byte, 18)
	if _, err := io.ReadFull(receiver, got); err != nil || string(got) != "through the kernel" {
		t.Errorf("received %q, %v", got, err)
	}
	if rx, _ := from.Traffic(); rx != 18 {
		t.Errorf("%d bytes read", rx)
	}
	if _, tx := to.Traffic(); tx != 18 {
		t.Errorf("%d bytes written", tx)
	}
	sender.CloseWrite()
	if n, err := from.FillPipe(&p); n != 0 || err != io.EOF {
		t.Errorf("after the FIN: %d, %v", n, err)
	}
	pipes.trim()
	if n := pipes.Open(); n != 0 {
		t.Errorf("%d pipes are open", n)
	}
}

func TestAWaitHoldsNoPipeAndEndsByDeadline(t *testing.T) {
	from, _ := pair(t)
	var pipes Pipes
	p := Pipe{Supply: &pipes}
	from.ReadBy(Now() + 10*time.Millisecond)
	if _, err := from.FillPipe(&p); !errors.Is(err, ErrTimeout) {
		t.Errorf("FillPipe: %v, want ErrTimeout", err)
	}
	if p.taken {
		t.Error("a pipe is held")
	}
	pipes.trim()
}

func TestADrainWritesWhatFitsAndCountsItWhenThePeerIsGone(t *testing.T) {
	from, sender := pair(t)
	to, receiver := pair(t)
	var pipes Pipes
	p := Pipe{Supply: &pipes}
	go func() {
		for {
			if _, err := sender.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}()
	var moved uint64
	to.WriteBy(Now() + 50*time.Millisecond) // nobody reads: the drain comes to wait
	for {
		if p.Len() == 0 {
			if _, err := from.FillPipe(&p); err != nil {
				t.Fatal(err)
			}
		}
		n, err := to.DrainPipe(&p)
		moved += uint64(n)
		if err != nil {
			if !errors.Is(err, ErrTimeout) {
				t.Errorf("DrainPipe: %v, want ErrTimeout", err)
			}
			break
		}
	}
	if _, tx := to.Traffic(); tx != moved {
		t.Errorf("%d bytes moved, %d counted", moved, tx)
	}
	to.WriteBy(0)
	receiver.SetLinger(0)
	receiver.Close()
	if n, err := to.DrainPipe(&p); n != 0 || err == nil {
		t.Errorf("DrainPipe to nobody = %d, %v", n, err)
	}
	p.Release()
	if n := pipes.Open(); n != 0 {
		t.Errorf("%d pipes are open: one with bytes in it must be closed", n)
	}
	sender.Close()
}

func TestWithoutAPipeNothingIsRead(t *testing.T) {
	from, sender := pair(t)
	sender.Write([]byte("x"))
	none := Pipes{Most: -1}
	if _, err := from.FillPipe(&Pipe{Supply: &none}); err != ErrNoPipe {
		t.Fatalf("FillPipe: %v, want ErrNoPipe", err)
	}
	var b Buffer
	if n, err := from.Fill(&b); n != 1 || err != nil {
		t.Errorf("Fill = %d, %v", n, err)
	}
}

func TestTheNumberOfPipesIsBounded(t *testing.T) {
	pipes := Pipes{Most: 3}
	var taken []pipeEnds
	for range 3 {
		ends, ok := pipes.take()
		if !ok {
			t.Fatal("no pipe")
		}
		taken = append(taken, ends)
	}
	if _, ok := pipes.take(); ok || pipes.Open() != 3 {
		t.Errorf("a fourth pipe; %d are open", pipes.Open())
	}
	pipes.put(taken[2])
	if ends, ok := pipes.take(); !ok || ends != taken[2] {
		t.Error("the pipe put back is not given again")
	}
	for _, ends := range taken {
		pipes.put(ends)
	}
	pipes.trim()
	if pipes.Open() != 0 {
		t.Errorf("%d are open", pipes.Open())
	}
}

// An urgent byte at the head of the queue stops splice(2); a read skips it.
func TestAnUrgentByteDoesNotStopAStreamForEver(t *testing.T) {
	from, sender := pair(t)
	raw, err := sender.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil) })
	if err != nil {
		t.Skipf("no urgent data here: %v", err)
	}
	sender.Write([]byte("after"))
	var pipes Pipes
	p, b := Pipe{Supply: &pipes}, Buffer{}
	from.ReadBy(Now() + 10*time.Second)
	for got := 0; got < 5; {
		n, err := from.FillPipe(&p)
		if err == ErrNoPipe {
			n, err = from.Fill(&b)
			b.Release()
		}
		p.Release()
		if got += n; err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
	}
	pipes.trim()
}

func TestAShelfDiscardsWhatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var list []int
		s := shelf[int]{discard: func(i int) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, i)
		}}
		gone := func() []int {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(list)
		}
		for i := range 3 {
			s.put(i)
		}
		time.Sleep(shelfTime * 3 / 2)
		synctest.Wait()
		if len(gone()) != 0 {
			t.Fatalf("%v are gone after one sweep", gone())
		}
		for range 4 { // the last one is in use all the time
			i, ok := s.take()
			if !ok || i != 2 {
				t.Fatalf("took %d, %v; want what was put back last", i, ok)
			}
			s.put(i)
			time.Sleep(shelfTime)
			synctest.Wait()
		}
		if !slices.Equal(gone(), []int{0, 1}) {
			t.Errorf("%v are gone, want those that nobody took", gone())
		}
		time.Sleep(2 * shelfTime)
		synctest.Wait()
		if _, ok := s.take(); ok || len(gone()) != 3 {
			t.Errorf("%v are gone, want all", gone())
		}
	})
}
