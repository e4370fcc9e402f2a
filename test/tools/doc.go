// Package tools knows every program that the tests and the demo use besides the Go distribution, git and make, and gets
// those that are missing: Debian packages by apt-get (as root), Go programs by go install.
//
// The list (list.go) is the only place where a program is named. Path makes a folder that holds the listed programs and
// nothing else; with that folder for PATH, a test that uses a program outside the list fails here as it would on a
// machine that has just been made.
package tools
