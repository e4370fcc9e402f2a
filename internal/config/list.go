package config

import "strings"

// A Setting is a flag of `outrider run`, in words, for the documentation.
type Setting struct {
	Flag     string // "--drain-time"
	Arg      string // "DURATION"; empty for a boolean
	Variable string // "OUTRIDER_DRAIN_TIME"
	Meaning  string
	// Default is empty where there is none, and "off" for a boolean that is.
	Default string
	// Also are App Mesh variables that set it too, with less weight.
	Also []string
}

// Settings are all of them, in the order of the help.
func Settings() []Setting {
	all := make([]Setting, len(settings))
	for i, s := range settings {
		all[i] = Setting{Flag: "--" + s.flag, Arg: s.arg, Variable: s.variable(), Meaning: s.help}
		if s.arg == "" {
			all[i].Default = "off"
		}
		open := strings.LastIndex(s.help, " (")
		if open < 0 || !strings.HasSuffix(s.help, ")") {
			continue
		}
		all[i].Meaning, all[i].Default = s.help[:open], ""
		for _, part := range strings.Split(s.help[open+2:len(s.help)-1], "; ") {
			if isAppMesh(part) {
				all[i].Also = append(all[i].Also, part)
				continue
			}
			if all[i].Default != "" {
				part = all[i].Default + "; " + part
			}
			all[i].Default = part
		}
	}
	return all
}

// An AppMeshVariable is a variable of an App Mesh task, in words.
type AppMeshVariable struct {
	Name string
	// Acts is true where it does what it did.
	Acts bool
	// Effect completes "would have ..." where it does not act; Instead says
	// what is true now, or is empty where a later build is to do it.
	Effect, Instead string
	// Needs is the switch without which App Mesh ignored it too.
	Needs string
}

// AppMeshVariables are all variables of the App Mesh image and of its route
// manager (App Mesh 3.1, 3.3, 4.5).
func AppMeshVariables() []AppMeshVariable {
	all := make([]AppMeshVariable, len(appMesh))
	for i, v := range appMesh {
		all[i] = AppMeshVariable{v.name, v.set != nil, v.would, v.instead, v.needs}
	}
	return all
}

func isAppMesh(name string) bool {
	for i := range appMesh {
		if appMesh[i].name == name {
			return true
		}
	}
	return false
}
