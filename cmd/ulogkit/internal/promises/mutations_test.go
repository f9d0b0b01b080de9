package promises

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// root is the repository's folder, from here.
const root = "../../../.."

// mutation takes a promise out of the code.
type mutation struct {
	promise string // that the line keeps
	file    string // from the root on
	old     string // what stands there, once
	new     string // what keeps the promise no more
	test    string // that fails then
	in      string // package of the test, from the root on; empty for that of the file
}

func (m *mutation) pkg() string {
	if m.in != "" {
		return m.in
	}
	return filepath.ToSlash(filepath.Dir(m.file))
}

// all returns the whole list.
func all() (list []mutation) {
	for _, part := range [][]mutation{earlier, syncs, orders, modes, checks, numbers, structure, others} {
		list = append(list, part...)
	}
	return list
}

// find returns the file in which the line stands now: lines move within a package.
// The name is empty if it stands nowhere, or more than once.
func (m *mutation) find(t *testing.T) (name string, content string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.Dir(m.file), "*.go"))
	if err != nil || len(files) == 0 {
		return "", ""
	}
	times := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), m.old); n > 0 && !strings.HasSuffix(f, "_test.go") {
			times += n
			name, content = f, string(b)
		}
	}
	if times != 1 {
		return "", ""
	}
	return name, content
}

// hasTest reports whether the test of the line is there.
func (m *mutation) hasTest(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, m.pkg(), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(m.test, "/")
	declared := regexp.MustCompile(`(?m)^func ` + name + `\(`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(b) {
			return true
		}
	}
	return false
}

// The list is of this code: who writes such a line anew says anew what keeps the
// promise.
func TestListIsOfThisCode(t *testing.T) {
	list := all()
	if len(list) < 100 {
		t.Fatalf("got %d lines, want at least 100", len(list))
	}
	for _, m := range list {
		if name, _ := m.find(t); name == "" {
			t.Errorf("%s: got %q not once beside %s, want it in one place", m.promise, m.old, m.file)
		} else if !m.hasTest(t) {
			t.Errorf("%s: got no test %s in %s, want it there", m.promise, m.test, m.pkg())
		}
	}
}

// TestMutationsFailTheirTests takes out each line and runs its test, which must fail.
// It takes half an hour: ULOGKIT_MUTATIONS is a regular expression of the promises or
// files to try, or, as "3/20", a part of them: every twentieth, from the third on, as
// far as partTime goes.
func TestMutationsFailTheirTests(t *testing.T) {
	which := os.Getenv("ULOGKIT_MUTATIONS")
	if which == "" {
		t.Skip("ULOGKIT_MUTATIONS=. runs it")
	}
	wanted := func(_ int, m *mutation) bool {
		return regexp.MustCompile(which).MatchString(m.promise + " " + m.file)
	}
	var first, every int
	if n, err := fmt.Sscanf(which, "%d/%d", &first, &every); n == 2 && err == nil && every > 0 {
		wanted = func(i int, _ *mutation) bool { return i%every == first%every }
	}

	tried, begin := 0, time.Now()
	for i, m := range all() {
		if every > 0 && time.Since(begin) > partTime {
			t.Logf("after %v: what follows is left to another run", partTime)
			break
		}
		if wanted(i, &m) {
			tried++
			t.Run(m.promise, func(t *testing.T) { m.try(t) })
		}
	}
	if tried == 0 {
		t.Errorf("ULOGKIT_MUTATIONS=%s: got no promise and no file, want some", which)
	}
}

// partTime is when a part begins with no further line. Most take a few seconds.
const partTime = 4 * time.Minute

// lineTime is for a test whose line is taken out. Where the line keeps it from waiting
// in vain, the time is what it fails by.
const lineTime = time.Minute

// attempts is how often a test may miss what is taken out: some see a line's absence by
// what happens at the same time.
const attempts = 3

func (m *mutation) try(t *testing.T) {
	name, content := m.find(t)
	if name == "" {
		t.Fatalf("%s: got %q not there or not once, want it once: say anew which line keeps the promise", m.file, m.old)
	}
	if !m.hasTest(t) {
		t.Fatalf("got no test %s in %s, want one", m.test, m.pkg())
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(content, m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}

	for range attempts {
		cmd := exec.Command("go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-vet", "off", "-count", "1", "-timeout", lineTime.String(), "-run", anchored(m.test), "./"+m.pkg())
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		switch {
		case err == nil:
			continue
		case !strings.Contains(string(out), "--- FAIL: ") && !strings.Contains(string(out), "panic: ") && !strings.Contains(string(out), "fatal error: "):
			t.Errorf("%s: got no run of %s, want one that fails: %s", m.file, m.test, out)
		}
		return
	}
	t.Errorf("%s: got no failure of %s without the line, want one", m.file, m.test)
}

// anchored makes the pattern of one test and its parts.
func anchored(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + p + "$"
	}
	return strings.Join(parts, "/")
}
