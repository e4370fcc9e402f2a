package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
	"github.com/outrider-mesh/outrider/iptables"
)

// probe, in the environment, turns the test binary into a process that does one thing and prints what came of it.
const probe = "OUTRIDER_TEST_PROBE"

func TestMain(m *testing.M) {
	if task := os.Getenv(probe); task != "" {
		fmt.Print(perform(task))
		return
	}
	goleak.VerifyTestMain(m)
}

func perform(task string) string {
	verb, object, _ := strings.Cut(task, " ")
	switch verb {
	case "visit":
		greeting, err := visit(kit.Here, object)
		if err != nil {
			return err.Error()
		}
		return greeting
	case "apply":
		_, err := iptables.Apply(context.Background(), iptables.Config{EgressPort: 15001, IgnoredUIDs: []uint32{1337}, EnableIPv6: true})
		return kind(err)
	case "talk":
		return talk(object)
	case "verify":
		_, err := iptables.Verify(context.Background(), iptables.Config{EgressPort: 15001, IgnoredUIDs: []uint32{1337}, EnableIPv6: true})
		return kind(err)
	case "remove":
		_, err := iptables.Remove(context.Background())
		return kind(err)
	}
	return "unknown task " + task
}

func kind(err error) string {
	var refused *iptables.PrivilegeError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &refused):
		return "refused: " + err.Error()
	}
	return err.Error()
}

// as runs a task in a process of its own under a user and a group.
func as(t *testing.T, uid, gid uint32, task string) string {
	t.Helper()
	cmd := kit.Here.Command(t.Context(), kit.Self(t))
	cmd.Env = append(os.Environ(), probe+"="+task, kit.EndsAtOnce)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s as %d:%d: %v\n%s", task, uid, gid, err, output)
	}
	return string(output)
}
