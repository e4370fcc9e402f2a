//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"runtime"
	"slices"

	"github.com/outrider-mesh/outrider/bench/backend"
	"github.com/outrider-mesh/outrider/bench/load"
	"github.com/outrider-mesh/outrider/bench/unary"
)

// runBackend is bench backend. It prints one line "listening on ADDR" per listener, in the order of the flags, those of --grpc last, then serves until it is
// told to end.
func runBackend(ctx context.Context, args []string) error {
	var addrs, grpcAddrs []netip.AddrPort
	flags := flag.NewFlagSet("bench backend", flag.ContinueOnError)
	remote := flags.Bool("allow-remote", false, "permit an address outside this machine and private networks")
	flags.Func("listen", "listen on `ADDR:PORT`, port 0 for a free one; may be repeated (default 127.0.0.1:0)", into(&addrs))
	flags.Func("grpc", "serve gRPC, through grpc-go, on `ADDR:PORT`; may be repeated", into(&grpcAddrs))
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usageError{errors.New("backend: takes flags only")}
	}
	if len(addrs)+len(grpcAddrs) == 0 {
		addrs = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	}
	for _, a := range slices.Concat(addrs, grpcAddrs) {
		if !*remote && !load.Private(a.Addr()) {
			return usageError{fmt.Errorf("backend: %s is neither of this machine nor of a private network; --allow-remote permits it", a)}
		}
	}
	return serveBackends(ctx, addrs, grpcAddrs)
}

// into appends what a flag says to addrs.
func into(addrs *[]netip.AddrPort) func(string) error {
	return func(text string) error {
		addr, err := netip.ParseAddrPort(text)
		*addrs = append(*addrs, addr)
		return err
	}
}

// serveBackends opens all listeners, says so, and serves until ctx ends or one of them fails; then it ends the others.
func serveBackends(ctx context.Context, addrs, grpcAddrs []netip.AddrPort) error {
	server, err := backend.Listen(addrs...)
	if err != nil {
		return err
	}
	calls := make([]*unary.Server, len(grpcAddrs))
	for i, addr := range grpcAddrs {
		if calls[i], err = unary.Listen(addr); err != nil {
			return err
		}
	}
	for _, a := range server.Addrs() {
		fmt.Println("listening on", a)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error)
	for _, s := range calls {
		fmt.Println("listening on", s.Addr())
		go func() { errs <- s.Serve(ctx) }()
	}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		errs <- server.Serve(ctx)
	}()
	err = <-errs
	cancel()
	for range calls {
		err = errors.Join(err, <-errs)
	}
	return err
}
