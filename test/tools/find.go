package tools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Find returns the path of a program: through PATH, where administrators' programs are, and where go install puts them.
func Find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return filepath.Abs(path)
	}
	for _, folder := range append([]string{"/usr/local/sbin", "/usr/sbin", "/sbin"}, goBin()...) {
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", program)
}

// goBin is where go install puts programs.
func goBin() []string {
	if folder := os.Getenv("GOBIN"); folder != "" {
		return []string{folder}
	}
	path, err := exec.Command("go", "env", "GOPATH").Output()
	if err != nil {
		return nil
	}
	var folders []string
	for _, folder := range filepath.SplitList(strings.TrimSpace(string(path))) {
		folders = append(folders, filepath.Join(folder, "bin"))
	}
	return folders
}

// Missing are the tools of a list that this machine lacks.
func Missing(list []Tool) []Tool {
	var missing []Tool
	for _, tool := range list {
		if _, err := Find(tool.Program); err != nil {
			missing = append(missing, tool)
		}
	}
	return missing
}

// Path fills an existing folder with links to the listed programs that are there. With that folder for PATH nothing else is found.
func Path(folder string, list []Tool) error {
	for _, tool := range list {
		path, err := Find(tool.Program)
		if err != nil {
			continue // whoever needs it says so
		}
		if err := os.Symlink(path, filepath.Join(folder, tool.Program)); err != nil {
			return err
		}
	}
	return nil
}
