package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Require skips the test, saying why, where tests cannot have namespaces of their own or one of the named programs is
// missing. Under CI=true it fails instead if it runs as root.
func Require(t *testing.T, programs ...string) {
	t.Helper()
	err := Missing(programs...)
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("CANNOT RUN, and CI must: %v", err)
	}
	t.Skipf("NOT TESTED: %v", err)
}

// Missing says what stands in the way of namespaces, or nil.
func Missing(programs ...string) error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run the tests with sudo")
	}
	for _, program := range append([]string{"ip"}, programs...) {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install %s", program, debianPackage(program))
		}
	}
	try := exec.Command("/proc/self/exe", "-test.run=^$")
	try.Env = append(os.Environ(), EndsAtOnce)
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	if err := try.Run(); err != nil {
		return fmt.Errorf("this kernel or container grants no namespaces (CAP_SYS_ADMIN is needed): %w", err)
	}
	return nil
}

func debianPackage(program string) string {
	switch program {
	case "ip":
		return "iproute2"
	case "nft":
		return "nftables"
	}
	return "iptables"
}
