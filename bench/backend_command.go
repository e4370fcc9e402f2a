//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"runtime"

	"github.com/outrider-mesh/outrider/bench/backend"
	"github.com/outrider-mesh/outrider/bench/load"
)

// runBackend is bench backend. It prints one line "listening on ADDR" per listener, in the order of the flags, then serves until it is
// told to end.
func runBackend(ctx context.Context, args []string) error {
	var addrs []netip.AddrPort
	flags := flag.NewFlagSet("bench backend", flag.ContinueOnError)
	remote := flags.Bool("allow-remote", false, "permit an address outside this machine and private networks")
	flags.Func("listen", "listen on `ADDR:PORT`, port 0 for a free one; may be repeated (default 127.0.0.1:0)", func(text string) error {
		addr, err := netip.ParseAddrPort(text)
		addrs = append(addrs, addr)
		return err
	})
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usageError{errors.New("backend: takes flags only")}
	}
	if len(addrs) == 0 {
		addrs = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	}
	for _, a := range addrs {
		if !*remote && !load.Private(a.Addr()) {
			return usageError{fmt.Errorf("backend: %s is neither of this machine nor of a private network; --allow-remote permits it", a)}
		}
	}
	server, err := backend.Listen(addrs...)
	if err != nil {
		return err
	}
	for _, a := range server.Addrs() {
		fmt.Println("listening on", a)
	}
	runtime.LockOSThread()
	return server.Serve(ctx)
}
