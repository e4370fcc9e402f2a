package appmesh

// A shape says what a value must be. Shapes are built once, as package
// variables, by the constructors below; the seven kinds stand in
// schema_node.go, schema_route.go and schema_gateway.go.
type shape struct {
	kind shapeKind
	// fields of an object, in the order of the reference.
	fields []field
	// one holds the names of which exactly one must be given; some, of which
	// at most one may be.
	one, some []string
	item      *shape
	// min and max bound an integer, the characters of a text or the entries
	// of a list.
	min, max int64
	words    []string
	// verbatim texts (patterns, log formats) may hold what looks like an
	// unfilled template variable.
	verbatim bool
	// refers is true of a reference to another resource, by name or ARN.
	refers bool
	// rule looks at what fields alone cannot show. It runs after the fields.
	rule func(*checker, *value, *path)
	// loosen rewrites the guide's spellings before the check.
	loosen func(*value)

	// called is the API's name of a shape that several fields have. like is
	// what a rule asks of a text, as a regular expression, needs the fields of
	// which a rule asks for at least one. They are for schemas to say.
	called, like string
	needs        []string
	// beside is a field and the one that it needs beside it.
	beside [2]string
}

type shapeKind uint8

const (
	anObject shapeKind = iota
	aList
	anInteger
	aBoolean
	aText
	aWord
	anything // tags: not looked at
)

type field struct {
	name     string
	required bool
	shape    *shape
	// meaning is what the field does, in a few words; absent is what holds
	// where it is left out, if that is more than nothing.
	meaning, absent string
}

func opt(name string, s *shape) field { return field{name: name, shape: s} }
func req(name string, s *shape) field { return field{name: name, required: true, shape: s} }

func (f field) says(meaning string) field { f.meaning = meaning; return f }
func (f field) or(absent string) field    { f.absent = absent; return f }

func obj(fields ...field) *shape { return &shape{kind: anObject, fields: fields} }

// union is an object that must hold exactly one of its members.
func union(fields ...field) *shape {
	s := obj(fields...)
	for _, f := range fields {
		s.one = append(s.one, f.name)
	}
	return s
}

func (s *shape) exactlyOne(names ...string) *shape { s.one = names; return s }
func (s *shape) atMostOne(names ...string) *shape  { s.some = names; return s }

func (s *shape) ruled(rule func(*checker, *value, *path)) *shape { s.rule = rule; return s }
func (s *shape) named(name string) *shape                        { s.called = name; return s }
func (s *shape) of(pattern string) *shape                        { s.like = pattern; return s }
func (s *shape) anyOf(names ...string) *shape                    { s.needs = names; return s }
func (s *shape) together(field, with string) *shape              { s.beside = [2]string{field, with}; return s }
func (s *shape) loosened(f func(*value)) *shape                  { s.loosen = f; return s }

func listOf(item *shape, least, most int64) *shape {
	return &shape{kind: aList, item: item, min: least, max: most}
}

func integer(least, most int64) *shape { return &shape{kind: anInteger, min: least, max: most} }
func truth() *shape                    { return &shape{kind: aBoolean} }

func textOf(least, most int64) *shape { return &shape{kind: aText, min: least, max: most} }

func verbatim(least, most int64) *shape {
	return &shape{kind: aText, min: least, max: most, verbatim: true}
}

// reference is a name, or the ARN that ends in it.
func reference() *shape {
	s := textOf(1, 255).loosened(nameOfARN)
	s.refers = true
	return s
}

// word is one of a few, compared without case.
func word(words ...string) *shape { return &shape{kind: aWord, words: words} }

// unlimited stands where the API names no upper bound of a length, greatest
// where it names none of an Integer. (The bounds of a range are Longs.)
const (
	unlimited = 1 << 31
	greatest  = 1<<31 - 1
)

