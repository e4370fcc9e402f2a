package check

import (
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A difference is something that Outrider does otherwise than App Mesh's Envoy
// on purpose (docs/migration.md has all of them), unless a setting has it back.
type difference struct {
	subject string
	// of and field are the kind of resource and the field that it shows in; of
	// is empty where it shows everywhere.
	of, field string
	// egress is true for what only shows in what the app calls.
	egress    bool
	effect    mesh.Effect
	how, back string
	differs   func(*config.Run) bool
}

var differences = []difference{
	{of: "route ", field: "retryPolicy.maxRetries", effect: mesh.Perhaps,
		how: "retries also share a budget: at one time 20 % of the active requests, or 3", back: "OUTRIDER_RETRY_BUDGET=off",
		differs: func(r *config.Run) bool { return r.Retry.BudgetPercent.V > 0 }},
	{of: "virtual node ", field: "serviceDiscovery.dns.hostname", effect: mesh.Perhaps,
		how: "when the name vanishes from DNS its endpoints stay for a while (60 s); App Mesh's cluster emptied", back: "OUTRIDER_DNS_EMPTY_KEEP=0s",
		differs: func(r *config.Run) bool { return r.DNS.EmptyKeep.V > 0 }},
	{subject: "retries without a retryPolicy", egress: true, effect: mesh.Perhaps,
		how: "POST and other requests that are not idempotent are tried again only if nothing was sent or the peer refused it", back: "OUTRIDER_RETRY_UNSAFE=true",
		differs: func(r *config.Run) bool { return !r.Retry.Unsafe.V }},
	{subject: "bodies kept for a retry", egress: true, effect: mesh.Perhaps,
		how: "up to 64 KiB, in Envoy 1 MiB; a longer one is not sent again", back: "OUTRIDER_RETRY_BUFFER=1MiB",
		differs: func(r *config.Run) bool { return r.Retry.Buffer.V < 1<<20 }},
	{subject: "admin interface from other machines", effect: mesh.NoEffect,
		how: "answers /ready, /server_info and /stats alone", back: "OUTRIDER_ADMIN_OPEN=true",
		differs: func(r *config.Run) bool { return !r.Admin.Open.V && r.Admin.Socket.V == "" }},
	{subject: "drain", effect: mesh.NoEffect,
		how:     "ends early when nobody needs it any more; App Mesh's agent always slept the full time",
		differs: func(r *config.Run) bool { return r.Drain.Time.V > 0 }},
}

// otherwise tells the differences that show everywhere, and with one of the
// sidecars at least.
func otherwise(sidecars []sidecar) Section {
	s := Section{About: aboutOtherwise, Title: "done otherwise on purpose"}
	for _, d := range differences {
		if d.of == "" && slices.ContainsFunc(sidecars, func(c sidecar) bool { return (c.calls || !d.egress) && d.differs(c.run) }) {
			s.add(Verdict{Subject: d.subject, Standing: mesh.Approximated, Effect: d.effect, Message: d.how, Hint: d.hint()})
		}
	}
	return s
}

// otherwise changes the verdict on an honoured field that a difference shows in.
func (c sidecar) otherwise(f *appmesh.Field, v *Verdict) {
	if v.Standing != mesh.Honoured || f.ByCallers {
		return
	}
	for _, d := range differences {
		if d.of != "" && d.field == f.Unindexed() && strings.HasPrefix(f.Resource, d.of) && d.differs(c.run) {
			v.Standing, v.Effect, v.Message, v.Hint = mesh.Approximated, d.effect, d.how, d.hint()
		}
	}
}

func (d *difference) hint() string {
	if d.back == "" {
		return ""
	}
	return d.back + " has it back"
}
