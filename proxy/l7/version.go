package l7

// Version is the protocol of a message, as the access log names it.
type Version uint8

// The versions that codecs read and write.
const (
	HTTP10 Version = iota
	HTTP11
	HTTP2
)

// String is Envoy's %PROTOCOL%.
func (v Version) String() string { return [...]string{"HTTP/1.0", "HTTP/1.1", "HTTP/2"}[v] }
