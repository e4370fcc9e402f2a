package iptables

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestOneAtATimeAndWaitingEndsWithTheContext(t *testing.T) {
	unlock, err := lockNamespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	var failed *CommandError
	if _, err := lockNamespace(ctx); !errors.As(err, &failed) || !strings.Contains(err.Error(), errBroken.Error()) {
		t.Errorf("while it is held: %v", err)
	}
	unlock()
	unlock, err = lockNamespace(ctx)
	if err != nil {
		t.Fatalf("once it is free: %v", err)
	}
	unlock()
}
