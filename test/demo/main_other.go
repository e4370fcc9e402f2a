//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "demo: needs Linux: network namespaces, or a loopback network of more than one address")
	os.Exit(3)
}
