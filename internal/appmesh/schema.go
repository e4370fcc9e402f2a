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
}

func opt(name string, s *shape) field { return field{name, false, s} }
func req(name string, s *shape) field { return field{name, true, s} }

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

// unlimited stands where the API names no upper bound.
const unlimited = 1 << 31

// Pieces shared by several kinds (App Mesh 1.3).
var (
	port     = integer(1, 65535)
	duration = obj(req("unit", word("s", "ms")), req("value", integer(0, unlimited-1)))

	httpTimeout = obj(opt("perRequest", duration), opt("idle", duration))
	tcpTimeout  = obj(opt("idle", duration))

	ipPreference = word("IPv6_PREFERRED", "IPv4_PREFERRED", "IPv4_ONLY", "IPv6_ONLY")

	certificateFile = obj(req("certificateChain", textOf(1, 255)), req("privateKey", textOf(1, 255)))
	trustFile       = obj(req("certificateChain", textOf(1, 255)))
	sds             = obj(req("secretName", textOf(1, unlimited)))

	alternativeNames = obj(req("match", obj(req("exact", listOf(textOf(1, 254), 1, unlimited)))))

	listenerTLS = obj(
		req("mode", word("STRICT", "PERMISSIVE", "DISABLED")),
		req("certificate", union(
			opt("acm", obj(req("certificateArn", textOf(1, unlimited)))),
			opt("file", certificateFile),
			opt("sds", sds))),
		opt("validation", obj(
			req("trust", union(opt("file", trustFile), opt("sds", sds))),
			opt("subjectAlternativeNames", alternativeNames))))

	clientPolicy = obj(opt("tls", obj(
		opt("enforce", truth()),
		opt("ports", listOf(port, 0, unlimited)),
		opt("certificate", union(opt("file", certificateFile), opt("sds", sds))),
		req("validation", obj(
			req("trust", union(
				opt("acm", obj(req("certificateAuthorityArns", listOf(textOf(1, unlimited), 1, 3)))),
				opt("file", trustFile),
				opt("sds", sds))),
			opt("subjectAlternativeNames", alternativeNames))))))

	backendDefaults = obj(opt("clientPolicy", clientPolicy))

	// A healthCheck may leave out what the API wants but the guide does not
	// write; clusters.go fills it in.
	healthCheckFields = []field{
		opt("intervalMillis", integer(5000, 300000)),
		opt("timeoutMillis", integer(2000, 60000)),
		opt("healthyThreshold", integer(2, 10)),
		opt("unhealthyThreshold", integer(2, 10)),
		opt("path", textOf(0, unlimited)),
		opt("port", port),
	}

	logging = obj(opt("accessLog", union(opt("file", obj(
		req("path", textOf(1, 255)),
		opt("format", union(
			opt("text", verbatim(1, 1000).ruled(logFormat)),
			opt("json", listOf(obj(req("key", verbatim(1, 100)), req("value", verbatim(1, 100).ruled(logFormat))), 0, unlimited)))))))))

	poolHTTP  = obj(req("maxConnections", integer(1, unlimited)), opt("maxPendingRequests", integer(1, unlimited)))
	poolTCP   = obj(req("maxConnections", integer(1, unlimited)))
	poolHTTP2 = obj(req("maxRequests", integer(1, unlimited)))
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
	return obj(append([]field{req("protocol", word(protocols...))}, healthCheckFields...)...)
}
