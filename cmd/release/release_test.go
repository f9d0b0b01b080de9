package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWrongUseIsExplained(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"-targets plan9/amd64", 2, "there are linux/amd64, linux/arm64, linux/armv7, darwin/amd64, darwin/arm64, windows/amd64, freebsd/amd64"},
		{"-check", 2, "usage"},
		{"more", 2, "usage"},
		{"-o .", 1, "is not empty"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit code %d, want %d: %s", c.args, code, c.code, &stderr)
		}
	}
}

// Archives of the same files are the same bytes, and hold them with the rights that
// they need.
func TestArchivesAreReproducible(t *testing.T) {
	members := []member{{"ulogkit", 0o755, []byte("program")}, {"man/ulogkit.1", 0o644, []byte(".TH\n")}}
	modified := time.Date(2026, 11, 29, 3, 4, 6, 0, time.UTC)

	for name, write := range map[string]func(string, string, []member, time.Time) error{"tar.gz": writeTar, "zip": writeZip} {
		var files [2][]byte
		for i := range files {
			path := filepath.Join(t.TempDir(), "a."+name)
			if err := write(path, "folder", members, modified); err != nil {
				t.Fatal(err)
			}
			var err error
			if files[i], err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s of the same files, made twice: got other bytes (%d and %d of them), want the same", name, len(files[0]), len(files[1]))
		}
		got := unpack(t, name, files[0])
		if want := "folder/ulogkit -rwxr-xr-x 2026-11-29T03:04:06Z program\nfolder/man/ulogkit.1 -rw-r--r-- 2026-11-29T03:04:06Z .TH\n\n"; got != want {
			t.Errorf("%s holds\n%swant\n%s", name, got, want)
		}
	}
}

// unpack lists an archive with what its files hold.
func unpack(t *testing.T, name string, b []byte) (list string) {
	t.Helper()
	line := func(name, mode string, modified time.Time, r io.Reader) {
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		list += name + " " + mode + " " + modified.UTC().Format(time.RFC3339) + " " + string(content) + "\n"
	}

	if name == "zip" {
		archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			line(f.Name, f.Mode().String(), f.Modified, r)
			r.Close()
		}
		return list
	}

	unzipped, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}

	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("%s belongs to %d:%d %q:%q, want Uid 0, Gid 0, Uname \"\" and Gname \"\"", h.Name, h.Uid, h.Gid, h.Uname, h.Gname)
		}
		line(h.Name, h.FileInfo().Mode().String(), h.ModTime, archive)
	}
}

// The licences that the program shows are those of the modules that it is made of.
func TestNoticesAreCurrent(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	if err := writeNotices(t.Context(), noticesFile, true); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(t.TempDir(), "notices.txt")
	if err := keepNotices(stale, []byte("new"), true); err == nil {
		t.Error("of a file that is not there: got no error, want one that says it is not current")
	}
	if err := os.WriteFile(stale, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keepNotices(stale, []byte("new"), true); err == nil || !strings.Contains(err.Error(), "-notices") {
		t.Errorf("got %v, want an error that says how to write them", err)
	}
	if err := keepNotices(stale, []byte("new"), false); err != nil {
		t.Error(err)
	}
	if err := keepNotices(stale, []byte("new"), true); err != nil {
		t.Errorf("what was written: got %v, want it to be current", err)
	}
}

// A module without a licence cannot be released; one that stands twice is named twice
// and quoted once, also where its lines are broken otherwise.
func TestNoticesQuoteEachLicenceOnce(t *testing.T) {
	folder := func(name, text string) map[string]bool {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return map[string]bool{dir: true}
	}
	one := module{Path: "one", Version: "v1.0.0", folders: folder("LICENSE", "the same\nwords\n")}
	two := module{Path: "two", Version: "v2.0.0", folders: folder("licence.txt", "the same words")}
	bare := module{Path: "bare", folders: folder("main.go", "package main")}
	text, err := notices([]module{one, two})
	if err != nil || !strings.Contains(string(text), "one v1.0.0\ntwo v2.0.0\n\nthe same\nwords\n") || strings.Count(string(text), "the same") != 1 {
		t.Errorf("got error %v and the text\n%s\nwant no error, and \"one v1.0.0\", \"two v2.0.0\", then once the licence that both share", err, text)
	}
	if _, err := notices([]module{one, bare}); err == nil || !strings.Contains(err.Error(), "bare has no licence") {
		t.Errorf("got %v, want that bare has none", err)
	}
}

// CHANGELOG.md names packages whose API is stable; each is there, and named once.
func TestStablePackagesAreThere(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "| package | Go API |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	said := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| (.*?) \| (?:stable|may change)`).FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			said[name]++
		}
	}

	if len(said) < 15 {
		t.Errorf("CHANGELOG.md: got %d packages, want at least 15", len(said))
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "github.com/ulogkit/ulogkit/...").Output()
	if err != nil {
		t.Fatal(err)
	}

	for path := range strings.FieldsSeq(string(out)) {
		name := strings.TrimPrefix(path, "github.com/ulogkit/ulogkit/")
		if said[name] > 1 {
			t.Errorf("CHANGELOG.md: got %s %d times, want it once", name, said[name])
		}
		delete(said, name)
	}

	delete(said, "all others")
	for name := range said {
		t.Errorf("got no package %s, want it, as CHANGELOG.md makes a promise of it", name)
	}
}

// The files that packages are made of are there, and so is the user that the unit runs
// as: systemd calls a dynamic user as the unit.
func TestFilesOfPackagesAreThere(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	config, err := os.ReadFile(".release/nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sources := regexp.MustCompile(`(?m)(?:src|postinstall|preremove|postremove): ([^$\s]+)$`).FindAllStringSubmatch(string(config), -1)
	if len(sources) < 9 {
		t.Errorf("found %d files, want at least 9", len(sources))
	}

	for _, m := range sources {
		if _, err := os.Stat(m[1]); err != nil {
			t.Error(err)
		}
	}

	users, err := os.ReadFile(".release/sysusers.conf")
	if err != nil || !strings.Contains(string(users), "\nu ulogkit-gateway ") || !strings.Contains(string(config), "ulogkit-gateway.service") {
		t.Errorf("got error %v, sysusers.conf\n%s\nand nfpm.yaml\n%s\nwant no error, the user ulogkit-gateway in the first and ulogkit-gateway.service in the second",
			err, users, config)
	}

	for _, name := range []string{"postinstall", "preremove", "postremove"} {
		if out, err := exec.Command("sh", "-n", ".release/"+name).CombinedOutput(); err != nil {
			t.Errorf("%s: got %v from sh -n, want a script that it can read\n%s", name, err, out)
		}
	}
}

// A package that does not compile on a system is found, of those of this module.
func TestTypesAreChecked(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n\nfunc f() { missing() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := source{ImportPath: "a", Dir: dir, GoFiles: []string{"a.go"}}
	if _, err := p.check(token.NewFileSet(), nil, target{arch: "amd64"}, true); err == nil || !strings.Contains(err.Error(), "a.go:3:12: undefined: missing") {
		t.Errorf("got %v, want the place of what is undefined", err)
	}
	if _, err := p.check(token.NewFileSet(), nil, target{arch: "amd64"}, false); err != nil {
		t.Errorf("a body of others: got error %v, want none", err)
	}
}
