package netns

import (
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnIsolatedTestHasNothingButLoopback(t *testing.T) {
	if !Isolated(t) {
		return
	}
	devices, err := net.Interfaces()
	if err != nil || len(devices) != 1 || devices[0].Name != "lo" {
		t.Errorf("devices: %v, %v", devices, err)
	}
	if err := os.WriteFile("/etc/hosts", []byte("127.0.0.1 changed\n"), 0o644); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir("/run"); err != nil || len(entries) != 2 { // tmp, the copy of /etc/hosts
		t.Errorf("/run holds %v, %v", entries, err)
	}
}

func TestWhatAnIsolatedTestWritesIsNotWrittenHere(t *testing.T) {
	if text, err := os.ReadFile("/etc/hosts"); err == nil && strings.Contains(string(text), "127.0.0.1 changed") {
		t.Error("/etc/hosts was changed")
	}
}

func TestACableCarriesBothFamilies(t *testing.T) {
	if !Isolated(t) {
		return
	}
	peer := New(t, "peer")
	Connect(t, End{Device: "eth0", Addresses: []string{"10.1.0.1/24", "fd01::1/64"}},
		End{In: peer, Device: "eth0", Addresses: []string{"10.1.0.2/24", "fd01::2/64"}})
	for _, address := range []string{"10.1.0.2:80", "[fd01::2]:80"} {
		var l net.Listener
		if err := peer.Do(func() (err error) { l, err = net.Listen("tcp", address); return err }); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		l.Close()
	}
}
