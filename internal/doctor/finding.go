package doctor

// Verdict is how an examination ended.
type Verdict string

// The verdicts, from best to worst; Unseen is none.
const (
	Good     Verdict = "good"
	Doubtful Verdict = "doubtful"
	Wrong    Verdict = "wrong"
	Unseen   Verdict = "could not look"
)

// Finding is what one examination says.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	// About is what was examined: "way in", "port 15001".
	About string `json:"about"`
	// Seen is what there is.
	Seen string `json:"seen"`
	// Why says what follows from it; "" where that is plain.
	Why string `json:"why,omitempty"`
	// Fix says what to do; "" where there is nothing to do.
	Fix string `json:"fix,omitempty"`
}

// Worst is Wrong if anything is wrong, else Doubtful if anything is doubtful, else Good.
func Worst(findings []Finding) Verdict {
	worst := Good
	for _, f := range findings {
		if f.Verdict == Wrong {
			return Wrong
		}
		if f.Verdict == Doubtful {
			worst = Doubtful
		}
	}
	return worst
}
