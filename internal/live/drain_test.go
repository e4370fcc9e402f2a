package live

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what a drain sees: it changes at times after the drain began.
type world struct {
	begun                    time.Time
	exchangesUntil, newUntil time.Duration // an exchange is under way; something new comes
	appGoneAt                time.Duration
	noApp                    bool // nothing to ask
}

func (w *world) quiet() (int64, time.Duration) {
	now := time.Since(w.begun)
	n := int64(0)
	if now < w.exchangesUntil {
		n = 1
	}
	if now < w.newUntil {
		return n, 0
	}
	return n, now - w.newUntil
}

func (w *world) appGone(context.Context) (gone, known bool) {
	return time.Since(w.begun) >= w.appGoneAt, !w.noApp
}

func TestADrainEndsEarlyOnEvidenceAlone(t *testing.T) {
	const all = 20 * time.Second
	for _, tt := range []struct {
		what    string
		world   world
		waitApp bool
		time    time.Duration
		want    time.Duration // to a tick of 100 ms
	}{
		{"nothing going on and the app gone", world{}, true, all, 2 * time.Second},
		{"the app goes later", world{appGoneAt: 5 * time.Second}, true, all, 5 * time.Second},
		{"an exchange goes on", world{exchangesUntil: 7 * time.Second}, true, all, 7 * time.Second},
		{"something new keeps coming", world{newUntil: 6 * time.Second}, true, all, 8 * time.Second},
		{"the app stays", world{appGoneAt: time.Hour}, true, all, all},
		{"an exchange stays", world{exchangesUntil: time.Hour}, true, all, all},
		{"something new always comes", world{newUntil: time.Hour}, true, all, all},
		{"no app to ask", world{noApp: true}, true, all, all},
		{"the app stays, and is not asked", world{appGoneAt: time.Hour}, false, all, 2 * time.Second},
		{"no app, and it is not asked", world{noApp: true}, false, all, 2 * time.Second},
		{"a time of zero", world{exchangesUntil: time.Hour}, true, 0, 0},
		{"less time than quiet takes", world{}, true, time.Second, time.Second},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tt.world
				w.begun = time.Now()
				d := Drain{Time: tt.time, Quiet: w.quiet}
				if tt.waitApp {
					d.AppGone = w.appGone
				}
				d.Wait(t.Context())
				if took := time.Since(w.begun); took < tt.want || took > tt.want+drainLook {
					t.Errorf("it took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// What came long before the drain is no evidence: two seconds count from its
// beginning.
func TestADrainLooksForTwoSecondsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		d := Drain{Time: time.Minute, Quiet: func() (int64, time.Duration) { return 0, time.Hour }}
		d.Wait(t.Context())
		if took := time.Since(begun); took < drainQuiet {
			t.Errorf("it took %v", took)
		}
	})
}

func TestADrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		d := Drain{Time: time.Minute, Quiet: func() (int64, time.Duration) { return 1, 0 }}
		d.Wait(ctx)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
