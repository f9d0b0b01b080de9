package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Input is a file that a command uses: it reads it, or keeps something in it.
type Input struct {
	Flag string // that names it, or what it is; empty for an argument
	Name string // empty: none; "-": what standard input comes from
	// Folder means that the command uses what is in a folder of this name, at any
	// depth. Default: only the file itself.
	Folder bool
}

// Inputs are the files that arguments name.
func Inputs(names ...string) (in []Input) {
	for _, name := range names {
		in = append(in, Input{Name: name})
	}
	return in
}

func (in Input) String() string {
	switch {
	case in.Name == "-":
		return "standard input"
	case in.Flag == "":
		return in.Name
	}
	return in.Flag + " " + in.Name
}

// Apart reports whether the output is none of the files that a command uses, also of
// those that are not there yet: by whatever links, and whatever Force says.
func (o *Output) Apart(inputs ...Input) error {
	if o.Name == "" || o.Name == "-" {
		return nil
	}
	for _, in := range inputs {
		switch {
		case in.Name == "" || !in.uses(o.Name):
		case in.Folder:
			return refusal{fmt.Errorf("%s is in %s, whose files the command uses itself; nothing was done", o, in)}
		default:
			return refusal{fmt.Errorf("%s is the same file as %s, which the command uses itself; nothing was done", o, in)}
		}
	}
	return nil
}

func (o *Output) String() string { return strings.TrimPrefix(o.Flag+" "+o.Name, " ") }

// uses reports whether a file is the input.
func (in Input) uses(name string) bool {
	if in.Name == "-" {
		stdin, err := os.Stdin.Stat()
		out, other := os.Stat(name)
		return err == nil && other == nil && sameRegular(stdin, out)
	}
	if !in.Folder {
		return same(name, in.Name)
	}
	for at := place(name); ; at = filepath.Dir(at) {
		if same(at, in.Name) {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

// same reports whether two names are of one file or folder, or will be.
func same(a, b string) bool {
	one, err := os.Stat(a)
	other, errOther := os.Stat(b)
	if err == nil && errOther == nil {
		return one.IsDir() && os.SameFile(one, other) || sameRegular(one, other)
	}
	return err != nil && errOther != nil && place(a) == place(b)
}

// sameRegular leaves out devices and pipes, such as /dev/null.
func sameRegular(a, b fs.FileInfo) bool { return a.Mode().IsRegular() && os.SameFile(a, b) }

// place returns where a file is or will be: its absolute name, without links in the
// folders above it that are there.
func place(name string) string {
	name, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	rest := filepath.Base(name)
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == filepath.Dir(dir) {
			return name
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}
