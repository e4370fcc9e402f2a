package h2

// Err is why the stream broke: an *Error for a reset by the client or for a
// breach, of the stream or of its connection; io.ErrUnexpectedEOF when the
// connection was closed. Nil: it has not broken.
func (st *ServerStream) Err() error {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.err
}
