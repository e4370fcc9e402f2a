package netns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
)

// greet listens and tells each visitor the greeter's name and, if the kernel redirected the visitor, the destination it
// had asked for: "egress for 10.77.0.2:80", or plain "app".
func greet(t *testing.T, in *kit.Namespace, name, address string) {
	t.Helper()
	network := "tcp4"
	if strings.HasPrefix(address, "[") {
		network = "tcp6"
	}
	var l net.Listener
	if err := in.Do(func() (err error) { l, err = net.Listen(network, address); return err }); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, name+destination(conn.(*net.TCPConn)))
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); done.Wait() })
}

// destination is " for ADDRESS" where that is not the address the connection arrived at.
func destination(conn *net.TCPConn) string {
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	raw, err := conn.SyscallConn()
	if err != nil {
		return err.Error()
	}
	var original netip.AddrPort
	var failed error
	if err := raw.Control(func(fd uintptr) { original, failed = originalDestination(int(fd), local.Addr().Is4()) }); err != nil {
		return err.Error()
	}
	if errors.Is(failed, syscall.ENOENT) || failed == nil && original == local {
		return ""
	} else if failed != nil {
		return " for " + failed.Error()
	}
	return " for " + original.String()
}

// originalDestination asks connection tracking. x/sys has no sockaddr option, so other options of the right size serve:
// 16 bytes of ipv6_mreq for sockaddr_in, and the sockaddr_in6 at the head of ip6_mtuinfo.
func originalDestination(fd int, is4 bool) (netip.AddrPort, error) {
	const soOriginalDst = 80 // SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST
	if is4 {
		raw, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, soOriginalDst)
		if err != nil {
			return netip.AddrPort{}, err
		}
		b := raw.Multiaddr
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3])), nil
	}
	raw, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port := raw.Addr.Port<<8 | raw.Addr.Port>>8 // network byte order, on little-endian machines
	return netip.AddrPortFrom(netip.AddrFrom16(raw.Addr.Addr), port), nil
}

// visit dials from a namespace and returns the greeting.
func visit(from *kit.Namespace, address string) (greeting string, err error) {
	var conn net.Conn
	if err := from.Do(func() (err error) { conn, err = net.DialTimeout("tcp", address, 5*time.Second); return err }); err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	text, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("reading from %s: %w", address, err)
	}
	return string(text), nil
}
