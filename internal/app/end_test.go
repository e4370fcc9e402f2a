package app

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/discovery"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// held is a sidecar whose names are looked up by the test, and that takes its
// signals from the test.
type held struct {
	*life
	sidecar *sidecar
	signals chan os.Signal
	// answer is where every name leads once it is given; until then it
	// hangs.
	answer chan netip.AddrPort
	socket string
	access string
}

// Resolve hangs until there is an answer.
func (h *held) Resolve(ctx context.Context, _ string, _ mesh.IPPreference) (discovery.Answer, error) {
	select {
	case <-ctx.Done():
		return discovery.Answer{}, ctx.Err()
	case addr := <-h.answer:
		h.answer <- addr
		return discovery.Answer{Addrs: []netip.Addr{addr.Addr()}}, nil
	}
}

// hold starts a sidecar that waits for its names.
func hold(t *testing.T) *held {
	t.Helper()
	dir := t.TempDir()
	h := &held{signals: make(chan os.Signal, 4), answer: make(chan netip.AddrPort, 1),
		socket: filepath.Join(dir, "admin.sock"), access: filepath.Join(dir, "access.log"),
		life: &life{t: t, dir: dir, egress: free(t), ingress: free(t), log: &transcript{}, code: make(chan int, 1)}}
	docs := write(t, dir, "mesh.json", h.documents("svc-v1"))
	cfg, _, err := config.ParseRun([]string{"--node", "mesh/m/virtualNode/front", "--mesh", docs, "--live-timeout", "1h", "--drain-time", "1h",
		"--ingress-addr", h.ingress.String(), "--egress-addr", h.egress.String(), "--admin-addr", "unix://" + h.socket}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := newLog(&Process{Stderr: h.log}, cfg)
	documents := newDocuments(cfg)
	snap, findings, err := documents.read()
	if snap == nil {
		t.Fatal(findings, err)
	}
	if h.sidecar, err = newSidecar(cfg, log, snap); err != nil {
		t.Fatal(err)
	}
	s := h.sidecar
	s.names.Close()
	if s.names, err = discovery.New(discovery.Options{Resolver: h, Stats: s.stats}); err != nil {
		t.Fatal(err)
	}
	s.live.Names = watcher{s.names}
	s.documents, s.signals = documents, h.signals
	ctx, cancel := context.WithCancel(t.Context())
	h.end = cancel
	go func() { h.code <- s.serve(ctx, snap, func() {}) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("it said:\n%s", h.log)
		}
	})
	return h
}

// documents are those of a town whose front node writes an access log.
func (h *held) documents(node string) string {
	return strings.Replace(town(node), `"backends"`, `"logging": {"accessLog": {"file": {"path": "`+h.access+`"}}}, "backends"`, 1)
}

func TestASignalBeforeLIVEEndsTidily(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		h := hold(t)
		h.signals <- syscall.SIGHUP // ends nothing
		h.signals <- syscall.SIGUSR1
		h.signals <- sig
		if code := h.over(); code != ExitFine {
			t.Errorf("%s: exit code %d", sig, code)
		}
		if said := h.log.String(); !strings.Contains(said, "ending before LIVE") || strings.Contains(said, "draining") {
			t.Errorf("%s: it said\n%s", sig, said)
		}
		if _, err := os.Lstat(h.socket); err == nil {
			t.Errorf("%s: the admin socket is left behind", sig)
		}
	}
}

func TestQuitBeforeLIVEEndsTidily(t *testing.T) {
	h := hold(t)
	controls{h.sidecar, new(sync.Once)}.Quit()
	if code := h.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
}

func TestAProcessTakesItsSignalsFromTheFirstMoment(t *testing.T) {
	signals, release := takeSignals()
	defer release()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if sig := testkit.Wait(t, "the signal", signals); sig != syscall.SIGTERM {
		t.Errorf("got %s", sig)
	}
}

func TestAChangeBeforeLIVEIsNotLost(t *testing.T) {
	h := hold(t)
	write(t, h.dir, "mesh.json", h.documents("svc-v3"))
	h.answer <- netip.MustParseAddrPort("127.0.0.1:1")
	h.says("LIVE")
	h.says("changed documents are in force")
	snap, _ := h.sidecar.live.Current()
	for _, c := range snap.Clusters {
		if strings.Contains(c.Name, "svc-v1") {
			t.Errorf("%s is still there", c.Name)
		}
	}
	h.end()
	h.over()
}

func TestASecondSignalEndsAtOnceAndLosesNoLine(t *testing.T) {
	h := hold(t)
	h.answer <- netip.MustParseAddrPort("127.0.0.1:1")
	h.says("LIVE")
	if got := testkit.Get(t, h.egress, "nobody.local", "/before"); got.Status != 404 {
		t.Errorf("got %d", got.Status)
	}
	h.signals <- syscall.SIGTERM
	h.says("draining")
	open := testkit.Dial(t, h.egress) // keeps the drain from ending early
	open.Send("POST / HTTP/1.1\r\nhost: svc.local\r\n")
	asked := time.Now()
	h.signals <- syscall.SIGTERM
	if code := h.over(); code != ExitFine {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(asked); took > lastTime {
		t.Errorf("it took %s", took)
	}
	if lines, err := os.ReadFile(h.access); err != nil || !strings.Contains(string(lines), "/before") {
		t.Errorf("the access log holds %q, %v", lines, err)
	}
	if _, err := os.Lstat(h.socket); err == nil {
		t.Error("the admin socket is left behind")
	}
	open.Rest()
}
