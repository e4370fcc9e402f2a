package h1

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pumped sends a request whose body is still to come through a pump of the
// crew.
func pumped(t *testing.T, crew *l7.Crew) {
	t.Helper()
	s, ex := NewServer(sock.New(says(post+"Content-Length: 3\r\n\r\n", "abc"))), &l7.Exchange{}
	s.Await(0)
	if err := s.ReadRequest(ex); err != nil {
		t.Fatal(err)
	}
	up := says(ok + "Content-Length: 0\r\n\r\n")
	c := NewClient(sock.New(up), crew)
	if _, err := c.Send(&l7.Outgoing{Head: &ex.Request, Body: ex.Request.Body}); err != nil {
		t.Fatal(err)
	}
	if err := c.ReadResponse(ex); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if n, whole := c.Sent(); n != 3 || !whole || !strings.HasSuffix(up.wrote.String(), "\r\n\r\nabc") {
		t.Errorf("%d bytes sent, %v: %q", n, whole, up.wrote.String())
	}
	c.Finish(true)
	s.Release()
}

func TestABodyThatIsStillToComeIsPumped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew := l7.NewCrew()
		pumped(t, crew)
		pumped(t, crew)
		crew.Close() // or the bubble would not end
	})
}

// The write deadline of a response may have passed when the connection's next
// request is answered.
func TestAnOldWriteDeadlineDoesNotMatterToTheNextRequest(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := dial(t, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := sock.New(nc)
	defer conn.Close()
	s, ex := NewServer(conn), &l7.Exchange{}
	defer s.Release()
	s.Idle = time.Minute
	io.WriteString(client, post+"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
	conn.WriteBy(sock.Now())
	s.Await(0)
	if err := s.ReadRequest(ex); err != nil {
		t.Fatal(err)
	}
	if err := ex.Request.Continue(); err != nil {
		t.Errorf("100 (Continue): %v", err)
	}
	conn.WriteBy(sock.Now())
	ex.Response.Status = 103
	if err := s.Inform(ex); err != nil {
		t.Errorf("103: %v", err)
	}
}

// endless is a body that has always more.
type endless struct{ l7.Body }

var megabyte = make([]byte, 1<<20)

func (endless) Length() int64             { return -1 }
func (endless) Buffered() ([]byte, error) { return megabyte, nil }
func (endless) Next() ([]byte, error)     { return megabyte, nil }
func (endless) Interrupt()                {}

func TestAnUpstreamThatTakesNothingIsIdle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn := sock.New(dial(t, l.Addr().String())) // accepted by the kernel alone
	defer conn.Close()
	crew := l7.NewCrew()
	defer crew.Close()
	c, ex := NewClient(conn, crew), &l7.Exchange{}
	ex.Request.Method, ex.Request.Target = []byte("POST"), []byte("/")
	_, err = c.Send(&l7.Outgoing{Head: &ex.Request, Body: endless{}, Idle: 30 * time.Millisecond})
	if !errors.Is(err, sock.ErrTimeout) || c.BodyBroke() {
		t.Errorf("Send = %v, body broke %v; want ErrTimeout", err, c.BodyBroke())
	}
	if reusable, _ := c.Finish(false); reusable {
		t.Error("the connection is reusable")
	}
}