// Pieces shared by several kinds (App Mesh 1.3).
var (
	port     = integer(1, 65535)
	duration = obj(
		req("unit", word("s", "ms")).says("seconds or milliseconds"),
		req("value", integer(0, greatest)).says("how many of them; 0 turns a timeout off")).named("Duration")

	perRequest  = opt("perRequest", duration).says("how long a request may take, from its first byte to the answer's last").or("15 s")
	idle        = opt("idle", duration).says("how long nothing may move").or("300 s")
	httpTimeout = obj(perRequest, idle).named("HttpTimeout")
	tcpTimeout  = obj(idle).named("TcpTimeout")

	ipPreference = word("IPv6_PREFERRED", "IPv4_PREFERRED", "IPv4_ONLY", "IPv6_ONLY")

	certificateFile = obj(
		req("certificateChain", textOf(1, 255)).says("path of the PEM file with the chain, the own certificate first"),
		req("privateKey", textOf(1, 255)).says("path of the PEM file with its key")).named("FileCertificate")
	trustFile = obj(req("certificateChain", textOf(1, 255)).says("path of the PEM file with the authorities that are trusted")).named("FileTrust")
	sds       = obj(req("secretName", textOf(1, unlimited)).says("name of the secret that SDS is asked for")).named("Sds")

	alternativeNames = obj(req("match", obj(
		req("exact", listOf(textOf(1, 254), 1, unlimited)).says("names or URIs (spiffe://...) of which the peer's certificate must have one"))).says("how names are compared")).named("SubjectAlternativeNames")

	listenerTLS = obj(
		req("mode", word("STRICT", "PERMISSIVE", "DISABLED")).says("TLS only, TLS or plaintext, plaintext only"),
		req("certificate", union(
			opt("acm", obj(req("certificateArn", textOf(1, unlimited)).says("ARN of the certificate"))).says("from AWS Certificate Manager"),
			opt("file", certificateFile).says("from files"),
			opt("sds", sds).says("from a secret discovery service"))).says("what the listener shows"),
		opt("validation", obj(
			req("trust", union(
				opt("file", trustFile).says("authorities from a file"),
				opt("sds", sds).says("authorities from a secret discovery service"))).says("whose certificates are taken"),
			opt("subjectAlternativeNames", alternativeNames).says("who among them").or("anybody"))).
			says("asks clients for a certificate").or("none is asked for")).named("ListenerTls")

	clientPolicy = obj(opt("tls", obj(
		opt("enforce", truth()).says("whether requests may leave over TLS only").or("true"),
		opt("ports", listOf(port, 0, unlimited)).says("ports of the backend that the policy is for").or("all"),
		opt("certificate", union(
			opt("file", certificateFile).says("from files"),
			opt("sds", sds).says("from a secret discovery service"))).says("shown to servers that ask for one"),
		req("validation", obj(
			req("trust", union(
				opt("acm", obj(req("certificateAuthorityArns", listOf(textOf(1, unlimited), 1, 3)).says("ARNs of authorities of AWS Private CA"))).says("authorities of AWS"),
				opt("file", trustFile).says("authorities from a file"),
				opt("sds", sds).says("authorities from a secret discovery service"))).says("whose certificates are taken"),
			opt("subjectAlternativeNames", alternativeNames).says("who the server must be").or("the name it is discovered by"))).
			says("how servers are told"))).says("TLS towards backends")).named("ClientPolicy")

	backendDefaults = obj(opt("clientPolicy", clientPolicy).says("the policy of backends without one of their own")).named("BackendDefaults")

	// A healthCheck may leave out what the API wants but the guide does not
	// write; clusters.go fills it in.
	healthCheckFields = []field{
		opt("intervalMillis", integer(5000, 300000)).says("milliseconds between two checks").or("30000"),
		opt("timeoutMillis", integer(2000, 60000)).says("milliseconds that an answer may take").or("5000"),
		opt("healthyThreshold", integer(2, 10)).says("good checks in a row that make an endpoint healthy").or("2"),
		opt("unhealthyThreshold", integer(2, 10)).says("failed checks in a row that make it unhealthy").or("2"),
		opt("path", textOf(0, unlimited)).says("the path asked for, by http and http2"),
		opt("port", port).says("must be the listener's").or("the listener's port"),
	}

	logging = obj(opt("accessLog", union(opt("file", obj(
		req("path", textOf(1, 255)).says("where lines are written; /dev/stdout is the container's output"),
		opt("format", union(
			opt("text", verbatim(1, 1000).ruled(logFormat)).says("a line in Envoy's operators; its end must be written too"),
			opt("json", listOf(obj(
				req("key", verbatim(1, 100)).says("name of the member"),
				req("value", verbatim(1, 100).ruled(logFormat)).says("its value, in Envoy's operators")), 0, unlimited)).says("an object for each line")).named("LoggingFormat")).
			says("what a line says").or("Envoy's default line"))).says("a file"))).says("one line for each request or connection")).named("Logging")

	maxConnections     = req("maxConnections", integer(1, greatest)).says("connections to the app at a time")
	maxPendingRequests = opt("maxPendingRequests", integer(1, greatest)).says("requests that may wait for one").or("2147483647")
	maxRequests        = req("maxRequests", integer(1, greatest)).says("requests to the app at a time")

	poolHTTP  = obj(maxConnections, maxPendingRequests).named("HttpConnectionPool")
	poolTCP   = obj(maxConnections).named("TcpConnectionPool")
	poolHTTP2 = obj(maxRequests).named("Http2ConnectionPool")
)

// logFormat refuses a format with an operator that Envoy does not know, as
// Envoy refused the whole listener for it (App Mesh 1.3).
func logFormat(c *checker, v *value, p *path) {
	if c.d.checks.LogFormat == nil {
		return
	}
	if err := c.d.checks.LogFormat(v.text); err != nil {
		c.failValue(v, p, err.Error(), "")
	}
}

func healthCheck(protocols ...string) *shape {
	return obj(append([]field{req("protocol", word(protocols...)).says("how the endpoint is asked; grpc is the standard health service, tcp connects only")}, healthCheckFields...)...)
}
