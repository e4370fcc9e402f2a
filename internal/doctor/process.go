package doctor

import (
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"strings"
)

// process is one that holds a socket.
type process struct {
	pid  int // 0: it cannot be seen from here
	name string
	uid  uint32
	gid  uint32
	// knowsGID is false where /proc does not say the group.
	knowsGID bool
}

func (p process) String() string {
	if p.pid == 0 {
		return fmt.Sprintf("a process of user %d", p.uid)
	}
	return fmt.Sprintf("%s (pid %d, user %d)", p.name, p.pid, p.uid)
}

// Bounds of the search for the processes of sockets.
const (
	mostProcesses   = 8192
	mostDescriptors = 1 << 18
)

// holders finds the processes that hold the sockets with these inodes, as far as we may look: those of other users only
// as root, those of other containers only where the task shares its process namespace.
func holders(root fs.FS, inodes map[string]bool) map[string]process {
	found := map[string]process{}
	left := maps.Clone(inodes)
	entries, _ := fs.ReadDir(root, "proc")
	processes, descriptors := 0, 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if processes++; processes > mostProcesses || len(left) == 0 {
			break
		}
		dir := "proc/" + entry.Name()
		fds, _ := fs.ReadDir(root, dir+"/fd")
		for _, fd := range fds {
			if descriptors++; descriptors > mostDescriptors {
				return found
			}
			target, err := fs.ReadLink(root, dir+"/fd/"+fd.Name())
			inode, isSocket := strings.CutPrefix(target, "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			if err == nil && isSocket && left[inode] {
				found[inode] = readProcess(root, pid)
				delete(left, inode)
			}
		}
	}
	return found
}

func readProcess(root fs.FS, pid int) process {
	p := process{pid: pid, name: "a process"}
	text, _ := readFile(root, fmt.Sprintf("proc/%d/status", pid))
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "Name":
			p.name = strings.TrimSpace(value)
		case "Uid":
			p.uid, _ = fsID(value)
		case "Gid":
			p.gid, p.knowsGID = fsID(value)
		}
	}
	return p
}

// fsID is the last of the four ids (real, effective, saved, file system), the one that the rules look at.
func fsID(ids string) (uint32, bool) {
	fields := strings.Fields(ids)
	if len(fields) != 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[3], 10, 32)
	return uint32(n), err == nil
}
