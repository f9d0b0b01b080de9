package tokens

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func TestLookupFindsTheDeviceOfATokenOrNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "tokens.json")
	s, err := OpenLookup(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Lookup("7", "", 42, 5); ok {
		t.Error("got a device without a file, want none")
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for the folder, want %v: looking makes none", err, os.ErrNotExist)
	}

	store, err := OpenFile(Config{Path: path, Limit: DefaultLimit + 10})
	if err != nil {
		t.Fatal(err)
	}
	set := func(broker, customer, group string, app uint32, serial, hash string, token uint32) {
		t.Helper()
		if err := store.SetToken(t.Context(), Key{broker, customer, group, app, serial, hash}, token); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(customer, group string, app, token uint32, serial, hash string) {
		t.Helper()
		key, ok := s.Lookup(customer, group, app, token)
		if ok != (serial != "") || key.DeviceSerial != serial || key.GitHash != hash {
			t.Errorf("token %d of %s/%s/%d: got %+v, known %v, want serial %q with %q", token, customer, group, app, key, ok, serial, hash)
		}
	}
	set("b:1", "7", "", 42, "SN1", "abc", 5)
	set("b:1", "7", "G", 42, "SN2", "abc", 5)
	set("b:1", "8", "", 42, "SN3", "abc", 5)
	set("b:1", "7", "", 43, "SN4", "def", 5)
	expect("7", "", 42, 5, "SN1", "abc")
	expect("7", "G", 42, 5, "SN2", "abc")
	expect("8", "", 42, 5, "SN3", "abc")
	expect("7", "", 43, 5, "SN4", "def")
	expect("7", "", 42, 6, "", "")
	expect("9", "", 42, 5, "", "")

	// New firmware, new token: the old one is nobody's.
	set("b:1", "7", "", 42, "SN1", "def", 6)
	expect("7", "", 42, 5, "", "")
	expect("7", "", 42, 6, "SN1", "def")
	// Two brokers that gave one token to two devices, then the third.
	set("b:2", "7", "", 42, "SN9", "abc", 6)
	expect("7", "", 42, 6, "", "")
	set("b:3", "7", "", 42, "SN1", "def", 6)
	expect("7", "", 42, 6, "", "")
	// Two that gave one token to one device.
	set("b:2", "8", "", 42, "SN3", "abc", 5)
	expect("8", "", 42, 5, "SN3", "abc")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("8", "", 42, 5, "", "")
}

// A store may have been given more than its usual limit.
func TestLookupHasNoLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	list := newRecent(DefaultLimit + 1)
	for n := range DefaultLimit + 1 {
		list.set(Key{CustomerID: "7", ApplicationID: 42, DeviceSerial: fmt.Sprint("SN", n)}, uint32(n+1))
	}
	if err := os.WriteFile(path, encode(&list), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenLookup(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for n := range DefaultLimit + 1 {
		if key, ok := s.Lookup("7", "", 42, uint32(n+1)); !ok || key.DeviceSerial != fmt.Sprint("SN", n) {
			t.Fatalf("token %d: got %+v, known %v, want device SN%d", n+1, key, ok, n)
		}
	}
}

// A damaged file is an error at first and a notice later, and stays as it is:
// another may be about to look at it.
func TestLookupKeepsWhatItKnewOfADamagedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens.json")
	good := goodFile
	for _, bad := range []string{good[:50], good + good} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := OpenLookup(Config{Path: path}); s != nil || !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.60q: got error %v, want %v that names the file", bad, err, fault.ErrStorage)
		}
	}
	if _, err := OpenLookup(Config{Path: dir}); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: got %v, want %v that says it is a directory", err, fault.ErrStorage)
	}

	if err := errors.Join(os.WriteFile(path, []byte(good), 0o600), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := OpenLookup(Config{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(good[:50]), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if key, ok := s.Lookup("7", "", 42, 5); !ok || key.DeviceSerial != "SN1" {
			t.Errorf("got %+v, %v, want the key of SN1", key, ok)
		}
	}
	if n := strings.Count(log.String(), "cannot look up"); n != 1 || !strings.Contains(log.String(), path) {
		t.Errorf("got it said %d times, want once and with %q: %s", n, path, &log)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %v in the directory, error %v, want the file alone", entries, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("got mode %v, error %v, want 0640", fi.Mode(), err)
	}
}

// The file of the vendor's library names devices too, and is not touched (case
// seed/store-vendor-file).
func TestLookupReadsTheLibrarysFile(t *testing.T) {
	const file = `{"SN1": {"token": 5, "git_hash": "abc"}, "A": {"token": 6, "git_hash": "x"}, "B": {"token": 6, "git_hash": "x"}, "C": {"no": "token"}}`
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	path := libraryPath()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{"named": {Path: path}, "at its default path": {}} {
		s, err := OpenLookup(cfg)
		if err != nil {
			t.Fatal(err)
		}
		key, ok := s.Lookup("7", "0", 42, 5)
		if want := (Key{CustomerID: "7", GroupID: "0", ApplicationID: 42, DeviceSerial: "SN1", GitHash: "abc"}); !ok || key != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, key, ok, want)
		}
		for _, token := range []uint32{6, 7} {
			if key, ok := s.Lookup("7", "0", 42, token); ok {
				t.Errorf("%s: got %+v for token %d, want nobody", name, key, token)
			}
		}
	}
	after, err := os.Stat(path)
	if b, read := os.ReadFile(path); err != nil || read != nil || string(b) != file || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("got %v and %s, errors %v and %v, want it untouched: %v and %s", after, b, err, read, before, file)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("got %v in the folder, want the library's file alone", names)
	}

	// A newer registration is found when the library has written it.
	s, err := OpenLookup(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"SN1": {"token": 99, "git_hash": "def"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if key, ok := s.Lookup("7", "0", 42, 99); !ok || key.GitHash != "def" {
		t.Errorf("got %+v, known %v, want the firmware def and known", key, ok)
	}
	if _, ok := s.Lookup("7", "0", 42, 5); ok {
		t.Error("got a device for the token that was replaced, want nobody")
	}
}

// The firmware of a token is told without the application, unless it is disputed.
func TestLookupTellsTheFirmwareOfAToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	s, err := OpenLookup(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(token uint32, want string) {
		t.Helper()
		if got, ok := s.GitHash(token); got != want || ok != (want != "") {
			t.Errorf("token %d: got %q, %v, want %q", token, got, ok, want)
		}
	}
	expect(5, "")

	store, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		app    uint32
		serial string
		hash   string
		token  uint32
	}{{7, "SN1", "abc", 5}, {8, "SN2", "abc", 5}, {7, "SN3", "abc", 6}, {8, "SN4", "def", 6}, {9, "SN5", "abc", 6}} {
		key := Key{Broker: "b:1", CustomerID: "7", ApplicationID: e.app, DeviceSerial: e.serial, GitHash: e.hash}
		if err := store.SetToken(t.Context(), key, e.token); err != nil {
			t.Fatal(err)
		}
	}
	expect(5, "abc")
	expect(6, "") // of two, one of them with two devices
	expect(7, "")

	// That of the library, which is read and stays as it is.
	library := `{"SN-1": {"token": 5, "git_hash": "abc"}, "SN-2": {"token": 5, "git_hash": "abc"}, "SN-3": {"token": 6, "git_hash": "abc"}, "SN-4": {"token": 6, "git_hash": "def"}}`
	path = filepath.Join(t.TempDir(), "session_tokens.json")
	if err := os.WriteFile(path, []byte(library), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenLookup(Config{Path: path}); err != nil {
		t.Fatal(err)
	}
	expect(5, "abc")
	expect(6, "")
	if b, err := os.ReadFile(path); err != nil || string(b) != library {
		t.Errorf("got file %q, error %v, want it unchanged: %q", b, err, library)
	}
}
