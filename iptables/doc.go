// Package iptables answers one question: how does traffic get here?
//
// It writes the redirect rules that Amazon ECS writes for a task with proxyConfiguration type APPMESH (its CNI
// plugin aws-appmesh), for places where ECS does not: TCP that reaches an application port is sent to the sidecar's
// ingress port, TCP that the application opens is sent to its egress port, and what the sidecar itself opens passes.
//
// Read the files in this order:
//
//	flags.go, taskdef.go   where a Config comes from: flags, an ECS task definition
//	parse.go, config.go    lists as text; what is refused, all of it in one error, before anything is touched
//	plan.go                Config -> Plan, pure: which rules, in which order
//	render.go              Plan -> text for iptables-restore
//	apply.go, remove.go    what a caller asks for
//	verify.go              the same without changing anything: what of the plan is in force
//	compare.go             plan and layout -> differences, pure
//	force.go               what the rules in the kernel say, whoever wrote them
//	effect.go, match.go    the text of a rule -> what it does, so that other spellings of it compare equal
//	shadow.go              rules of others that take the traffic before ours see it
//	detect.go              which variant of iptables, nft or legacy, holds this namespace's nat rules
//	edit.go                one table, one atomic restore, looked at again until it is as wanted; and undo
//	script.go              two layouts -> the smallest restore text that leads from one to the other, pure
//	saved.go               the text of iptables-save -> layout, pure
//	lock.go                one of us at a time
//	command.go, errors.go  the programs that are run, and what it means when they fail
//
// # Design
//
// Everything is a difference between two layouts: what the nat table holds of ours now, and what it shall hold.
// Applying, replacing, removing and undoing differ only in the second one, so they share one pure function (script)
// and one loop (edit). A script touches only the two chains named APPMESH_INGRESS and APPMESH_EGRESS and the rules
// that lead into them; other people's rules keep their text, their order and their counters. One script is one
// iptables-restore --noflush, which the kernel commits as a whole or not at all. A jump that stands already stays in
// its place: a changed Config replaces the contents of the chains behind it.
//
// The chain names are those of ECS. Rules that ECS itself wrote are therefore recognised as the same rules: applying
// over them leaves one set, and Remove takes them away.
//
// # Decisions
//
//   - IPv4 and IPv6 are both intercepted unless the caller says otherwise. ECS intercepts IPv4 only, because nothing
//     sets its plugin's enableIPv6; a mesh that can be left by IPv6 is a hole, not a feature.
//   - Port 22 is not ignored by itself. The App Mesh guide says so, the plugin never did it.
//   - Lists of more than 15 ports become several rules. The plugin dropped the rest with a log line.
//   - 169.254.170.2 and 169.254.169.254 (task credentials, instance metadata) are always ignored, as the ECS agent does.
//   - A rule about a user or a group has no protocol test, as in the plugin; every other rule is about TCP.
//   - The jumps are appended, as in the plugin: a rule of others that stands before ours wins. Verify names it.
//   - Verify calls equal what does the same: one rule for each port or one for fifteen, another order among rules with
//     the same target, comments, rules said twice, rules behind one that takes everything. It never calls equal what
//     does otherwise; it may call different what a proof would show to be the same (a CIDR block written as two).
package iptables
