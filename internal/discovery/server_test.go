package discovery

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer is a real DNS server on a loopback port, UDP and TCP.
type dnsServer struct {
	addr  netip.AddrPort
	serve func(query dnsmessage.Message, tcp bool) []dnsmessage.Message

	mu    sync.Mutex
	asked []string // "name TYPE" for each query, "tcp" before those over TCP
}

func startDNS(t *testing.T, serve func(query dnsmessage.Message, tcp bool) []dnsmessage.Message) *dnsServer {
	t.Helper()
	// A port is wanted that is free for both.
	var udp *net.UDPConn
	var tcp net.Listener
	for try := 0; ; try++ {
		var err error
		if tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		addr := tcp.Addr().(*net.TCPAddr).AddrPort()
		if udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr)); err == nil {
			break
		}
		tcp.Close()
		if try == 20 {
			t.Fatal(err)
		}
	}
	s := &dnsServer{addr: tcp.Addr().(*net.TCPAddr).AddrPort(), serve: serve}
	var done sync.WaitGroup
	done.Go(func() { s.serveUDP(udp) })
	done.Go(func() { s.serveTCP(tcp, &done) })
	t.Cleanup(func() { udp.Close(); tcp.Close(); done.Wait() })
	return s
}

func (s *dnsServer) serveUDP(conn *net.UDPConn) {
	buf := make([]byte, 4096)
	for {
		n, peer, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		for _, m := range s.answer(buf[:n], false) {
			conn.WriteToUDPAddrPort(m, peer)
		}
	}
}

func (s *dnsServer) serveTCP(l net.Listener, done *sync.WaitGroup) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		done.Go(func() {
			defer conn.Close()
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			for _, m := range s.answer(query, true) {
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
			}
		})
	}
}

func (s *dnsServer) answer(raw []byte, tcp bool) [][]byte {
	var query dnsmessage.Message
	if err := query.Unpack(raw); err != nil || len(query.Questions) != 1 {
		return nil
	}
	q := query.Questions[0]
	line := q.Name.String() + " " + strings.TrimPrefix(q.Type.String(), "Type")
	if tcp {
		line = "tcp " + line
	}
	s.mu.Lock()
	s.asked = append(s.asked, line)
	s.mu.Unlock()
	var out [][]byte
	for _, m := range s.serve(query, tcp) {
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

func (s *dnsServer) questions() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, ", ")
}

// reply answers a query with a response code and records.
func reply(query dnsmessage.Message, rcode dnsmessage.RCode, records ...dnsmessage.Resource) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true, RCode: rcode},
		Questions: query.Questions,
		Answers:   slices.Clone(records), // packing writes to them
	}
}

func name(s string) dnsmessage.Name { return dnsmessage.MustNewName(s) }

// rr is an A or AAAA record, or a CNAME if the value is no address.
func rr(owner string, ttl uint32, value string) dnsmessage.Resource {
	h := dnsmessage.ResourceHeader{Name: name(owner), Class: dnsmessage.ClassINET, TTL: ttl}
	addr, err := netip.ParseAddr(value)
	switch {
	case err != nil:
		return dnsmessage.Resource{Header: h, Body: &dnsmessage.CNAMEResource{CNAME: name(value)}}
	case addr.Is4():
		return dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}}
	}
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}}
}

// zone answers from records by name; names it does not hold are NXDOMAIN.
func zone(records ...dnsmessage.Resource) func(dnsmessage.Message, bool) []dnsmessage.Message {
	return func(query dnsmessage.Message, _ bool) []dnsmessage.Message {
		q := query.Questions[0]
		known, wanted := false, []dnsmessage.Resource(nil)
		for _, r := range records {
			if !strings.EqualFold(r.Header.Name.String(), q.Name.String()) {
				continue
			}
			known = true
			switch r.Body.(type) {
			case *dnsmessage.AResource:
				if q.Type == dnsmessage.TypeA {
					wanted = append(wanted, r)
				}
			case *dnsmessage.AAAAResource:
				if q.Type == dnsmessage.TypeAAAA {
					wanted = append(wanted, r)
				}
			}
		}
		if !known {
			return []dnsmessage.Message{reply(query, dnsmessage.RCodeNameError)}
		}
		return []dnsmessage.Message{reply(query, dnsmessage.RCodeSuccess, wanted...)}
	}
}

func silent(dnsmessage.Message, bool) []dnsmessage.Message { return nil }

// resolverFor asks the servers in this order; conf is added to resolv.conf.
func resolverFor(t *testing.T, conf string, servers ...*dnsServer) *Resolver {
	t.Helper()
	dir := t.TempDir()
	text := "options timeout:1 attempts:3\n" + conf + "\n"
	places := make(map[netip.Addr]netip.AddrPort)
	for i, s := range servers {
		fake := netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
		text += fmt.Sprintf("nameserver %s\n", fake)
		places[fake] = s.addr
	}
	r := &Resolver{
		ResolvConf: write(t, filepath.Join(dir, "resolv.conf"), text),
		Hosts:      write(t, filepath.Join(dir, "hosts"), ""),
	}
	r.at = func(a netip.Addr) netip.AddrPort { return places[a] }
	return r
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
