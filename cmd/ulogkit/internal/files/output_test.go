package files

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, name, want string) {
	t.Helper()
	if b, err := os.ReadFile(name); err != nil || string(b) != want {
		t.Errorf("%s: got %q, %v, want %q", filepath.Base(name), b, err, want)
	}
}

// Checking an output changes nothing, whatever it finds.
func TestCheckLeavesTheFolderAlone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("input"), "input")
	write(t, at("other"), "other")
	write(t, at("ours"), "ours")
	write(t, at("empty"), "")
	for _, err := range []error{os.Symlink("input", at("soft")), os.Link(at("input"), at("hard")), os.Symlink("absent", at("dangling"))} {
		if err != nil {
			t.Fatal(err)
		}
	}

	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	mine := func(b []byte) bool { return string(b) == "ours" }
	for _, c := range []struct {
		name    string
		force   bool
		refused bool // with ErrRefused
		want    string
	}{
		{"input", true, true, "--out %s is the same file as --in %i, which the command uses itself"},
		{"soft", true, true, "is the same file"},
		{"hard", true, true, "is the same file"},
		{"other", false, true, "is not what this command writes; --force replaces it"},
		{"other", true, false, ""},
		{"ours", false, false, ""},
		{"empty", false, false, ""},
		{"new", false, false, ""},
		{"dangling", true, false, "symbolic link to nothing"},
		{"absent/new", true, false, "no such file"},
		{".", true, false, "is a directory"},
	} {
		o := Output{Flag: "--out", Name: at(c.name), Force: c.force, Mine: mine}
		err := o.Check(Input{Flag: "--in", Name: at("input")}, Input{Name: "-"}, Input{Name: at("absent")})
		want := strings.NewReplacer("%s", at(c.name), "%i", at("input")).Replace(c.want)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), want) || errors.Is(err, ErrRefused) != c.refused) {
			t.Errorf("%s: got %v, want %q", c.name, err, want)
		}
	}

	after, err := os.ReadDir(dir)
	if err != nil || len(after) != len(before) {
		t.Errorf("got %v in the folder, error %v; want %v as before", after, err, before)
	}
	holds(t, at("input"), "input")
	holds(t, at("other"), "other")
}

// A file that comes after the check is not replaced either.
func TestFilesMadeAfterTheCheckAreKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	o := Output{Name: name}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	write(t, name, "other")
	if err := o.Write([]byte("x"), nil); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if _, err := o.Grow(func(io.Writer) error { return nil }); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if _, err := o.WriteFrom(func(io.Writer) error { return nil }, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("stream: got %v, want ErrRefused", err)
	}
	holds(t, name, "other")
}

// An output that cannot be written to its end leaves nothing, and the old one as it was.
func TestOutputThatFailsLeavesNothing(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("broken")
	name := filepath.Join(dir, "out")
	write(t, name, "old")
	half := func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	}

	o := Output{Name: name, Force: true}
	if _, err := o.WriteFrom(half, nil); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if _, err := o.Grow(half); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	holds(t, name, "old")
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v, want the old file alone", all, err)
	}
}

// A file that cannot be read may be anything, and stays.
func TestOutputThatCannotBeReadIsRefused(t *testing.T) {
	const name = "/proc/self/mem" // a regular file whose beginning nobody can read
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		t.Skip(err)
	}
	o := Output{Name: name, Mine: func([]byte) bool { return true }}
	if err := o.Check(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "cannot be read: ") {
		t.Errorf("got %v, want it refused", err)
	}
}

// What somebody else may have put into the folder is neither followed nor replaced
// (cases delivery/extract-follows-symlink and delivery/extract-modes; F53, F55).
func TestExtractNeitherFollowsNorReplaces(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("victim"), "victim")
	write(t, at("other"), "other")
	write(t, at("same"), "payload")
	for _, err := range []error{os.Symlink("victim", at("link")), os.Symlink("absent", at("dangling")), os.Mkdir(at("dir"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct {
		name  string
		force bool
		want  string
	}{
		{"link", false, "is a symbolic link; it was left alone"},
		{"link", true, "is a symbolic link"},
		{"dangling", true, "is a symbolic link"},
		{"dir", true, "is a directory"},
		{"other", false, "holds something else; --force replaces it"},
		{"other", true, ""},
		{"same", false, ""},
		{"new", false, ""},
	} {
		err := Extract(at(c.name), []byte("payload"), c.force)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: got error %v, want none", c.name, err)
			}
			holds(t, at(c.name), "payload")
			if info, err := os.Lstat(at(c.name)); err != nil || info.Mode() != fs.FileMode(0o600) {
				t.Errorf("%s: got mode %v, %v, want 0600", c.name, info.Mode(), err)
			}
			continue
		}
		if err == nil || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}

	holds(t, at("victim"), "victim")
	if _, err := os.Lstat(at("absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the target of the dangling link: %v, want none", err)
	}
}

// What is there stays until the first bytes of a growing file are safe.
func TestGrowKeepsTheOldFileUntilSafe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	write(t, name, "old")
	o := Output{Name: name, Force: true}
	if _, err := o.Grow(func(w io.Writer) error {
		io.WriteString(w, "half")
		holds(t, name, "old")
		return errors.New("no")
	}); err == nil {
		t.Error("got no error of a content that fails, want one")
	}
	holds(t, name, "old")

	f, err := o.Grow(func(w io.Writer) error {
		_, err := io.WriteString(w, "head")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	holds(t, name, "head")
	if _, err := f.WriteString(" more"); err != nil {
		t.Fatal(err)
	}
	holds(t, name, "head more")
	if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v, want the file alone", entries, err)
	}
}

func TestStandardOutputIsNoFile(t *testing.T) {
	var out bytes.Buffer
	o := Output{Name: "-"}
	if err := o.Check(Input{Name: "-"}); err != nil {
		t.Error(err)
	}
	if err := o.Write([]byte("x"), &out); err != nil || out.String() != "x" {
		t.Errorf("got %q, %v, want \"x\"", &out, err)
	}
}
