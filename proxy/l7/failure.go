package l7

import "strconv"

// Failure is an error that says what to answer in place of a response. Its
// Error text says what was under way, for the process log; the client sees
// Body alone.
type Failure struct {
	// Status is the response's code.
	Status int
	// GRPCStatus is what a gRPC caller is told; 0: what Status maps to.
	GRPCStatus GRPCStatus
	// Flag is the access log's response flag; 0 for none.
	Flag Flag
	// Details is RESPONSE_CODE_DETAILS.
	Details string
	// Body is the plain text the client gets; empty for none.
	Body string
	// Close says that the connection cannot be used for another request.
	Close bool
	// Overloaded adds x-envoy-overloaded: true (Envoy: circuit breakers).
	Overloaded bool
	// Cause is what went wrong below; may be nil.
	Cause error
}

// GRPCStatus is a status code of gRPC.
type GRPCStatus uint8

// DeadlineExceeded is the one that no HTTP status maps to.
const DeadlineExceeded GRPCStatus = 4

// Error says the code, the details and the cause.
func (f *Failure) Error() string {
	s := strconv.Itoa(f.Status) + " " + f.Details
	if f.Cause != nil {
		s += ": " + f.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Cause }
