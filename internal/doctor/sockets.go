package doctor

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
)

// socket is a line of /proc/net/tcp.
type socket struct {
	local, remote netip.AddrPort
	listens       bool
	uid           uint32 // of whoever made it
	inode         string
}

// mostText bounds what is read of one file of /proc, in bytes: some hundred thousand sockets.
const mostText = 32 << 20

// readSockets gives the TCP sockets of this namespace, of both families. The error is about IPv4; a host may lack IPv6.
func readSockets(root fs.FS) ([]socket, error) {
	text, err := readFile(root, "proc/self/net/tcp")
	if err != nil {
		return nil, err
	}
	six, _ := readFile(root, "proc/self/net/tcp6")
	return append(parseSockets(text), parseSockets(six)...), nil
}

// parseSockets leaves out lines that it does not understand.
func parseSockets(text string) (all []socket) {
	const listen = "0A"
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		local, ok := parseEnd(f[1])
		remote, ok2 := parseEnd(f[2])
		uid, err := strconv.ParseUint(f[7], 10, 32)
		if ok && ok2 && err == nil {
			all = append(all, socket{local, remote, f[3] == listen, uint32(uid), f[9]})
		}
	}
	return all
}

// parseEnd reads "0100007F:3A99": an address in 32-bit words of the host's byte order (little-endian on all platforms we
// build for), and a port.
func parseEnd(text string) (netip.AddrPort, bool) {
	words, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(words)
	n, wrong := strconv.ParseUint(port, 16, 16)
	if err != nil || wrong != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.LittleEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// readFile gives the first part of a file.
func readFile(root fs.FS, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostText))
	return string(text), err
}
