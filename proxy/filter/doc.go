// Package filter holds the stages an exchange passes through, one in a file;
// chain.go lists their order. A stage is a func(next Handler) Handler: what
// stands before next is the request's way down, what stands after it the
// response's way up.
package filter
