package appmesh

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Bounds on everything that is read at once.
const (
	maxSources    = 20000
	maxTotalBytes = 64 << 20
)

// A Source is one text to read: a file, or an inline text.
type Source struct {
	// Name is how findings call it: the path, or a name like OUTRIDER_MESH_INLINE.
	Name string
	Data []byte
	// Err says why there is no Data; nil when there is. Parse makes a finding
	// of it.
	Err error
}

// ReadPaths reads files, directories and globs, in the order given and each
// file once. A directory is read with all below it: every *.json, *.yaml and
// *.yml whose name does not begin with a dot (Kubernetes mounts its files as
// links into ..data). A file named by itself or matched by a glob may end in
// anything. A file that cannot be read (no permission, a link that leads
// nowhere, a pipe) is a Source with an Err, so that it stops only those who
// need it. Findings tell of paths where there is nothing; the error, of a path
// that is not there.
func ReadPaths(paths []string) ([]Source, []mesh.Finding, error) {
	files, findings, err := listFiles(paths)
	if err != nil {
		return nil, nil, err
	}
	var sources []Source
	total := 0
	for _, f := range files {
		s := Source{Name: f.name, Err: f.err}
		if s.Err == nil {
			s.Data, s.Err = readFile(f.name)
		}
		if errors.Is(s.Err, fs.ErrNotExist) && f.err == nil && len(files) > 1 {
			continue // gone since it was listed
		}
		if total += len(s.Data); total > maxTotalBytes {
			return nil, nil, fmt.Errorf("reading mesh documents: more than %d MiB in all, at %s", maxTotalBytes>>20, f.name)
		}
		sources = append(sources, s)
	}
	return sources, findings, nil
}

// A file is one that the paths mean, and why it cannot be read if that is
// known already.
type file struct {
	name string
	err  error
}

// listFiles says which files the paths mean now.
func listFiles(paths []string) ([]file, []mesh.Finding, error) {
	var files []file
	var findings []mesh.Finding
	for _, p := range paths {
		found, err := expand(p)
		if err != nil {
			return nil, nil, fmt.Errorf("reading mesh documents: %w", err)
		}
		if len(found) == 0 {
			findings = append(findings, mesh.Finding{Position: mesh.Position{File: p}, Severity: mesh.Warning,
				Message: "no document here yet", Hint: "*.json, *.yaml, *.yml and *.tfstate are read"})
		}
		files = append(files, found...)
	}
	seen := make(map[string]bool, len(files))
	files = slices.DeleteFunc(files, func(f file) bool {
		again := seen[filepath.Clean(f.name)]
		seen[filepath.Clean(f.name)] = true
		return again
	})
	if len(files) > maxSources {
		return nil, nil, fmt.Errorf("reading mesh documents: %d files, more than %d", len(files), maxSources)
	}
	return files, findings, nil
}

// expand lists the files of one path. A path that exists is itself, whatever
// characters it holds; one that does not may be a glob.
func expand(p string) ([]file, error) {
	if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
		return expandOne(p)
	} else if !isGlob(p) {
		return nil, err
	}
	matches, err := filepath.Glob(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	var files []file
	hidden := strings.HasPrefix(filepath.Base(p), ".")
	for _, m := range matches {
		if !hidden && strings.HasPrefix(filepath.Base(m), ".") {
			continue // what a shell's "*" leaves out
		}
		found, err := expandOne(m)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// expandOne lists what is at one place.
func expandOne(p string) ([]file, error) {
	info, err := os.Stat(p)
	if err == nil && info.IsDir() {
		return below(p)
	}
	return []file{{p, unfit(p, info, err)}}, nil
}

// unfit says why what os.Stat found is no file to be read; nil when it is.
func unfit(name string, info fs.FileInfo, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if target, linked := os.Readlink(name); linked == nil {
			return fmt.Errorf("the link leads to %s, which does not exist", target)
		}
		return err
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return nil
	case info.Mode()&fs.ModeNamedPipe != 0:
		return errors.New("it is a pipe, not a file")
	case info.Mode()&fs.ModeSocket != 0:
		return errors.New("it is a socket, not a file")
	}
	return errors.New("it is not a regular file")
}

func isGlob(p string) bool { return strings.ContainsAny(p, "*?[") }

// below lists the documents in a directory and its subdirectories, sorted.
// Links to files are followed, links to directories are not, except dir itself.
// A subdirectory that cannot be read stands in the list itself.
func below(dir string) ([]file, error) {
	if target, err := filepath.EvalSymlinks(dir); err == nil && target != filepath.Clean(dir) {
		dir += string(filepath.Separator) // WalkDir does not follow a link it starts at
	}
	var files []file
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != dir:
			return nil // gone since it was listed
		case name != dir && entry != nil && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case err != nil:
			files = append(files, file{filepath.Clean(name), err})
			return nil
		case entry.IsDir() || !isDocument(name):
			return nil
		}
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			files = append(files, file{filepath.Clean(name), unfit(name, info, err)})
		}
		if len(files) > maxSources {
			return fmt.Errorf("%s: more than %d files", dir, maxSources)
		}
		return nil
	})
	return files, err
}

func isDocument(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".yaml", ".yml", ".tfstate", ".tf", ".tofu":
		return true
	}
	return false
}

// readFile reads at most one byte more than a source may have: Parse reports
// the excess as a finding of this file. It never waits: what has become a pipe
// since it was listed is not opened like one.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err := unfit(name, info, err); err != nil {
		return nil, err
	}
	text := bytes.NewBuffer(make([]byte, 0, min(info.Size(), maxSourceBytes)+1+bytes.MinRead))
	_, err = text.ReadFrom(io.LimitReader(f, maxSourceBytes+1))
	return text.Bytes(), err
}

// InlineName is what findings call an inline text.
const InlineName = "OUTRIDER_MESH_INLINE"

// ReadInline takes the text of OUTRIDER_MESH_INLINE: documents as they are, or
// gzip in base64 (as an ECS secret or a long environment variable needs),
// which is known by how the encoding of every gzip header begins.
func ReadInline(text string) (Source, error) {
	s := Source{Name: InlineName, Data: []byte(text)}
	packed := strings.Map(func(c rune) rune {
		if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			return -1
		}
		return c
	}, text)
	if strings.HasPrefix(packed, "H4sI") {
		data, err := unpack(packed)
		if err != nil {
			return Source{}, fmt.Errorf("reading %s as gzip in base64: %w", InlineName, err)
		}
		s.Data = data
	}
	if len(s.Data) > maxSourceBytes {
		return Source{}, fmt.Errorf("reading %s: larger than %d MiB", InlineName, maxSourceBytes>>20)
	}
	return s, nil
}

func unpack(packed string) ([]byte, error) {
	encoding := base64.StdEncoding
	if strings.ContainsAny(packed, "-_") {
		encoding = base64.URLEncoding
	}
	raw, err := encoding.WithPadding(base64.NoPadding).DecodeString(strings.TrimRight(packed, "="))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxSourceBytes+1))
}
