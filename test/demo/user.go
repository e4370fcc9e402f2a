//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// Headers by which the driver finds its requests in the apps' logs, and asks for a first attempt that fails.
const (
	tagHeader  = "X-Demo-Tag"
	failHeader = "X-Demo-Fail-First"
)

// logEntry is a line of the user-service app's log: one request that it has served.
type logEntry struct {
	Method, Path, Tag string
	Status            int
}

// runUser is the user-service app. It logs each request on its standard output before it answers.
func runUser(args []string) int {
	flags := flag.NewFlagSet("user", flag.ExitOnError)
	listen := flags.String("listen", ":8080", "address")
	version := flags.String("version", "v1", "what it says it is")
	_ = flags.Parse(args) // exits by itself
	app := &userApp{version: *version, log: json.NewEncoder(os.Stdout), failed: map[string]bool{}}
	server := http.Server{Addr: *listen, Handler: app, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	return 1
}

type userApp struct {
	version string
	mu      sync.Mutex
	log     *json.Encoder
	failed  map[string]bool // tags whose first attempt has been refused
}

func (a *userApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/echo" {
		echo(w, r)
		return
	}
	status := http.StatusOK
	if r.URL.Path != "/health" {
		status = a.record(r)
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, a.version)
}

func (a *userApp) record(r *http.Request) (status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tag := r.Header.Get(tagHeader)
	status = http.StatusOK
	if r.Header.Get(failHeader) != "" && !a.failed[tag] {
		a.failed[tag] = true
		status = http.StatusServiceUnavailable
	}
	_ = a.log.Encode(logEntry{r.Method, r.URL.Path, tag, status}) // without a log the driver's counts will tell
	return status
}
