package mesh

// Standing is what this build makes of something that App Mesh did: of a
// variable, a property of a task definition, a field of a document.
type Standing uint8

// The standings, by consequence: of several the greatest counts.
const (
	Honoured Standing = iota
	// Approximated is done another way, which the message tells.
	Approximated
	// Unknown is what nobody here can see: a secret, an expression of a template.
	Unknown
	// Unsupported is right, and not done yet.
	Unsupported
	// Wrong is a mistake in the document itself.
	Wrong
)

// String is the word that reports use.
func (s Standing) String() string {
	return [...]string{"honoured", "approximated", "unknown", "not yet", "wrong"}[s]
}

// Effect is what a standing means for who runs the service.
type Effect uint8

// The effects, by consequence.
const (
	// NoEffect: everything behaves as it did.
	NoEffect Effect = iota
	// OnObservation: traffic behaves as it did, less of it is seen.
	OnObservation
	// Perhaps: traffic behaves as it did unless something is so that cannot be
	// seen here; the message says what.
	Perhaps
	// OnTraffic: traffic behaves otherwise.
	OnTraffic
)

// String is the phrase that reports use; empty for NoEffect.
func (e Effect) String() string {
	return [...]string{"", "changes what is seen", "may change traffic", "changes traffic"}[e]
}
