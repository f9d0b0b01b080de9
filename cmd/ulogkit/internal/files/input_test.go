package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An output is none of the files that a command uses, whatever it is called, whether
// it is there or will be (F29).
func TestApart(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.MkdirAll(at("real/sub"), 0o700), os.Symlink("real", at("linked"))); err != nil {
		t.Skip(err)
	}
	write(t, at("real/there"), "there")
	write(t, at("real/sub/deep"), "deep")
	if err := errors.Join(os.Link(at("real/there"), at("hard")), os.Symlink("real/there", at("soft"))); err != nil {
		t.Skip(err)
	}
	t.Chdir(dir)

	for _, c := range []struct {
		out    string
		in     Input
		wanted bool // that it is refused
	}{
		{at("real/there"), Input{Name: "real/there"}, true},
		{at("hard"), Input{Name: "linked/there"}, true},
		{at("soft"), Input{Name: at("hard")}, true},
		{at("real/absent"), Input{Name: "real/absent"}, true},
		{at("linked/absent"), Input{Name: at("real/absent")}, true},
		{"none/at/all", Input{Name: at("none/at/all")}, true},
		{"linked/none/x", Input{Name: at("real/none/x")}, true},
		{at("real/absent"), Input{Name: at("real/there")}, false},
		{at("real/there"), Input{Name: at("real/absent")}, false},
		{at("real/other"), Input{Name: at("real/absent")}, false},
		{os.DevNull, Input{Name: os.DevNull}, false},
		{"-", Input{Name: "-"}, false},
		{at("real/there"), Input{}, false},

		{at("real/new"), Input{Name: at("real"), Folder: true}, true},
		{at("linked/sub/new"), Input{Name: at("real"), Folder: true}, true},
		{at("real/sub/a/b"), Input{Name: at("linked"), Folder: true}, true},
		{"absent/new", Input{Name: at("absent"), Folder: true}, true},
		{at("real"), Input{Name: at("real/sub"), Folder: true}, false},
		{at("real2"), Input{Name: at("real"), Folder: true}, false},
		{at("real2"), Input{Folder: true}, false},
	} {
		o := Output{Flag: "--out", Name: c.out, Force: true}
		err := o.Apart(c.in)
		if errors.Is(err, ErrRefused) != c.wanted || (err != nil) != c.wanted {
			t.Errorf("%s and %+v: got %v, want a refusal: %v", c.out, c.in, err, c.wanted)
		}
		if c.wanted && !strings.HasSuffix(err.Error(), "the command uses itself; nothing was done") {
			t.Errorf("%s: got %q, want that the command uses the file itself", c.out, err)
		}
	}
}

// What standard input comes from is an input.
func TestApartFromStandardInput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	write(t, name, "text")
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := os.Stdin
	os.Stdin = f
	defer func() { os.Stdin = before }()
	if err := (&Output{Name: name, Force: true}).Apart(Input{Name: "-"}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if err := (&Output{Name: name + "2"}).Apart(Input{Name: "-"}); err != nil {
		t.Errorf("got %v for another file", err)
	}
}

// An extraction that replaces files replaces none that is read.
func TestExtractReplacesNoInput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "000001-log.bin")
	write(t, name, "input")
	if err := Extract(name, []byte("payload"), true, Input{Name: name}); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	holds(t, name, "input")
	if err := Extract(name, []byte("payload"), true); err != nil {
		t.Error(err)
	}
	holds(t, name, "payload")
}
