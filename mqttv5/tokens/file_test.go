package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func testKey(n int) Key {
	return Key{Broker: "b:1", CustomerID: "7", ApplicationID: 42, DeviceSerial: fmt.Sprintf("SN%d", n), GitHash: "abc"}
}

// stores are both implementations, which behave alike.
func stores(t *testing.T, limit int) map[string]Store {
	t.Helper()
	f, err := OpenFile(Config{Path: filepath.Join(t.TempDir(), "sub", "tokens.json"), Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Store{"memory": NewMemory(limit), "file": f}
}

func TestStoreGivesWhatWasSetForTheSameKeyAlone(t *testing.T) {
	for name, s := range stores(t, 3) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			expect := func(key Key, want uint32) {
				t.Helper()
				got, ok, err := s.Token(ctx, key)
				if err != nil || got != want || ok != (want != 0) {
					t.Errorf("%s/%s: got %d, %v, %v, want %d", key.DeviceSerial, key.GitHash, got, ok, err, want)
				}
			}

			set := func(key Key, token uint32) {
				t.Helper()
				if err := s.SetToken(ctx, key, token); err != nil {
					t.Fatal(err)
				}
			}

			expect(testKey(1), 0)
			set(testKey(1), 11)
			expect(testKey(1), 11)
			for _, other := range []func(*Key){
				func(k *Key) { k.GitHash = "other" }, func(k *Key) { k.Broker = "c:1" },
				func(k *Key) { k.CustomerID = "8" }, func(k *Key) { k.GroupID = "g" },
				func(k *Key) { k.ApplicationID = 43 },
			} {
				k := testKey(1)
				other(&k)
				expect(k, 0)
			}

			// A token for new firmware takes the place of the old one.
			k := testKey(1)
			k.GitHash = "new"
			set(k, 12)
			expect(testKey(1), 0)
			expect(k, 12)

			// The least recently used goes.
			set(testKey(2), 22)
			set(testKey(3), 33)
			expect(k, 12)
			set(testKey(4), 44)
			expect(testKey(2), 0)
			expect(k, 12)
			expect(testKey(3), 33)
			if err := s.DropToken(ctx, testKey(3)); err != nil {
				t.Fatal(err)
			}

			expect(testKey(3), 0)
			if err := s.DropToken(ctx, testKey(3)); err != nil {
				t.Errorf("dropping nothing: got %v, want no error", err)
			}
		})
	}
}

func TestFileKeepsOrderOverProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	open := func() *File {
		s, err := OpenFile(Config{Path: path, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	a, b := open(), open()
	for n := range 3 {
		if err := a.SetToken(t.Context(), testKey(n), uint32(n+1)); err != nil {
			t.Fatal(err)
		}
	}

	if _, ok, _ := b.Token(t.Context(), testKey(0)); !ok { // used here: 1 is now the oldest
		t.Error("got no token that another process set, want it seen")
	}
	if err := b.SetToken(t.Context(), testKey(9), 9); err != nil {
		t.Fatal(err)
	}

	c := open()
	for n, want := range map[int]bool{0: true, 1: false, 2: true, 9: true} {
		if _, ok, _ := c.Token(t.Context(), testKey(n)); ok != want {
			t.Errorf("token %d: got known %v, want %v", n, ok, want)
		}
	}

	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, error %v, want 0600", fi.Mode(), err)
	}
}

func TestFileLosesNoTokenOfConcurrentWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var wg sync.WaitGroup
	for who := range 4 {
		s, err := OpenFile(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		for part := range 2 {
			wg.Go(func() {
				for n := range 5 {
					if err := s.SetToken(t.Context(), testKey(100*who+10*part+n), 5); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}

	wg.Wait()
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.list.order.Len(); n != 40 {
		t.Errorf("got %d tokens, want 40", n)
	}
}

const goodFile = `{"version":1,"sessions":[{"broker":"b:1","customer_id":"7","application_id":42,"device_serial":"SN1","git_hash":"abc","token":5}]}`

// A file of ours that is broken is set aside with a notice, and nothing is lost.
func TestFileSetsAsideWhatIsOursAndBroken(t *testing.T) {
	for name, content := range map[string]string{
		"half": goodFile[:len(goodFile)/2], "trailing": goodFile + goodFile, "stray bracket": goodFile + "]",
		"token 0": strings.Replace(goodFile, `"token":5`, `"token":0`, 1), "token -1": strings.Replace(goodFile, `"token":5`, `"token":-1`, 1),
		"token 2^32": strings.Replace(goodFile, `"token":5`, `"token":4294967296`, 1), "no serial": strings.Replace(goodFile, `"SN1"`, `""`, 1),
		"NUL": strings.Replace(goodFile, `"SN1"`, "\x00\x00", 1), "deep": `{"version":1,"sessions":[` + strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := OpenFile(Config{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}

			if got := log.String(); !strings.Contains(got, "set aside") || !strings.Contains(got, path) {
				t.Errorf("got notice %q, want one that names the file", got)
			}
			kept, err := filepath.Glob(path + ".damaged-*")
			if err != nil || len(kept) != 1 {
				t.Fatalf("got %v, %v, want one file set aside", kept, err)
			}

			if b, err := os.ReadFile(kept[0]); err != nil || string(b) != content {
				t.Errorf("got %q set aside, %v, want what was there", b, err)
			}
			if err := s.SetToken(t.Context(), testKey(1), 5); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file of anything else stays as it is, mode and time included, and gets nothing
// beside it. Cases store-vendor-file and python-token-file.
func TestFileNeverTouchesWhatIsNotOurs(t *testing.T) {
	for name, content := range map[string]string{
		"ours, with the vendor's entries": `{"version":1,"sessions":[{"broker":"b:1","device_serial":"SN-9","token":9}],"SN-1":{"token":123,"git_hash":"3f2c9a1"}}`,
		"newer version":                   `{"version":2,"sessions":[]}`, "no version": `{"sessions":[]}`, "version as text": `{"version":"1","sessions":[]}`,
		"half of something": "{half", "array": `[1,2]`, "number": "7", "NUL": "\x00\x00", "text": "dear diary",
		"deep": strings.Repeat("[", 100_000), "too large": goodFile + strings.Repeat(" ", maxContent),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "tokens.json")
			if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, 0o644)); err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			untouched := func() {
				t.Helper()
				if b, err := os.ReadFile(path); err != nil || string(b) != content {
					t.Errorf("got content %.60q, %v, want it as it was", b, err)
				}
				if fi, err := os.Stat(path); err != nil || fi.Mode() != before.Mode() || !fi.ModTime().Equal(before.ModTime()) || !os.SameFile(fi, before) {
					t.Errorf("got %v, %v, want mode %v and time %v", fi, err, before.Mode(), before.ModTime())
				}
			}

			_, err = OpenFile(Config{Path: path})
			if !errors.Is(err, fault.ErrConfig) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want ErrConfig with the path", err)
			}
			if _, err := OpenLookup(Config{Path: path}); !errors.Is(err, fault.ErrConfig) || !strings.Contains(err.Error(), path) {
				t.Errorf("Lookup: got %v, want ErrConfig with the path", err)
			}
			untouched()
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("got %v, %v, want nothing beside it", entries, err)
			}

			// It may come while the store is open.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			s, err := OpenFile(Config{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, 0o644)); err != nil {
				t.Fatal(err)
			}
			if before, err = os.Stat(path); err != nil {
				t.Fatal(err)
			}
			if err := s.SetToken(t.Context(), testKey(1), 5); !errors.Is(err, fault.ErrConfig) || !strings.Contains(err.Error(), path) {
				t.Errorf("SetToken: got %v, want ErrConfig with the path", err)
			}
			untouched()
		})
	}
}

// An empty file holds no tokens and nothing that could be lost.
func TestEmptyFileIsAnEmptyStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetToken(t.Context(), testKey(1), 5); err != nil {
		t.Fatal(err)
	}
	if token, ok, err := s.Token(t.Context(), testKey(1)); token != 5 || !ok || err != nil {
		t.Errorf("got %d, %v, %v, want 5", token, ok, err)
	}
}

func TestFileRefusesWhatIsNoRegularFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"symbolic link": func(p string) error {
			target := filepath.Join(t.TempDir(), "elsewhere")
			return errors.Join(os.WriteFile(target, []byte(goodFile), 0o600), os.Symlink(target, p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenFile(Config{Path: path}); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), name) {
				t.Errorf("got error %v, want %v that says %q", err, fault.ErrStorage, name)
			}
		})
	}
}

func TestFileOpenToOthersBecomesPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, []byte(goodFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := OpenFile(Config{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || !strings.Contains(log.String(), "0666") {
		t.Errorf("got mode %v, log %q, want mode 0600 and 0666 in the log", fi.Mode(), log.String())
	}
	if token, ok, _ := s.Token(t.Context(), testKey(1)); !ok || token != 5 {
		t.Errorf("got token %d, known %v, want 5 and known", token, ok)
	}
}

// What a killed process leaves behind does not matter, and is removed.
func TestFileRemovesWhatAKilledWriterLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path+".lock", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := durable.Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // as if killed
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetToken(t.Context(), testKey(1), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Name()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for the temporary file of the killed writer, want %v", err, os.ErrNotExist)
	}
}

func setOne(dir string) error {
	s, err := OpenFile(Config{Path: filepath.Join(dir, "new", "tokens.json")})
	if err != nil {
		return err
	}
	return s.SetToken(context.Background(), testKey(1), 5)
}

func TestSetTokenReturnsAfterFsync(t *testing.T) {
	calls, failed := durabletest.Calls(t, t.TempDir(), setOne)
	want := "mkdir new, fsync ., fsync new/temp, rename new/tokens.json, fsync new"
	if got := strings.Join(calls, ", "); got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

func TestSetTokenThatCannotBeSyncedKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "tokens.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(goodFile), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, failed := durabletest.Calls(t, dir, setOne, "-e", "inject=fsync:error=EIO:when=1"); !failed {
		t.Error("got no error of a sync that fails, want one")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != goodFile {
		t.Errorf("got %q, %v, want the old content", b, err)
	}
}

func TestDefaultPathIsBelowHome(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_STATE_HOME", "")
	s, err := OpenFile(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(s.Path(), "/.local/state/ulogkit/session_tokens.json") {
		t.Errorf("got path %s, want one that ends with /.local/state/ulogkit/session_tokens.json", s.Path())
	}
}

// Where the state folder is said, a home folder is not needed.
func TestDefaultPathNeedsNoHomeWithAStateFolder(t *testing.T) {
	state := t.TempDir()
	t.Setenv("HOME", "")
	t.Setenv("XDG_STATE_HOME", state)
	s, err := OpenFile(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(state, "ulogkit", "session_tokens.json"); s.Path() != want {
		t.Errorf("got path %s, want %s", s.Path(), want)
	}
	if _, err := OpenLookup(Config{}); err != nil {
		t.Error(err)
	}
}

// F53: no lock is made through a link beside the file.
func TestFileRefusesALinkAsItsLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, path+".lock"); err != nil {
		t.Skip(err)
	}
	if _, err := OpenFile(Config{Path: path}); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v, want %v about the link", err, fault.ErrStorage)
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v where the link leads, want %v: nothing is made through it", err, fs.ErrNotExist)
	}
}

// The least-recently-used list against a slow model.
func TestRecentForgetsTheLeastRecentlyUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		r := newRecent(limit)
		var model []entry // most recent last
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			key := testKey(rapid.IntRange(0, 5).Draw(t, "device"))
			key.GitHash = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "hash")
			at := -1
			for i, e := range model {
				if e.key.slot() == key.slot() {
					at = i
				}
			}

			switch rapid.IntRange(0, 2).Draw(t, "op") {
			case 0:
				token := rapid.Uint32Min(1).Draw(t, "token")
				r.set(key, token)
				if at >= 0 {
					model = append(model[:at], model[at+1:]...)
				}
				model = append(model, entry{key, token})
				if len(model) > limit {
					model = model[1:]
				}

			case 1:
				got, ok := r.get(key)
				want := at >= 0 && model[at].key == key
				if ok != want || (want && got != model[at].token) {
					t.Fatalf("get %v: got %d, %v, want what is in %v", key, got, ok, model)
				}
				if want {
					e := model[at]
					model = append(append(model[:at:at], model[at+1:]...), e)
				}

			case 2:
				r.drop(key)
				if at >= 0 {
					model = append(model[:at:at], model[at+1:]...)
				}
			}

			i := 0
			for e := range r.all() {
				if i >= len(model) || e != model[i] {
					t.Fatalf("entry %d: got %v, want the order of %v", i, e, model)
				}
				i++
			}

			if i != len(model) || len(r.slots) != i {
				t.Fatalf("got %d entries and %d slots, want %d of each", i, len(r.slots), len(model))
			}
		}

		back, err := decode(encode(&r), limit)
		if err != nil || back.order.Len() != len(model) {
			t.Fatalf("over the file: got %+v, error %v, want %d entries and no error", back, err, len(model))
		}
	})
}

func FuzzTokenFile(f *testing.F) {
	r := newRecent(3)
	r.set(testKey(1), 5)
	f.Add(encode(&r))
	f.Add([]byte(`{"version":1,"sessions":null}`))
	f.Add([]byte(`{"version":1,"sessions":[{"token":1e400}]}`))
	f.Add([]byte(strings.Repeat(`{"sessions":[`, 100)))

	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b, 3)
		if err != nil {
			return
		}
		for e := range r.all() {
			if e.token == 0 || e.key.DeviceSerial == "" {
				t.Fatalf("got entry %v, want a token and a serial number", e)
			}
		}
		again, err := decode(encode(&r), 3)
		if err != nil || again.order.Len() != r.order.Len() || r.order.Len() > 3 {
			t.Fatalf("decoded again: got %+v, error %v, want the entries of the first time, %d of at most 3", again, err, r.order.Len())
		}
	})
}

// Whoever has a token can upload in a device's name.
func TestFileIsTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "tokens.json")
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetToken(t.Context(), testKey(1), 5); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, path + ".lock": 0o600, filepath.Dir(path): 0o700} {
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %o", name, fi.Mode(), err, want)
		}
	}
}
