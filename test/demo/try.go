//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

func (w *world) describe() {
	if w.options.direct {
		fmt.Println("direct mode, nothing is intercepted: four apps and four sidecars on\nloopback, and a database without one")
	} else {
		fmt.Println("four network namespaces, an app and a sidecar (user 1337) in each, the rules\nof ECS in between; and a database outside the mesh")
	}
	for _, m := range w.members {
		fmt.Printf("  %-8s %-17s app :%-5d reached at %s\n", m.name, m.node, m.appPort, m.call)
	}
	fmt.Printf("  %-8s %-17s     :%-5d at %s\n\n", "database", "database-node", w.databaseAddr.Port(), w.databaseAddr)
}

// sayWhatToTry prints commands for another terminal.
func (w *world) sayWhatToTry() {
	front := w.member("front")
	fmt.Println("\nIt keeps running until Ctrl-C. Try, in another terminal:")
	if w.options.direct {
		proxy := "curl -x http://" + front.egress.String()
		say(proxy+" -i "+target+"/", proxy+" -i -H 'x-beta-user: true' "+target+"/", proxy+" -i http://orders-service.local:8080/",
			"curl http://"+front.admin.String()+"/clusters", "curl 'http://"+front.admin.String()+"/stats?usedonly'",
			"$EDITOR "+w.routesFile(), "tail -f "+w.logFile(front, "sidecar"))
		return
	}
	in := fmt.Sprintf("sudo nsenter -t %d -n -m ", outerPID(w.outerProc, front.app.cmd.Process.Pid))
	say(in+"curl -i "+target+"/", in+"curl -i -H 'x-beta-user: true' "+target+"/", in+"curl -i http://orders-service.local:8080/",
		in+"curl http://localhost:9901/clusters", in+"curl 'http://localhost:9901/stats?usedonly'", in+"iptables-save -t nat",
		in+"sed -i 's/\"weight\": 80/\"weight\": 50/; s/\"weight\": 20/\"weight\": 50/' "+w.routesFile(), in+"tail -f "+w.logFile(front, "sidecar"))
}

func say(commands ...string) {
	for _, command := range commands {
		fmt.Println("  " + command)
	}
}

// outerPID is what the machine calls a process of ours, or 0. outer is the machine's /proc.
func outerPID(outer *os.Root, pid int) int {
	if outer == nil {
		return 0
	}
	ours, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return 0
	}
	processes, err := fs.Glob(outer.FS(), "[0-9]*")
	if err != nil {
		return 0
	}
	for _, process := range processes {
		status, _ := outer.ReadFile(process + "/status") // it may have ended
		namespace, err := outer.Readlink(process + "/ns/pid")
		if err != nil || namespace != ours {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if ids := strings.Fields(line); len(ids) > 1 && ids[0] == "NSpid:" && ids[len(ids)-1] == strconv.Itoa(pid) {
				n, _ := strconv.Atoi(process) // it matched [0-9]*
				return n
			}
		}
	}
	return 0
}
