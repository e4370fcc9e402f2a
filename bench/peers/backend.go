//go:build linux

package peers

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
)

// StartBackend runs this very program as the backend, on processor cpu, with n listeners that serve the protocol, and returns their addresses.
func StartBackend(s *Spawner, protocol Protocol, cpu, n int) ([]netip.AddrPort, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args, listen := []string{"backend"}, "--listen"
	if protocol == GRPC {
		listen = "--grpc"
	}
	for range n {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		args = append(args, listen, addr.String())
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command(self, args...)
	cmd.Stdout = write
	process, err := s.Start("backend", cpu, cmd)
	_ = write.Close()
	if err != nil {
		return nil, err
	}
	var addrs []netip.AddrPort
	lines := bufio.NewScanner(read)
	for len(addrs) < n && lines.Scan() {
		addr, err := netip.ParseAddrPort(strings.TrimPrefix(lines.Text(), "listening on "))
		if err != nil {
			return nil, fmt.Errorf("the backend said %q: %w", lines.Text(), err)
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) < n {
		<-process.done
		return nil, process.Ended()
	}
	return addrs, nil
}
