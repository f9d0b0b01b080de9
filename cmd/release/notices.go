package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// noticesFile is what the program shows with "ulogkit version --notices".
const noticesFile = "cmd/ulogkit/notices.txt"

// module is a module that is part of the program on some system.
type module struct {
	Path, Version, Dir string
	folders            map[string]bool // those of its packages that are in the program, and those above
}

// writeNotices writes the licences of all that the program is made of, or checks that
// they are written.
func writeNotices(ctx context.Context, path string, check bool) error {
	modules, err := linked(ctx)
	if err != nil {
		return err
	}
	text, err := notices(modules)
	if err != nil {
		return err
	}
	return keepNotices(path, text, check)
}

// keepNotices writes the text where it differs from the file, or says so.
func keepNotices(path string, text []byte, check bool) error {
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, text):
		return nil
	case check && err != nil:
		return err
	case check:
		return fmt.Errorf("%s is not current; run \"go run ./cmd/release -notices\" and commit it", path)
	}
	return os.WriteFile(path, text, 0o644)
}

// linked returns the modules that packages of the program come from, on all systems
// that there are releases for, and Go itself.
func linked(ctx context.Context) ([]module, error) {
	found := map[string]*module{}
	for _, t := range allTargets() {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Module", "./cmd/ulogkit")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %v: %w\n%s", t, err, &stderr)
		}

		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				Dir    string
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			err := d.Decode(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if p.Module == nil || p.Module.Main {
				continue
			}

			m := found[p.Module.Path]
			if m == nil {
				m = &module{p.Module.Path, p.Module.Version, p.Module.Dir, map[string]bool{}}
				found[m.Path] = m
			}

			for dir := p.Dir; len(dir) >= len(m.Dir); dir = filepath.Dir(dir) {
				m.folders[dir] = true
			}
		}
	}

	if len(found) == 0 {
		return nil, errors.New("go list names no module of the program")
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	modules := []module{{Path: "Go and its standard library", folders: map[string]bool{strings.TrimSpace(string(out)): true}}}
	for _, m := range found {
		modules = append(modules, *m)
	}

	slices.SortFunc(modules[1:], func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	return modules, nil
}

// licence is how modules call the files that must go along with their code.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([-._].*)?$`)

// notices returns one text of all licences. Each text is there once, under all the
// modules that have it.
func notices(modules []module) ([]byte, error) {
	type entry struct {
		names []string
		text  string
	}
	var entries []*entry
	byText := map[[32]byte]*entry{}
	for _, m := range modules {
		var texts []string
		for _, dir := range slices.Sorted(maps.Keys(m.folders)) {
			more, err := licences(dir)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.Path, err)
			}
			texts = append(texts, more...)
		}

		if len(texts) == 0 {
			return nil, fmt.Errorf("%s has no licence; it cannot be part of a release", m.Path)
		}
		for _, text := range texts {
			name := strings.TrimSpace(m.Path + " " + m.Version)
			key := sha256.Sum256([]byte(strings.Join(strings.Fields(text), " ")))
			e := byText[key]
			if e == nil {
				e = &entry{text: text}
				byText[key], entries = e, append(entries, e)
			}
			if !slices.Contains(e.names, name) {
				e.names = append(e.names, name)
			}
		}
	}

	var b bytes.Buffer
	fmt.Fprintln(&b, "ulogkit holds code of others. Their licences, as they ask for it, word by word.")
	fmt.Fprintln(&b, "Written by \"go run ./cmd/release -notices\".")
	for _, e := range entries {
		fmt.Fprintf(&b, "\n%s\n\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(e.names, "\n"), e.text)
	}
	return b.Bytes(), nil
}

func licences(dir string) (texts []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() || !licence.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".go" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.Trim(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"))
	}
	return texts, nil
}
