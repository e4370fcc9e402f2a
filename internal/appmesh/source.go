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
}

// ReadPaths reads files, directories and globs, in the order given and each
// file once. A directory is read with all below it: every *.json, *.yaml and
// *.yml whose name does not begin with a dot (Kubernetes mounts its files as
// links into ..data). A file named by itself or matched by a glob may end in
// anything. Findings tell of what was left out; the error, of a path that is
// not there or cannot be read.
func ReadPaths(paths []string) ([]Source, []mesh.Finding, error) {
	files, findings, err := listFiles(paths)
	if err != nil {
		return nil, nil, err
	}
	var sources []Source
	total := 0
	for _, name := range files {
		data, err := readFile(name)
		if errors.Is(err, fs.ErrNotExist) && len(files) > 1 {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading mesh documents: %w", err)
		}
		if total += len(data); total > maxTotalBytes {
			return nil, nil, fmt.Errorf("reading mesh documents: more than %d MiB in all, at %s", maxTotalBytes>>20, name)
		}
		sources = append(sources, Source{name, data})
	}
	return sources, findings, nil
}

// listFiles says which files the paths mean now.
func listFiles(paths []string) ([]string, []mesh.Finding, error) {
	var files []string
	var findings []mesh.Finding
	for _, p := range paths {
		found, err := expand(p)
		if err != nil {
			return nil, nil, fmt.Errorf("reading mesh documents: %w", err)
		}
		if len(found) == 0 {
			findings = append(findings, mesh.Finding{Position: mesh.Position{File: p}, Severity: mesh.Warning,
				Message: "no document here yet", Hint: "*.json, *.yaml and *.yml are read"})
		}
		files = append(files, found...)
	}
	seen := make(map[string]bool, len(files))
	files = slices.DeleteFunc(files, func(name string) bool {
		again := seen[filepath.Clean(name)]
		seen[filepath.Clean(name)] = true
		return again
	})
	if len(files) > maxSources {
		return nil, nil, fmt.Errorf("reading mesh documents: %d files, more than %d", len(files), maxSources)
	}
	return files, findings, nil
}

// expand lists the files of one path. A path that exists is itself, whatever
// characters it holds; one that does not may be a glob.
func expand(p string) ([]string, error) {
	info, err := os.Stat(p)
	switch {
	case err == nil && info.IsDir():
		return below(p)
	case err == nil:
		return []string{p}, nil
	case !isGlob(p) || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	matches, err := filepath.Glob(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	var files []string
	hidden := strings.HasPrefix(filepath.Base(p), ".")
	for _, m := range matches {
		info, err := os.Stat(m)
		switch {
		case err != nil, !hidden && strings.HasPrefix(filepath.Base(m), "."):
			continue // a dangling link, or gone; or what a shell's "*" leaves out
		case !info.IsDir():
			files = append(files, m)
			continue
		}
		inside, err := below(m)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
	}
	return files, nil
}

func isGlob(p string) bool { return strings.ContainsAny(p, "*?[") }

// below lists the documents in a directory and its subdirectories, sorted.
// Links to files are followed, links to directories are not, except dir itself.
func below(dir string) ([]string, error) {
	if target, err := filepath.EvalSymlinks(dir); err == nil && target != filepath.Clean(dir) {
		dir += string(filepath.Separator) // WalkDir does not follow a link it starts at
	}
	var files []string
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != dir:
			return nil // gone since it was listed
		case err != nil:
			return err
		case name != dir && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case entry.IsDir() || !isDocument(name):
			return nil
		}
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			files = append(files, filepath.Clean(name))
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
	case ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// readFile reads at most one byte more than a source may have: Parse reports
// the excess as a finding of this file.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSourceBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
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
