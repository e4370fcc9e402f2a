//go:build linux

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// order is what the driver asks the front app to do: call a URL so many times, some at once.
type order struct {
	URL     string
	Header  map[string]string
	N, Many int
}

// outcome is what came of it.
type outcome struct {
	Statuses map[int]int
	Errors   []string // the first few
	Failed   int      // calls without an answer
}

// runFront is the front app: ordinary code that calls its backend by name, and knows nothing of a mesh.
func runFront(args []string) int {
	flags := flag.NewFlagSet("front", flag.ExitOnError)
	listen := flags.String("listen", ":3000", "address")
	_ = flags.Parse(args) // exits by itself
	app := &frontApp{http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 32}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "front") })
	mux.HandleFunc("POST /call", serveOrders(func(_ context.Context, o order) outcome { return app.callAll(o) }))
	mux.HandleFunc("POST /grpc", serveOrders(callGRPC))
	mux.HandleFunc("POST /websocket", serveOrders(app.echoWebSocket))
	mux.HandleFunc("POST /tcp", serveOrders(talkTCP))
	server := http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	return 1
}

type frontApp struct{ client http.Client }

// serveOrders carries an order out and answers what came of it.
func serveOrders[T any](carryOut func(context.Context, order) T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(carryOut(r.Context(), o)) // the driver has gone
	}
}

func (a *frontApp) callAll(o order) outcome {
	result := outcome{Statuses: map[int]int{}}
	var mu sync.Mutex
	var workers sync.WaitGroup
	tickets := make(chan struct{}, o.N)
	for range o.N {
		tickets <- struct{}{}
	}
	close(tickets)
	for range max(1, o.Many) {
		workers.Go(func() {
			for range tickets {
				status, err := a.call(o)
				mu.Lock()
				result.note(status, err)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return result
}

func (r *outcome) note(status int, err error) {
	if err == nil {
		r.Statuses[status]++
		return
	}
	r.Failed++
	if len(r.Errors) < 5 {
		r.Errors = append(r.Errors, err.Error())
	}
}

func (a *frontApp) call(o order) (status int, err error) {
	request, err := http.NewRequest(http.MethodGet, o.URL, nil)
	if err != nil {
		return 0, err
	}
	for name, value := range o.Header {
		request.Header.Set(name, value)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// String is the outcome in a cell of the table.
func (r outcome) String() string {
	var parts []string
	for status, n := range r.Statuses {
		parts = append(parts, fmt.Sprintf("%d x %d", n, status))
	}
	if r.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d without answer (%s)", r.Failed, strings.Join(r.Errors, "; ")))
	}
	return strings.Join(parts, ", ")
}
