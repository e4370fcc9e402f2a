package mesh

// ServerTLS is what a node's listener says about TLS (App Mesh 1.3). It is
// compiled and not served yet: a STRICT listener refuses its connections.
type ServerTLS struct {
	Mode        TLSMode
	Certificate Certificate
	// ClientTrust, when not nil, makes the listener ask for a client
	// certificate that it vouches for.
	ClientTrust *Trust
	// ClientNames are the subject alternative names accepted; none: any.
	ClientNames []string
	Origin      Origin
}

// TLSMode is a listener's tls.mode.
type TLSMode uint8

// The modes: plaintext only, either, TLS only.
const (
	TLSDisabled TLSMode = iota
	TLSPermissive
	TLSStrict
)

// String is the spelling of the App Mesh API.
func (m TLSMode) String() string {
	return [...]string{"DISABLED", "PERMISSIVE", "STRICT"}[m]
}

// Certificate says where a certificate and its key come from: one of ACM,
// two files, or SDS. The zero value is none. It never holds key material.
type Certificate struct {
	ACM                string // ARN
	ChainFile, KeyFile string
	SDS                string // secret name
}

// Trust says where the authorities come from: ARNs of AWS Private CAs, a
// file, or SDS.
type Trust struct {
	ACM  []string
	File string
	SDS  string
}
