//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
)

// layOut gives every member addresses of its own on loopback: sidecars end in .10 to .13, apps in .20 to .23, the database in .30. Nothing is intercepted.
func (w *world) layOut(context.Context) error {
	network, err := freeNetwork()
	if err != nil {
		return err
	}
	at := func(last byte, port uint16) netip.AddrPort {
		bytes := network.As4()
		bytes[3] = last
		return netip.AddrPortFrom(netip.AddrFrom4(bytes), port)
	}
	for i, m := range w.members {
		sidecar, app := byte(10+i), byte(20+i)
		m.call = at(sidecar, 15000)
		m.admin = at(sidecar, 9901)
		m.health = m.admin.String()
		m.egress = at(sidecar, 15001)
		m.appAddr = at(app, m.appPort)
		m.sidecarFlags = []string{"--ingress-addr", m.call.String(), "--egress-addr", m.egress.String(), "--admin-addr", m.admin.String(),
			"--app-addr", m.appAddr.Addr().String(), "--endpoints", w.endpointsFile()}
	}
	w.databaseAddr = at(30, 5432)
	text := fmt.Sprintf("user-service.my-namespace: [%q]\nuser-service-v2.my-namespace: [%q]\ngreeter.example.com: [%q]\ndatabase.example.com: [%q]\n",
		at(11, 15000), at(12, 15000), at(13, 15000), w.databaseAddr)
	return os.WriteFile(w.endpointsFile(), []byte(text), 0o644)
}

func (w *world) endpointsFile() string { return filepath.Join(w.options.folder, "endpoints.yaml") }

// freeNetwork draws a network of 127.0.0.0/8 in which nobody listens on the first sidecar's ports.
func freeNetwork() (netip.Addr, error) {
	var err error
	for range 20 {
		network := netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(1 + rand.IntN(250)), 10})
		var listener net.Listener
		if listener, err = net.Listen("tcp", netip.AddrPortFrom(network, 15000).String()); err == nil {
			return network, listener.Close()
		}
	}
	return netip.Addr{}, errors.Join(errors.New("no free addresses on loopback"), err)
}
