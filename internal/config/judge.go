package config

import (
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Verdict says what a sidecar makes of one variable (or flag) it is given.
type Verdict struct {
	// Variable is its name; empty for what is wrong with several together.
	Variable string
	Standing mesh.Standing
	Effect   mesh.Effect
	// Message says why, or how otherwise; empty for what is simply honoured.
	// Like all messages of this package it may quote the value, but for those
	// of variables that hold documents or parameters.
	Message string
}

// Judge says what `outrider run` would make of each variable of a container's
// environment that is App Mesh's or Outrider's, by the tables that ParseRun
// reads by, and what would keep it from starting. Variables of others have no
// verdict. args are the arguments after "run". The Run is what was understood,
// never nil; it is whole only when no verdict is mesh.Wrong.
//
// Decision: what App Mesh's agent ignored in silence, a misspelt name or a bad
// value that gave way to a default, is a mistake of the document that changes
// nothing.
func Judge(args, environ []string) (*Run, []Verdict) {
	j := judge{parser: &parser{run: defaults(), env: variables(environ)}}
	given, err := readFlags(args)
	if err != nil {
		j.verdicts = append(j.verdicts, Verdict{"", mesh.Wrong, mesh.OnTraffic, err.Error()})
	}
	for _, v := range appMesh {
		if text, ok := j.parser.env[v.name]; ok {
			j.variable(v.name, v.missing(), func() { v.read(j.parser, text) })
			j.idle(v)
		}
	}
	for _, s := range settings {
		if name := s.variable(); j.parser.env[name] != "" {
			j.variable(name, mesh.NoEffect, func() { j.parser.readSetting(s, nil) })
		}
		if _, ok := given[s.flag]; ok {
			j.variable("--"+s.flag, mesh.NoEffect, func() { j.parser.readSetting(s, given) })
		}
	}
	j.parser.readOwn(given) // what has no setting of its own; the rest is repeated as it was
	j.forget()
	if j.parser.env[inlineVariable] != "" {
		j.variable(inlineVariable, mesh.NoEffect, func() {})
	}
	j.resource()
	j.together(func() {
		j.parser.settleDocuments()
		j.parser.settleAdmin()
		j.parser.check()
	})
	j.strangers()
	return j.parser.run, j.verdicts
}

// Hidden tells whether a variable's value must not be shown: it holds documents
// or parameters, or its name says that it is a secret.
func Hidden(name string) bool {
	if name == inlineVariable {
		return true
	}
	for _, s := range settings {
		if s.private && s.variable() == name {
			return true
		}
	}
	upper := strings.ToUpper(name)
	return slices.ContainsFunc([]string{"PASS", "PWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "PRIVATE", "COOKIE", "SESSION", "DSN"},
		func(word string) bool { return strings.Contains(upper, word) })
}

// missing is what is different where a variable is not acted on.
func (v variable) missing() mesh.Effect {
	switch {
	case v.effect != mesh.NoEffect:
		return v.effect
	case v.would != "" && v.instead == "":
		return mesh.OnObservation
	}
	return mesh.NoEffect
}

// judge takes down what a parser says while it reads.
type judge struct {
	parser   *parser
	verdicts []Verdict
	// problems and warnings are how many of the parser's have been taken down.
	problems, warnings int
}

// variable reads one variable; missing is what is different if it is not acted on.
func (j *judge) variable(name string, missing mesh.Effect, read func()) {
	read()
	v := Verdict{Variable: name}
	switch {
	case len(j.parser.problems) > j.problems:
		v.Standing, v.Effect = mesh.Wrong, mesh.OnTraffic
		v.Message = strings.Join(j.parser.problems[j.problems:], "; ") + ": the sidecar does not start"
		v.Message = strings.TrimPrefix(v.Message, name+" ")
	case len(j.parser.warnings) > j.warnings:
		w := j.parser.warnings[j.warnings]
		v.Standing, v.Effect, v.Message = mesh.Approximated, missing, w.Message
		switch {
		case w.Severity == mesh.NotYet:
			v.Standing = mesh.Unsupported
		case strings.HasSuffix(w.Message, asAgentDid):
			v.Standing, v.Effect = mesh.Wrong, mesh.NoEffect
		}
	}
	j.verdicts = append(j.verdicts, v)
	j.forget()
}

// idle says why a variable that is not acted on is as good as honoured.
func (j *judge) idle(v variable) {
	last := &j.verdicts[len(j.verdicts)-1]
	switch {
	case last.Standing != mesh.Honoured || v.set != nil:
	case v.needs != "" && !j.parser.on(v.needs):
		last.Message = "says nothing while " + v.needs + " is off, as before"
	case v.fine != "":
		last.Message = "asks for what is so anyway"
	}
}

// resource misses what says who the sidecar is.
func (j *judge) resource() {
	j.parser.settleResource()
	for _, problem := range j.parser.problems[j.problems:] {
		j.verdicts = append(j.verdicts, Verdict{ResourceVariables()[0], mesh.Wrong, mesh.OnTraffic, problem})
	}
	j.forget()
}

// ResourceVariables are those that say what a sidecar stands for, the first
// that is set counts.
func ResourceVariables() []string {
	return []string{"APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"}
}

// together takes down what is wrong only in combination.
func (j *judge) together(check func()) {
	check()
	for _, problem := range j.parser.problems[j.problems:] {
		j.verdicts = append(j.verdicts, Verdict{"", mesh.Wrong, mesh.OnTraffic, problem})
	}
	for _, w := range j.parser.warnings[j.warnings:] {
		j.verdicts = append(j.verdicts, Verdict{w.Variable, mesh.Approximated, mesh.NoEffect, w.Message})
	}
	j.forget()
}

// strangers are names that look meant for the sidecar and are not.
func (j *judge) strangers() {
	j.parser.warnUnknown()
	for _, w := range j.parser.warnings[j.warnings:] {
		v := Verdict{w.Variable, mesh.Honoured, mesh.NoEffect, w.Message}
		if strings.Contains(w.Message, "did you mean") {
			v.Standing = mesh.Wrong
			v.Message += " App Mesh ignored it too"
		}
		j.verdicts = append(j.verdicts, v)
	}
	j.forget()
}

func (j *judge) forget() { j.problems, j.warnings = len(j.parser.problems), len(j.parser.warnings) }
