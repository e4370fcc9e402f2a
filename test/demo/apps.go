//go:build linux

package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
)

// runGreeter is the gRPC app. It has the one service that every gRPC library brings along: health.
func runGreeter(args []string) int {
	listener, err := net.Listen("tcp", listenFlag(args, ":50051"))
	if err == nil {
		server := grpc.NewServer()
		healthgrpc.RegisterHealthServer(server, health.NewServer())
		err = server.Serve(listener)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// databaseGreeting is what the database says first, as MySQL and SMTP servers do.
const databaseGreeting = "database ready"

// runDatabase is a TCP server outside the mesh. It speaks first, and then sends lines back until its client has no more.
func runDatabase(args []string) int {
	listener, err := net.Listen("tcp", listenFlag(args, ":5432"))
	for err == nil {
		var conn net.Conn
		if conn, err = listener.Accept(); err == nil {
			go serveLines(conn)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func serveLines(conn net.Conn) {
	defer conn.Close()
	fmt.Fprintln(conn, databaseGreeting)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		fmt.Fprintln(conn, lines.Text())
	}
}

func listenFlag(args []string, otherwise string) string {
	flags := flag.NewFlagSet("app", flag.ExitOnError)
	listen := flags.String("listen", otherwise, "address")
	_ = flags.Parse(args) // exits by itself
	return *listen
}

// largestMessage is what a WebSocket of the demo takes.
const largestMessage = 1 << 20

// echo is a WebSocket that sends every message back until it is told "bye", and closes then.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(largestMessage)
	for {
		kind, message, err := conn.Read(r.Context())
		switch {
		case err != nil:
			return
		case string(message) == "bye":
			_ = conn.Close(websocket.StatusNormalClosure, "bye") // the caller has gone
			return
		}
		if conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
