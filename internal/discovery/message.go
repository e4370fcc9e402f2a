package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// udpPayload is the largest UDP answer we ask for (EDNS0, RFC 6891): the size
// that fits every path unfragmented (DNS flag day 2020).
const udpPayload = 1232

// maxChain bounds how many CNAMEs are followed within an answer.
const maxChain = 16

// question is one name, absolute (with its final dot), and one record type.
type question struct {
	name dnsmessage.Name
	kind dnsmessage.Type
}

func newQuestion(name string, kind dnsmessage.Type) (question, error) {
	n, err := dnsmessage.NewName(name)
	if err != nil || len(name) > 254 {
		return question{}, fmt.Errorf("%q is too long for a DNS name", name)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if len(label) == 0 || len(label) > 63 {
			return question{}, fmt.Errorf("%q is not a DNS name", name)
		}
	}
	return question{n, kind}, nil
}

// pack writes the query (RFC 1035 section 4), with or without EDNS0.
func (q question) pack(id uint16, edns bool) ([]byte, error) {
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), dnsmessage.Header{ID: id, RecursionDesired: true})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(dnsmessage.Question{Name: q.name, Type: q.kind, Class: dnsmessage.ClassINET}); err != nil {
		return nil, err
	}
	if edns {
		if err := b.StartAdditionals(); err != nil {
			return nil, err
		}
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(udpPayload, dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}
		if err := b.OPTResource(h, dnsmessage.OPTResource{}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

// Why a message is not an answer.
var (
	// errStray: somebody else's message; the right one may still come.
	errStray = errors.New("not the answer to this question")
	// errTruncated: ask again over TCP.
	errTruncated = errors.New("truncated")
	// errFormat: the server does not understand; ask without EDNS0.
	errFormat = errors.New("FORMERR")
)

// parse reads the answer to q with that id. The error is errStray,
// errTruncated, errFormat, ErrNoName, ErrEmpty, or ErrUnanswered with a reason.
func (q question) parse(msg []byte, id uint16) (Answer, error) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return Answer{}, errStray
	}
	asked, err := p.AllQuestions()
	if h.RCode == dnsmessage.RCodeFormatError && err == nil && len(asked) == 0 {
		return Answer{}, errFormat // an old server may not even repeat the question
	}
	if err != nil || len(asked) != 1 || !q.is(asked[0]) {
		return Answer{}, errStray
	}
	switch {
	case h.RCode == dnsmessage.RCodeFormatError:
		return Answer{}, errFormat
	case h.Truncated:
		return Answer{}, errTruncated
	case h.RCode == dnsmessage.RCodeNameError:
		return Answer{}, ErrNoName
	case h.RCode != dnsmessage.RCodeSuccess:
		return Answer{}, fmt.Errorf("%w: %s", ErrUnanswered, strings.TrimPrefix(h.RCode.String(), "RCode"))
	}
	var s section
	if err := s.read(&p); err != nil {
		return Answer{}, fmt.Errorf("%w: malformed: %w", ErrUnanswered, err)
	}
	answer := s.follow(fold(q.name))
	if len(answer.Addrs) > 0 {
		return answer, nil
	}
	if !h.RecursionAvailable && !h.Authoritative && !s.any {
		return Answer{}, fmt.Errorf("%w: the server only refers to others", ErrUnanswered)
	}
	return Answer{}, ErrEmpty
}

func (q question) is(other dnsmessage.Question) bool {
	return other.Type == q.kind && other.Class == dnsmessage.ClassINET && fold(other.Name) == fold(q.name)
}

// fold makes names comparable: DNS ignores the case of ASCII letters.
func fold(n dnsmessage.Name) string { return strings.ToLower(n.String()) }

// section is what an answer section says about names.
type section struct {
	any     bool
	aliases map[string]alias
	records []record
}

type alias struct {
	target string
	ttl    uint32
}

type record struct {
	owner string
	addr  netip.Addr
	ttl   uint32
}

func (s *section) read(p *dnsmessage.Parser) error {
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		s.any = true
		if h.Class != dnsmessage.ClassINET {
			h.Type = 0
		}
		switch h.Type {
		case dnsmessage.TypeA:
			r, err := p.AResource()
			if err != nil {
				return err
			}
			s.records = append(s.records, record{fold(h.Name), netip.AddrFrom4(r.A), h.TTL})
		case dnsmessage.TypeAAAA:
			r, err := p.AAAAResource()
			if err != nil {
				return err
			}
			s.records = append(s.records, record{fold(h.Name), netip.AddrFrom16(r.AAAA), h.TTL})
		case dnsmessage.TypeCNAME:
			r, err := p.CNAMEResource()
			if err != nil {
				return err
			}
			if s.aliases == nil {
				s.aliases = make(map[string]alias)
			}
			s.aliases[fold(h.Name)] = alias{fold(r.CNAME), h.TTL}
		default:
			if err := p.SkipAnswer(); err != nil {
				return err
			}
		}
	}
}

// follow goes from the name along the CNAMEs, whatever order they stand in,
// and takes the addresses at the end; others are none of ours.
func (s *section) follow(name string) Answer {
	ttl := uint32(1<<31 - 1)
	for range maxChain {
		next, ok := s.aliases[name]
		if !ok {
			break
		}
		name, ttl = next.target, min(ttl, next.ttl)
	}
	var a Answer
	seen := make(map[netip.Addr]bool)
	for _, r := range s.records {
		if r.owner != name || seen[r.addr] || !dialable(r.addr) {
			continue
		}
		seen[r.addr] = true
		a.Addrs = append(a.Addrs, r.addr)
		ttl = min(ttl, r.ttl)
	}
	a.TTL = time.Duration(ttl) * time.Second
	return a
}

// dialable keeps out what would lead a sidecar to itself (0.0.0.0), to many,
// or to another family than was asked for.
func dialable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6()
}
