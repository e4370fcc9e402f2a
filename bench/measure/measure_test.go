//go:build linux

package measure

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestProcessorTimeGrowsWithWork(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for n, after := 0, before; after <= before; n++ { // ends as soon as the kernel has counted anything
		if after, err = CPU(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := CPU(); n != 0 || err != nil {
		t.Error("no processes use time")
	}
}

func TestAProcessIsMeasuredFromOutside(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	family := Family(os.Getpid())
	if family[0] != os.Getpid() || !slices.Contains(family, child.Process.Pid) {
		t.Errorf("family %v of %d lacks %d", family, os.Getpid(), child.Process.Pid)
	}
	one, err1 := RSS(os.Getpid())
	both, err2 := RSS(family...)
	if err1 != nil || err2 != nil || one < 1<<20 || both <= one {
		t.Errorf("RSS %d alone, %d with child; %v, %v", one, both, err1, err2)
	}
	if n, err := Descriptors(os.Getpid()); n < 3 || err != nil {
		t.Errorf("%d descriptors, %v", n, err)
	}
}

func TestAProcessThatIsGoneIsAnError(t *testing.T) {
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := CPU(child.Process.Pid); err == nil {
		t.Error("processor time of nobody")
	}
	if _, err := RSS(child.Process.Pid); err == nil {
		t.Error("memory of nobody")
	}
}

func TestTheMachineIsDescribed(t *testing.T) {
	if text := Machine(); !strings.Contains(text, "Linux") || !strings.Contains(text, runtime.Version()) {
		t.Error(text)
	}
	kernel, err := ReadKernel()
	if err != nil || kernel.Slab < 1<<20 {
		t.Errorf("%+v, %v", kernel, err)
	}
	if err := RaiseDescriptors(3); err != nil {
		t.Error(err)
	}
	if err := RaiseDescriptors(1 << 40); err == nil || !strings.Contains(err.Error(), "ulimit") {
		t.Error(err)
	}
}

func TestTwoProcessorsArePicked(t *testing.T) {
	proxy, rest, err := Cores()
	if err != nil {
		t.Skip("left out:", err)
	}
	if proxy == rest {
		t.Errorf("both on %d", proxy)
	}
	if !siblings(0, 0) {
		t.Log("left out: the kernel tells no topology")
	}
}

func TestAThreadIsPinned(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread goes
		_, cpu, err := Cores()
		if err != nil {
			cpu = 0
		}
		if err := PinThread(0, cpu); err != nil {
			t.Error(err)
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != 1 || !set.IsSet(cpu) {
			t.Errorf("%v, %v", set, err)
		}
	}()
	<-done
}
