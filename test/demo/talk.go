//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// callGRPC makes calls on one channel. The channel finds a proxy by HTTPS_PROXY, as every Go program's does.
func callGRPC(ctx context.Context, o order) (r talkReport) {
	conn, err := grpc.NewClient(o.URL, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return talkReport{Error: err.Error()}
	}
	defer conn.Close()
	method := "/grpc.health.v1.Health/Check"
	if other := o.Header["method"]; other != "" {
		method = other
	}
	for range o.N {
		var answer healthgrpc.HealthCheckResponse
		err := conn.Invoke(ctx, method, &healthgrpc.HealthCheckRequest{}, &answer)
		if r.Said = status.Code(err).String(); err != nil {
			break
		}
		if answer.GetStatus() == healthgrpc.HealthCheckResponse_SERVING {
			r.Done++
			r.Said = fmt.Sprintf("%d x OK, SERVING", r.Done)
		}
	}
	return r
}

// echoWebSocket sends messages of growing size, wants each back, and says bye.
func (a *frontApp) echoWebSocket(ctx context.Context, o order) (r talkReport) {
	conn, _, err := websocket.Dial(ctx, o.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: a.client.Transport}})
	if err != nil {
		return talkReport{Error: err.Error()}
	}
	defer conn.CloseNow()
	conn.SetReadLimit(largestMessage)
	for i := range o.N {
		message := bytes.Repeat([]byte{byte(i)}, max(1, largestMessage*i/o.N))
		if i == o.N-1 {
			message = bytes.Repeat([]byte{byte(i)}, largestMessage)
		}
		if err := conn.Write(ctx, websocket.MessageBinary, message); err != nil {
			return talkReport{Done: r.Done, Error: err.Error()}
		}
		if _, back, err := conn.Read(ctx); err != nil || !bytes.Equal(back, message) {
			return talkReport{Done: r.Done, Error: fmt.Sprintf("message %d: %d bytes came back, %v", i, len(back), err)}
		}
		r.Done++
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte("bye")); err != nil {
		return talkReport{Done: r.Done, Error: err.Error()}
	}
	_, _, err = conn.Read(ctx)
	r.Said = fmt.Sprintf("closed with %d", websocket.CloseStatus(err))
	return r
}

// talkTCP listens first, then sends lines, says by a half-close that there are no more, and reads to the end.
func talkTCP(ctx context.Context, o order) (r talkReport) {
	conn, in, err := dialTCP(ctx, o.URL)
	if err != nil {
		return talkReport{Error: err.Error()}
	}
	defer conn.Close()
	greeting, err := in.ReadString('\n')
	if err != nil {
		return talkReport{Error: "waiting for it to speak: " + err.Error()}
	}
	r.Said, r.Bytes = greeting[:len(greeting)-1], len(greeting)
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(conn)
		for i := range o.N {
			fmt.Fprintln(out, "line", i)
		}
		err := out.Flush()
		if err == nil {
			err = conn.CloseWrite()
		}
		sent <- err
	}()
	for {
		line, err := in.ReadString('\n')
		r.Bytes += len(line)
		if err == io.EOF && line == "" {
			break
		}
		if want := fmt.Sprintln("line", r.Done); err != nil || line != want {
			r.Error = fmt.Sprintf("%q came back for %q: %v", line, want, err)
			break
		}
		r.Done++
	}
	conn.Close()
	if err := <-sent; err != nil && r.Error == "" {
		r.Error = err.Error()
	}
	return r
}

// dialTCP connects, through the proxy that HTTPS_PROXY names if there is one.
func dialTCP(ctx context.Context, to string) (*net.TCPConn, *bufio.Reader, error) {
	at, proxy := to, ""
	if named, err := url.Parse(os.Getenv("HTTPS_PROXY")); err == nil && named.Host != "" {
		at, proxy = named.Host, named.Host
	}
	var dialer net.Dialer
	dialed, err := dialer.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, nil, err
	}
	conn := dialed.(*net.TCPConn)
	in := bufio.NewReader(conn)
	err = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err == nil && proxy != "" {
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to)
		var answer *http.Response
		if answer, err = http.ReadResponse(in, &http.Request{Method: http.MethodConnect}); err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("CONNECT %s: %s", to, answer.Status)
		}
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, in, nil
}
