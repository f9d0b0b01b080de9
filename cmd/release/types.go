package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// checkTypes checks the types of the program, and of all of this module, for the targets.
// It finds what does not compile on another system in a small part of the time that
// compiling takes, since it writes no code and reads no bodies of functions of others.
func checkTypes(ctx context.Context, targets []target, log io.Writer) error {
	for _, t := range targets {
		n, err := checkTarget(ctx, t)
		if err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
		fmt.Fprintf(log, "%v: the types of %d packages are right\n", t, n)
	}
	return nil
}

// source is a package as "go list" tells it.
type source struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct{ Main bool }
	Error           *struct{ Err string }
}

// checkTarget returns how many packages of this module were checked.
func checkTarget(ctx context.Context, t target) (n int, err error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module,Error", "./cmd/ulogkit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOARM="+t.arm)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w\n%s", err, &stderr)
	}

	set, done := token.NewFileSet(), map[string]*types.Package{"unsafe": types.Unsafe}
	for d := json.NewDecoder(bytes.NewReader(out)); ; { // each package comes after what it imports
		var p source
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
		if p.Error != nil {
			return 0, errors.New(p.Error.Err)
		}
		if p.ImportPath == "unsafe" {
			continue
		}
		own := p.Module != nil && p.Module.Main
		checked, err := p.check(set, done, t, own)
		if err != nil {
			return 0, err
		}
		done[p.ImportPath] = checked
		if own {
			n++
		}
	}
	if n == 0 {
		return 0, errors.New("go list names no package of this module")
	}
	return n, nil
}

// check checks a package when all that it imports is done. What others wrote is taken to
// be right.
func (p *source) check(set *token.FileSet, done map[string]*types.Package, t target, own bool) (*types.Package, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}

	var failed []error
	config := types.Config{
		IgnoreFuncBodies: !own, FakeImportC: true, Sizes: types.SizesFor("gc", t.arch),
		Importer: importer(func(path string) (*types.Package, error) {
			if mapped := p.ImportMap[path]; mapped != "" {
				path = mapped
			}
			if found := done[path]; found != nil {
				return found, nil
			}
			return nil, fmt.Errorf("%s is not there", path)
		}),
		Error: func(err error) { failed = append(failed, err) },
	}

	checked, _ := config.Check(p.ImportPath, set, files, nil) // the errors are in failed
	if own {
		return checked, errors.Join(failed...)
	}
	return checked, nil
}

type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }
