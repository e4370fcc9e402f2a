//go:build linux

package e2e

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

// A stream of messages that is larger by far than all windows and buffers on its way.
const (
	messageSize = 64 << 10
	messages    = 512 // 32 MiB
	// mostOnTheWay is what may be between a writer and a reader that reads nothing: windows on two connections, buffers of four sockets.
	mostOnTheWay = 8 << 20 / messageSize
)

// A reader that reads nothing stops the one who writes to it, and nobody else, on whichever side it is.
func TestASlowReaderSlowsItsOwnWriterAlone(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		c := testgrpc.NewTestServiceClient(conn)
		var toClient, toApp atomic.Int64 // messages written
		app.output = func(_ *testgrpc.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testgrpc.StreamingOutputCallResponse]) error {
			slow := len(metadata.ValueFromIncomingContext(s.Context(), "x-slow")) > 0
			for range messages {
				if err := s.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload(messageSize)}); err != nil {
					return err
				}
				if slow {
					toClient.Add(1)
				}
			}
			return nil
		}
		reads := make(chan struct{})
		app.input = func(s grpc.ClientStreamingServer[testgrpc.StreamingInputCallRequest, testgrpc.StreamingInputCallResponse]) error {
			if len(metadata.ValueFromIncomingContext(s.Context(), "x-slow")) > 0 {
				<-reads
			}
			return sumUp(s)
		}

		down, err := c.StreamingOutputCall(calling(t, "x-slow", "yes"), sizes())
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		sum := make(chan int32, 1)
		go func() { written <- uploadMessages(calling(t, "x-slow", "yes"), c, &toApp, sum) }()

		// Neighbours on the same connection move as much as they like meanwhile, in both directions.
		for range 2 {
			if n, err := downloadMessages(calling(t), c); err != nil || n != messages*messageSize {
				t.Fatalf("a neighbour read %d bytes of %d: %v", n, messages*messageSize, err)
			}
			var sent atomic.Int64
			total := make(chan int32, 1)
			if err := uploadMessages(calling(t), c, &sent, total); err != nil {
				t.Fatalf("a neighbour wrote %d messages: %v", sent.Load(), err)
			}
			if err := pingPong(calling(t), c, 50); err != nil {
				t.Fatalf("a neighbour's ping: %v", err)
			}
		}
		if n := toClient.Load(); n > mostOnTheWay {
			t.Errorf("the app has written %d messages to a client that reads none", n)
		}
		if n := toApp.Load(); n > mostOnTheWay {
			t.Errorf("the client has written %d messages to an app that reads none", n)
		}
		// And then they read: everything comes.
		close(reads)
		if err := receive(t, "the slow upload ends", written); err != nil {
			t.Errorf("the slow upload: %v", err)
		} else if got := <-sum; got != messages*messageSize {
			t.Errorf("the slow upload carried %d bytes", got)
		}
		if n, err := readAll(down); err != nil || n != messages*messageSize {
			t.Errorf("the slow download carried %d bytes: %v", n, err)
		}
	})
}

func downloadMessages(ctx context.Context, c testgrpc.TestServiceClient) (bytes int, err error) {
	s, err := c.StreamingOutputCall(ctx, sizes())
	if err != nil {
		return 0, err
	}
	return readAll(s)
}

func readAll(s grpc.ServerStreamingClient[testgrpc.StreamingOutputCallResponse]) (bytes int, err error) {
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return bytes, nil
		}
		if err != nil {
			return bytes, err
		}
		bytes += len(m.GetPayload().GetBody())
	}
}

// uploadMessages sends all messages, counting them, and tells what the app has counted.
func uploadMessages(ctx context.Context, c testgrpc.TestServiceClient, sent *atomic.Int64, sum chan<- int32) error {
	s, err := c.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	message := &testgrpc.StreamingInputCallRequest{Payload: payload(messageSize)}
	for range messages {
		if err := s.Send(message); err != nil {
			_, err = s.CloseAndRecv() // the reason
			return err
		}
		sent.Add(1)
	}
	answer, err := s.CloseAndRecv()
	sum <- answer.GetAggregatedPayloadSize()
	return err
}

func TestManyStreamsOnOneConnection(t *testing.T) {
	bothWays(t, func(t *testing.T, app *grpcApp, conn *grpc.ClientConn) {
		const streams = 100
		arrived, all := make(chan struct{}, streams), make(chan struct{})
		app.duplex = func(s grpc.BidiStreamingServer[testgrpc.StreamingOutputCallRequest, testgrpc.StreamingOutputCallResponse]) error {
			arrived <- struct{}{}
			<-all // each waits for all the others: they are open at once
			return sendBack(s)
		}
		c := testgrpc.NewTestServiceClient(conn)
		ended := make(chan error, streams)
		for range streams {
			go func() { ended <- pingPong(calling(t), c, 10) }()
		}
		for range streams {
			receive(t, "a stream arrives", arrived)
		}
		close(all)
		for range streams {
			if err := receive(t, "a stream ends", ended); err != nil {
				t.Error(err)
			}
		}
	})
}
