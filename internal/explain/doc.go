// Package explain is the answer to "what would happen to this request, and
// why?": plain data, how it is asked for, and how it is told to people.
//
// Who finds the answer is the engine (proxy.Routing.Explain), by the very code
// that routes traffic: nothing here decides anything. The same data is printed
// for people (text.go), as JSON for machines, and sent by the admin page of a
// running sidecar to `outrider explain --admin`.
//
//	request.go      what is asked: a request line as a person writes it
//	explanation.go  the answer
//	fact.go         one value and where it comes from
//	text.go         the answer on paper
package explain
