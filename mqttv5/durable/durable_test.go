package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func mode(t *testing.T, name string) fs.FileMode {
	t.Helper()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode().Perm()
}

func TestReplaceFileHasTheModeThatIsAskedFor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for i, c := range []struct{ mode, want fs.FileMode }{
		{0o644, 0o644}, {KeepMode, 0o644}, {0o600, 0o600}, {KeepMode, 0o600}, {0o666, 0o666},
	} {
		text := fmt.Sprint(i)
		if err := ReplaceFile(name, []byte(text), c.mode); err != nil {
			t.Fatal(err)
		}
		if got := mode(t, name); runtime.GOOS != "windows" && got != c.want {
			t.Errorf("step %d: got mode %o, want %o", i, got, c.want)
		}
		if got := read(t, name); got != text {
			t.Errorf("step %d: got content %q, want %q", i, got, text)
		}
	}
	if got := names(t, filepath.Dir(name)); got != "f" {
		t.Errorf("got files %q, want f alone", got)
	}
}

func TestReplaceFileRefusesWhatIsNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("old"), 0o600), os.Symlink("target", link), os.Mkdir(filepath.Join(dir, "d"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"link": "symbolic link", "d": "directory"} {
		err := ReplaceFile(filepath.Join(dir, name), []byte("new"), 0o600)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, want)
		}
	}
	if got := read(t, target); got != "old" {
		t.Errorf("the link's target has %q, want old", got)
	}
	if got := names(t, dir); got != "d link target" {
		t.Errorf("got files %q, want nothing new", got)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	f, err := Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("half")
	f.Abort()
	f.Abort()
	if got := names(t, dir); got != "" {
		t.Errorf("got files %q, want none", got)
	}
}

// Of many writers at once one stays whole.
func TestWritersDoNotDisturbEachOther(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if err := ReplaceFile(name, []byte(strings.Repeat(string(rune('a'+i)), 1<<16)), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := read(t, name)
	if len(got) != 1<<16 || got != strings.Repeat(got[:1], 1<<16) {
		t.Errorf("got %d bytes of more than one writer, want %d of one", len(got), 1<<16)
	}
	if got := names(t, dir); got != "f" {
		t.Errorf("got files %q, want f alone", got)
	}
}

func TestSweepRemovesOnlyWhatOneOfOursLeft(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	f, err := Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // as if killed
	const folder = ".f.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp"
	if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{".f.tmp", ".f.mine.tmp", "f.tmp", ".f.g.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp", ".g.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, other), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	if err := Sweep(name); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), folder+" .f.g.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp .f.mine.tmp .f.tmp .g.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp f.tmp"; got != want {
		t.Errorf("got files %q, want %q", got, want)
	}
}

func TestSetAsideKeepsTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	aside, err := SetAside(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(aside, name+".damaged-") || read(t, aside) != "x" {
		t.Errorf("got the file at %s, want it at %s.damaged-..., as it was", aside, name)
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for the file, want %v: it has another name", err, fs.ErrNotExist)
	}
}

// Two files set aside in the same nanosecond, as by clocks that are coarse or set back,
// do not replace each other.
func TestSetAsideReplacesNothing(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	synctest.Test(t, func(t *testing.T) { // its clock stands still
		for n, text := range []string{"first", "second"} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := SetAside(name); (err == nil) != (n == 0) {
				t.Errorf("%s: got error %v, want one: %v", text, err, n > 0)
			}
		}
		if got := read(t, name); got != "second" {
			t.Errorf("got %q, want the second where it was", got)
		}
	})
}

func TestMakeDirKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(filepath.Join(dir, "a", "b", "c"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, filepath.Join(dir, "a")); runtime.GOOS != "windows" && got != 0o755 {
		t.Errorf("got mode %o, want 755", got)
	}
	if got := mode(t, filepath.Join(dir, "a", "b", "c")); runtime.GOOS != "windows" && got != 0o700 {
		t.Errorf("got mode %o, want 700", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(filepath.Join(dir, "file", "x"), 0o700); err == nil {
		t.Error("got no error below a file, want one")
	}
}

// A folder whose name anybody can predict is used only if it is one itself, and what is
// refused stays as it is (F53).
func TestSubfolderIsNoLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if got, err := Subfolder(dir, "new", 0o700); err != nil || got != filepath.Join(dir, "new") {
		t.Errorf("got %s, %v, want the folder", got, err)
	}
	if _, err := Subfolder(dir, "new", 0o700); err != nil {
		t.Errorf("got %v for one that is there", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(elsewhere, filepath.Join(dir, "link")), os.Symlink("absent", filepath.Join(dir, "dangling"))); err != nil {
		t.Skip(err)
	}

	for name, want := range map[string]string{
		"link": "link is a symbolic link to " + elsewhere + ", which is not followed; remove the link", "dangling": "a symbolic link to absent", "file": "file is a regular file, not a folder",
	} {
		for _, f := range []func() error{
			func() error { _, err := Subfolder(dir, name, 0o700); return err }, func() error { return CheckSubfolder(dir, name) },
		} {
			if err := f(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v where the link leads, want nothing made through it", err)
	}
}

var steps = map[string]func(dir string) error{
	"replace":   func(dir string) error { return ReplaceFile(filepath.Join(dir, "f"), []byte("new"), 0o600) },
	"make":      func(dir string) error { return MakeDir(filepath.Join(dir, "a", "b", "c"), 0o700) },
	"subfolder": func(dir string) error { _, err := Subfolder(dir, "a", 0o700); return err },
	"set-aside": func(dir string) error { _, err := SetAside(filepath.Join(dir, "f")); return err },
	"appear": func(dir string) error {
		f, err := Create(filepath.Join(dir, "f"), 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Appear(), f.Close())
	},
}

func TestEachStepIsSyncedInOrder(t *testing.T) {
	for step, want := range map[string]string{
		"replace":   "fsync temp, rename f, fsync .",
		"make":      "mkdir a, mkdir a/b, mkdir a/b/c, fsync a/b, fsync a, fsync .",
		"subfolder": "mkdir a, fsync .",
		"set-aside": "rename f.damaged-, fsync .",
		"appear":    "fsync temp, rename f, fsync .",
	} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			calls, failed := durabletest.Calls(t, dir, steps[step])
			for i, c := range calls {
				if at := strings.Index(c, ".damaged-"); at >= 0 {
					calls[i] = c[:at+len(".damaged-")]
				}
			}
			if got := strings.Join(calls, ", "); got != want || failed {
				t.Errorf("got %s (failed: %v), want %s", got, failed, want)
			}
		})
	}
}

// A sync or rename that fails is an error, and the old file stays.
func TestWhatFailsLeavesTheOldFile(t *testing.T) {
	for call, option := range map[string]string{
		"fsync":  "inject=fsync:error=EIO:when=1",
		"rename": "inject=rename,renameat,renameat2:error=EACCES",
	} {
		t.Run(call, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "f")
			if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, failed := durabletest.Calls(t, dir, steps["replace"], "-e", option); !failed {
				t.Error("got no error, want one of the call that fails")
			}
			if got := read(t, name); got != "old" {
				t.Errorf("got content %q, want old", got)
			}
			if got := names(t, dir); got != "f" {
				t.Errorf("got files %q, want f alone", got)
			}
		})
	}
}

func TestAppearReplacesAndStaysOpen(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("head")
	if got := read(t, name); got != "old" {
		t.Errorf("before: got %q, want the old content", got)
	}

	if err := f.Appear(); err != nil {
		t.Fatal(err)
	}
	f.WriteString(" more")
	f.Abort() // of a file that has appeared does nothing
	if got := read(t, name); got != "head more" {
		t.Errorf("after: got %q, want all that was written", got)
	}

	if got := names(t, dir); got != "f" || mode(t, name) != 0o600 {
		t.Errorf("got %s in the folder, mode %o, want f of mode 600", got, mode(t, name))
	}
}

func TestPlaceShowsTheWholeFileAtOnce(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	f, err := Create(name, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	f.WriteString("all of it")
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: got %v, want no file under its name", err)
	}

	if err := f.Place(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, name); got != "all of it" {
		t.Errorf("after: got %q, want all that was written", got)
	}
	if got := names(t, dir); got != "f" || mode(t, name) != 0o600 {
		t.Errorf("got files %q, mode %o, want f alone, 600", got, mode(t, name))
	}

	// What fails leaves nothing, and the folder that was there.
	g, err := Create(filepath.Join(dir, "g"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "g", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := g.Place(); err == nil {
		t.Error("got no error, want one: a folder has the name")
	}
	if got := names(t, dir); got != "f g" {
		t.Errorf("got files %q, want f and g, nothing beside them", got)
	}
}

// F53: a lock is never made, nor taken, through what somebody has put in its place.
func TestCheckLockRefusesLinksAndFolders(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("file"), nil, 0o600), os.Mkdir(at("folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("file", at("link")), os.Symlink("nothing", at("dangling"))); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]string{
		"none": "", "file": "", "folder": "folder is a directory, not a lock file",
		"link": "link is a symbolic link, not a lock file", "dangling": "dangling is a symbolic link, not a lock file",
	} {
		err := CheckLock(at(name))
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestReadStartTakesNoMoreThanAskedFor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int64]string{0: "", 4: "0123", 10: "0123456789", 11: "0123456789"} {
		if got, err := ReadStart(name, n); err != nil || string(got) != want {
			t.Errorf("%d bytes: got %q, %v, want %q", n, got, err, want)
		}
	}
	if _, err := ReadStart(name+"x", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for no file, want fs.ErrNotExist", err)
	}
}
