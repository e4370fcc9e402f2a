//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/load"
)

// runLoad is bench load. It prints the result and fails (exit code 1) if any request did.
func runLoad(ctx context.Context, args []string) error {
	var config load.Config
	var request load.Request
	flags := flag.NewFlagSet("bench load", flag.ContinueOnError)
	flags.Float64Var(&config.Rate, "rate", 0, "requests per second over all connections; 0: closed loop, as fast as answers come")
	flags.DurationVar(&config.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&config.Warmup, "warmup", 0, "load before measuring")
	flags.Int64Var(&config.Requests, "requests", 0, "end after so many requests, warm-up included; 0: only the duration ends it")
	flags.IntVar(&config.Connections, "connections", 1, "connections to hold")
	flags.IntVar(&config.Workers, "workers", 1, "threads to share the connections")
	flags.IntVar(&config.Outstanding, "outstanding", 0, "most requests due and unanswered, what is over is not sent; 0: one second's worth, at least ten per connection")
	flags.DurationVar(&config.Timeout, "timeout", 10*time.Second, "of a connect and of a request")
	flags.StringVar(&request.Method, "method", "", "request method (default GET, or POST with a body)")
	flags.IntVar(&request.BodySize, "body", 0, "bytes of request body")
	flags.BoolVar(&request.AllowRemote, "allow-remote", false, "permit a target outside this machine and private networks")
	histogram := flags.String("histogram", "", "write the latency distribution (.hgrm) to this file")
	flags.Func("header", "add a header, \"Name: value\"; may be repeated; Host replaces the URL's", func(h string) error {
		request.Headers = append(request.Headers, h)
		return nil
	})
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usageError{errors.New("load: want one URL after the flags")}
	}
	request.URL = flags.Arg(0)
	var err error
	if config.Target, err = request.Prepare(ctx); err != nil {
		return usageError{fmt.Errorf("load: %w", err)}
	}
	if _, err = config.Filled(); err != nil {
		return usageError{fmt.Errorf("load: %w", err)}
	}
	return generate(ctx, config, *histogram)
}

func generate(ctx context.Context, config load.Config, histogram string) error {
	var watch load.Watch
	stop := showProgress(&watch, config)
	result, err := load.Run(ctx, config, &watch)
	stop()
	if err != nil {
		return err
	}
	if err := result.Write(os.Stdout); err != nil {
		return err
	}
	if histogram != "" {
		if err := result.WriteHistogram(histogram); err != nil {
			return err
		}
	}
	if result.Failures.Total() > 0 || result.Succeeded == 0 {
		return errFound
	}
	return nil
}

// showProgress keeps one line on standard error up to date, if that is a terminal, until the returned function is
// called.
func showProgress(watch *load.Watch, config load.Config) (stop func()) {
	if _, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS); err != nil {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var last int64
		for elapsed := 1; ; elapsed++ {
			select {
			case <-quit:
				fmt.Fprint(os.Stderr, "\r\033[K")
				return
			case <-tick.C:
				n := watch.Answered()
				fmt.Fprintf(os.Stderr, "\r\033[K%ds of %v, %d answers, %d/s", elapsed, config.Warmup+config.Duration, n, n-last)
				last = n
			}
		}
	}()
	return func() { close(quit); <-gone }
}
