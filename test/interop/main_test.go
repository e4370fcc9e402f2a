//go:build linux

package interop

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/grpclog"

	"github.com/outrider-mesh/outrider/internal/testkit/built"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(verdicts{})
	var end goleak.Option
	binary, end = built.Program()
	goleak.VerifyTestMain(m, end)
}
