package app

import (
	"errors"
	"fmt"
	"syscall"
)

// explainBind says what to do about an address that could not be bound.
func explainBind(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another process has the port; stop it or choose another with --ingress-addr, --egress-addr or --admin-addr", err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: ports below 1024 need the capability CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: this host has no such address", err)
	}
	return err
}
