package l7

// Flags says why a response is what it is (Envoy: response flags). The order
// in which flags were set is kept, as Envoy does since 1.30.
type Flags struct {
	list [4]Flag
	n    uint8
}

// Flag is one of Envoy's response flags.
type Flag uint8

// The response flags this build can set.
const (
	FlagNoHealthyUpstream Flag = iota + 1
	FlagRequestTimeout
	FlagLocalReset
	FlagConnectionFailure
	FlagConnectionTermination
	FlagUpstreamOverflow
	FlagNoRoute
	FlagNoCluster
	FlagDownstreamTermination
	FlagRetryLimitExceeded
	FlagStreamIdleTimeout
	FlagDownstreamProtocolError
	FlagUpstreamProtocolError
	FlagRemoteReset
)

var shortFlags = [...]string{
	FlagNoHealthyUpstream:       "UH",
	FlagRequestTimeout:          "UT",
	FlagLocalReset:              "LR",
	FlagConnectionFailure:       "UF",
	FlagConnectionTermination:   "UC",
	FlagUpstreamOverflow:        "UO",
	FlagNoRoute:                 "NR",
	FlagNoCluster:               "NC",
	FlagDownstreamTermination:   "DC",
	FlagRetryLimitExceeded:      "URX",
	FlagStreamIdleTimeout:       "SI",
	FlagDownstreamProtocolError: "DPE",
	FlagUpstreamProtocolError:   "UPE",
	FlagRemoteReset:             "UR",
}

// String is the flag as the access log prints it.
func (f Flag) String() string { return shortFlags[f] }

// Set adds a flag once; beyond four it is dropped.
func (s *Flags) Set(f Flag) {
	if f == 0 || s.Has(f) || int(s.n) == len(s.list) {
		return
	}
	s.list[s.n] = f
	s.n++
}

// Has tells whether a flag was set.
func (s *Flags) Has(f Flag) bool {
	for _, g := range s.list[:s.n] {
		if g == f {
			return true
		}
	}
	return false
}

// String joins the flags by commas; empty for none.
func (s *Flags) String() string {
	switch s.n {
	case 0:
		return ""
	case 1:
		return s.list[0].String()
	}
	text := s.list[0].String()
	for _, f := range s.list[1:s.n] {
		text += "," + f.String()
	}
	return text
}
