package mesh

// Match says which requests a route takes. All conditions that are set must
// hold. The zero value matches everything.
type Match struct {
	// Prefix, Exact and Regex are exclusive. Prefix and Exact are compared
	// byte by byte with the path without its query; Regex is RE2 and must
	// match that path whole.
	Prefix string
	Exact  string
	Regex  string
	// Method is an HTTP method in capitals, or empty.
	Method string
	// Scheme is "http", "https" or empty.
	Scheme string
	// GRPC demands a content-type of application/grpc (or application/grpc+...).
	// A gRPC service and method are compiled into Prefix ("/svc/") or Exact
	// ("/svc/Method").
	GRPC    bool
	Headers []HeaderMatch
	Query   []QueryMatch
}

// HeaderMatch is a condition on one header. Several values of one header are
// joined by "," before they are matched. An absent header matches nothing but
// an inverted Present (Envoy: invert_match).
type HeaderMatch struct {
	// Name is lower case.
	Name   string
	Kind   MatchKind
	Value  string
	Start  int64 // Range: included
	End    int64 // Range: excluded
	Invert bool
}

// QueryMatch is a condition on the first value of a query parameter, compared
// raw (not percent-decoded).
type QueryMatch struct {
	Name  string
	Kind  MatchKind // MatchPresent or MatchExact
	Value string
}

// MatchKind is how a value is compared.
type MatchKind uint8

// The ways to compare.
const (
	MatchPresent MatchKind = iota
	MatchExact
	MatchPrefix
	MatchSuffix
	MatchRegex // RE2, whole value
	MatchRange // a decimal integer in [Start, End)
)
