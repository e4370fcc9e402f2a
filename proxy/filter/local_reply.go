package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// LocalReply turns a *l7.Failure into a response of our own (Envoy 2.3): plain
// text, content-length, the failure's flag and details in the access log. A
// failure without a status (the client has left) passes through.
func LocalReply(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		err := next(ex)
		f, ok := err.(*l7.Failure)
		if !ok {
			return err
		}
		if f.Status == 0 {
			ex.Flags.Set(f.Flag)
			ex.Details = f.Details
			return err
		}
		Reply(ex, f)
		return nil
	}
}

// Reply fills ex.Response with the answer to a failure: the one place where
// answers of our own are made. A gRPC request gets a gRPC status. To HEAD the
// codec sends the head alone.
func Reply(ex *l7.Exchange, f *l7.Failure) {
	ex.Flags.Set(f.Flag)
	ex.Details = f.Details
	resp := &ex.Response
	resp.Header.Reset()
	resp.Status, resp.Reason, resp.Upgraded, resp.Close = f.Status, nil, false, f.Close
	resp.Body = l7.Empty
	if f.Overloaded {
		resp.Header.Add(l7.NameXEnvoy, overloadedName, trueValue)
	}
	switch {
	case isGRPC(&ex.Request):
		replyGRPC(ex, f)
	case f.Body != "":
		resp.Body = l7.NewBytes([]byte(f.Body))
		resp.Header.Add(l7.NameContentType, contentTypeName, textPlain)
	}
}

var (
	overloadedName  = []byte("x-envoy-overloaded")
	trueValue       = []byte("true")
	contentTypeName = []byte("content-type")
	textPlain       = []byte("text/plain")
)
