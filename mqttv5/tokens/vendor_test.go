package tokens

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// As the vendor's library writes it, and a member that nobody here knows (cases
// seed/store-vendor-file and cli/python-token-file).
const libraryFile = `{
  "SN-1": {
    "token": 111,
    "git_hash": "h1"
  },
  "SN-2": {
    "note": "kept"
  }
}`

func keyOf(serial, hash string) Key {
	return Key{Broker: "b:1", CustomerID: "42", ApplicationID: 7, DeviceSerial: serial, GitHash: hash}
}

// The library's file is read and written in its own format; its mode stays, nothing
// in it is lost, and nothing is renamed.
func TestLibraryFileKeepsItsFormatAndEntries(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "session_tokens.json")
	if err := os.WriteFile(path, []byte(libraryFile), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o644)
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if token, ok, err := s.Token(t.Context(), keyOf("SN-1", "h1")); token != 111 || !ok || err != nil {
		t.Errorf("got %d, known %v, error %v, want 111 and known", token, ok, err)
	}
	if _, ok, _ := s.Token(t.Context(), keyOf("SN-1", "h2")); ok {
		t.Error("got the token of another firmware, want none")
	}
	if b, _ := os.ReadFile(path); string(b) != libraryFile {
		t.Errorf("got file %s after reading, want it unchanged: %s", b, libraryFile)
	}
	if err := s.SetToken(t.Context(), keyOf("SN-3", "h3"), 333); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSuffix(libraryFile, "\n}") + ",\n  \"SN-3\": {\n    \"token\": 333,\n    \"git_hash\": \"h3\"\n  }\n}"
	if b, _ := os.ReadFile(path); string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o644 {
		t.Errorf("got mode %v, error %v, want 0644", fi.Mode(), err)
	}

	// The library writes over it from its memory; what was set here is put back.
	if err := os.WriteFile(path, []byte(`{"PY": {"token": 5, "git_hash": "p"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if token, ok, _ := s.Token(t.Context(), keyOf("PY", "p")); token != 5 || !ok {
		t.Errorf("got %d, known %v, want 5 and known", token, ok)
	}
	var all map[string]foreignToken
	b, _ := os.ReadFile(path)
	if err := json.Unmarshal(b, &all); err != nil || len(all) != 2 || all["SN-3"].Token != "333" {
		t.Errorf("got %s, error %v, want 2 entries, and token 333 of SN-3", b, err)
	}
	if err := s.DropToken(t.Context(), keyOf("SN-3", "h3")); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Token(t.Context(), keyOf("SN-3", "h3")); ok {
		t.Error("got a token that was dropped, want none")
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		if name != path && name != path+".lock" {
			t.Errorf("got %s left, want only %s and its lock", name, path)
		}
	}
}

// The library keeps tokens that no log can bear. A file of nothing else is still its
// own: it is used, and they stay for it.
//
// Kind of seed/store-vendor-file.
func TestLibraryFileWithOddTokensIsStillUsed(t *testing.T) {
	for _, odd := range []string{"-1", "0", "99999999999", "1e3", "1.5"} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		old := `{"SN-1": {"token": ` + odd + `, "git_hash": "h1"}, "SN-2": {"token": ` + odd + `, "git_hash": null}}`
		if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenFile(Config{Path: path})
		if err != nil {
			t.Errorf("token %s: got %v, want no error", odd, err)
			continue
		}

		if token, ok, err := s.Token(t.Context(), keyOf("SN-1", "h1")); ok || err != nil {
			t.Errorf("token %s: got %d, known %v, error %v, want none and no error", odd, token, ok, err)
		}
		if err := s.SetToken(t.Context(), keyOf("SN-1", "h1"), 333); err != nil {
			t.Fatal(err)
		}

		b, _ := os.ReadFile(path)
		if want := "{\n  \"SN-2\": {\n    \"token\": " + odd + ",\n    \"git_hash\": null\n  },\n  \"SN-1\": {\n    \"token\": 333,\n    \"git_hash\": \"h1\"\n  }\n}"; string(b) != want {
			t.Errorf("token %s: got %s, want %s", odd, b, want)
		}
	}

	for _, other := range []string{`{"a": {"token": null, "git_hash": "h"}}`, `{"a": {"token": "x", "git_hash": "h"}}`, `{"a": {"token": 5}}`, `{"a": {"git_hash": "h"}}`} {
		if _, ok := decodeForeign([]byte(other)); ok {
			t.Errorf("got %s taken for the library's, want it refused", other)
		}
	}
}

// At its default path the library's file is looked into, and nothing is written.
func TestLibraryFileAtItsDefaultPathIsNotWritten(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	path := filepath.Join(home, ".ulogger", "session_tokens.json")
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(libraryFile), 0o644); err != nil {
		t.Fatal(err)
	}

	s, err := OpenFile(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Path() != filepath.Join(home, ".local", "state", "ulogkit", "session_tokens.json") {
		t.Errorf("got path %s, want .local/state/ulogkit/session_tokens.json below %s", s.Path(), home)
	}

	if token, ok, err := s.Token(t.Context(), keyOf("SN-1", "h1")); token != 111 || !ok || err != nil {
		t.Errorf("got %d, known %v, error %v, want 111 and known", token, ok, err)
	}

	// One that the cloud refused is not given out again.
	if err := s.DropToken(t.Context(), keyOf("SN-1", "h1")); err != nil {
		t.Fatal(err)
	}
	if token, ok, _ := s.Token(t.Context(), keyOf("SN-1", "h1")); ok {
		t.Errorf("got %d, which was dropped, want none", token)
	}

	if err := s.SetToken(t.Context(), keyOf("SN-1", "h1"), 222); err != nil {
		t.Fatal(err)
	}
	if token, _, _ := s.Token(t.Context(), keyOf("SN-1", "h1")); token != 222 {
		t.Errorf("got %d, want the newer one", token)
	}

	if b, _ := os.ReadFile(path); string(b) != libraryFile {
		t.Errorf("got the library's file as %s, want it unchanged: %s", b, libraryFile)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("got %v in the folder, want the library's file alone", names)
	}
}
