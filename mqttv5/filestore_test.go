package mqttv5

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func storeKey(n int) SessionKey {
	return SessionKey{Broker: "b:1", CustomerID: "7", ApplicationID: 42, DeviceSerial: fmt.Sprintf("SN%d", n), GitHash: "abc"}
}

// stores are both implementations, which behave alike.
func stores(t *testing.T, limit int) map[string]SessionStore {
	t.Helper()
	f, err := OpenFileStore(FileStoreConfig{Path: filepath.Join(t.TempDir(), "sub", "tokens.json"), Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]SessionStore{"memory": NewMemoryStore(limit), "file": f}
}

func TestStores(t *testing.T) {
	for name, s := range stores(t, 3) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			expect := func(key SessionKey, want uint32) {
				t.Helper()
				got, ok, err := s.Token(ctx, key)
				if err != nil || got != want || ok != (want != 0) {
					t.Errorf("%s/%s: %d %v %v, want %d", key.DeviceSerial, key.GitHash, got, ok, err, want)
				}
			}
			set := func(key SessionKey, token uint32) {
				t.Helper()
				if err := s.SetToken(ctx, key, token); err != nil {
					t.Fatal(err)
				}
			}
			expect(storeKey(1), 0)
			set(storeKey(1), 11)
			expect(storeKey(1), 11)
			for _, other := range []func(*SessionKey){
				func(k *SessionKey) { k.GitHash = "other" }, func(k *SessionKey) { k.Broker = "c:1" },
				func(k *SessionKey) { k.CustomerID = "8" }, func(k *SessionKey) { k.GroupID = "g" },
				func(k *SessionKey) { k.ApplicationID = 43 },
			} {
				k := storeKey(1)
				other(&k)
				expect(k, 0)
			}
			// A token for new firmware takes the place of the old one.
			k := storeKey(1)
			k.GitHash = "new"
			set(k, 12)
			expect(storeKey(1), 0)
			expect(k, 12)
			// The least recently used goes.
			set(storeKey(2), 22)
			set(storeKey(3), 33)
			expect(k, 12)
			set(storeKey(4), 44)
			expect(storeKey(2), 0)
			expect(k, 12)
			expect(storeKey(3), 33)
			if err := s.DropToken(ctx, storeKey(3)); err != nil {
				t.Fatal(err)
			}
			expect(storeKey(3), 0)
			if err := s.DropToken(ctx, storeKey(3)); err != nil {
				t.Errorf("dropping nothing: %v", err)
			}
		})
	}
}

func TestFileStoreKeepsOrderOverProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	open := func() *FileStore {
		s, err := OpenFileStore(FileStoreConfig{Path: path, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := open(), open()
	for n := range 3 {
		if err := a.SetToken(t.Context(), storeKey(n), uint32(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, _ := b.Token(t.Context(), storeKey(0)); !ok { // used here: 1 is now the oldest
		t.Error("another process's token is not seen")
	}
	if err := b.SetToken(t.Context(), storeKey(9), 9); err != nil {
		t.Fatal(err)
	}
	c := open()
	for n, want := range map[int]bool{0: true, 1: false, 2: true, 9: true} {
		if _, ok, _ := c.Token(t.Context(), storeKey(n)); ok != want {
			t.Errorf("token %d: %v, want %v", n, ok, want)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestFileStoreConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var wg sync.WaitGroup
	for who := range 4 {
		s, err := OpenFileStore(FileStoreConfig{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		for part := range 2 {
			wg.Go(func() {
				for n := range 5 {
					if err := s.SetToken(t.Context(), storeKey(100*who+10*part+n), 5); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	s, err := OpenFileStore(FileStoreConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.list.order.Len(); n != 40 {
		t.Errorf("%d of 40 tokens", n)
	}
}

// The corpus of bad token files: each is set aside with a notice, or refused with
// a clear error, and never lost.
func TestFileStoreDamaged(t *testing.T) {
	good := `{"version":1,"sessions":[{"broker":"b:1","customer_id":"7","application_id":42,"device_serial":"SN1","git_hash":"abc","token":5}]}`
	for name, content := range map[string]string{
		"empty": "", "half": good[:len(good)/2], "array": `[1,2]`, "number": "7", "NUL": "\x00\x00",
		"trailing": good + good, "stray bracket": good + "]", "version": `{"version":2,"sessions":[]}`, "token 0": strings.Replace(good, `"token":5`, `"token":0`, 1),
		"token -1": strings.Replace(good, `"token":5`, `"token":-1`, 1), "token 2^32": strings.Replace(good, `"token":5`, `"token":4294967296`, 1),
		"deep": strings.Repeat("[", 100_000), "no serial": strings.Replace(good, `"SN1"`, `""`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := OpenFileStore(FileStoreConfig{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), "set aside") || !strings.Contains(log.String(), path) {
				t.Errorf("notice: %q", log.String())
			}
			kept, err := filepath.Glob(path + ".damaged-*")
			if err != nil || len(kept) != 1 {
				t.Fatalf("kept %v, %v", kept, err)
			}
			if b, err := os.ReadFile(kept[0]); err != nil || string(b) != content {
				t.Errorf("kept %q, %v", b, err)
			}
			if err := s.SetToken(t.Context(), storeKey(1), 5); err != nil {
				t.Error(err)
			}
		})
	}
	for name, make := range map[string]func(path string) error{
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"symbolic link": func(p string) error {
			target := filepath.Join(t.TempDir(), "elsewhere")
			return errors.Join(os.WriteFile(target, []byte(good), 0o600), os.Symlink(target, p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenFileStore(FileStoreConfig{Path: path}); !errors.Is(err, ErrStorage) || !strings.Contains(err.Error(), name) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("mode 0666", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s, err := OpenFileStore(FileStoreConfig{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || !strings.Contains(log.String(), "0666") {
			t.Errorf("mode %v, log %q", fi.Mode(), log.String())
		}
		if token, ok, _ := s.Token(t.Context(), storeKey(1)); !ok || token != 5 {
			t.Errorf("token %d %v", token, ok)
		}
	})
}

// What a killed process leaves behind does not matter.
func TestFileStoreLeftovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	for _, name := range []string{path + ".tmp", path + ".lock"} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenFileStore(FileStoreConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetToken(t.Context(), storeKey(1), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("temporary file was left: %v", err)
	}
}

// The new file is synced before it takes its place, and the directory after.
func TestFileStoreSyncs(t *testing.T) {
	s, err := OpenFileStore(FileStoreConfig{Path: filepath.Join(t.TempDir(), "tokens.json")})
	if err != nil {
		t.Fatal(err)
	}
	var synced []string
	s.sync = func(f *os.File) error {
		_, err := os.Stat(s.path)
		synced = append(synced, fmt.Sprintf("%s %v", filepath.Base(f.Name()), err == nil))
		return f.Sync()
	}
	if err := s.SetToken(t.Context(), storeKey(1), 5); err != nil {
		t.Fatal(err)
	}
	want := []string{"tokens.json.tmp false", filepath.Base(filepath.Dir(s.path)) + " true"}
	if fmt.Sprint(synced) != fmt.Sprint(want) {
		t.Errorf("synced %v, want %v", synced, want)
	}
	// A sync that fails is an error, and the old file stays.
	s.sync = func(*os.File) error { return errors.New("disk") }
	if err := s.SetToken(t.Context(), storeKey(1), 6); !errors.Is(err, ErrStorage) {
		t.Errorf("failed sync: %v", err)
	}
	again, err := OpenFileStore(FileStoreConfig{Path: s.path})
	if err != nil {
		t.Fatal(err)
	}
	if token, _, _ := again.Token(t.Context(), storeKey(1)); token != 5 {
		t.Errorf("token %d, want the old one", token)
	}
}

func TestDefaultStorePath(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	s, err := OpenFileStore(FileStoreConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(s.Path(), "/.ulogger/session_tokens.json") {
		t.Errorf("path %s", s.Path())
	}
}

// The least-recently-used list against a slow model.
func TestRecentModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		r := newRecent(limit)
		var model []tokenEntry // most recent last
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			key := storeKey(rapid.IntRange(0, 5).Draw(t, "device"))
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
				model = append(model, tokenEntry{key, token})
				if len(model) > limit {
					model = model[1:]
				}
			case 1:
				got, ok := r.get(key)
				want := at >= 0 && model[at].key == key
				if ok != want || (want && got != model[at].token) {
					t.Fatalf("get %v: %d %v", key, got, ok)
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
					t.Fatalf("entry %d is %v", i, e)
				}
				i++
			}
			if i != len(model) || len(r.slots) != i {
				t.Fatalf("%d entries, %d slots, want %d", i, len(r.slots), len(model))
			}
		}
		back, err := decodeTokens(encodeTokens(&r), limit)
		if err != nil || back.order.Len() != len(model) {
			t.Fatalf("over the file: %v", err)
		}
	})
}

func FuzzTokenFile(f *testing.F) {
	r := newRecent(3)
	r.set(storeKey(1), 5)
	f.Add(encodeTokens(&r))
	f.Add([]byte(`{"version":1,"sessions":null}`))
	f.Add([]byte(`{"version":1,"sessions":[{"token":1e400}]}`))
	f.Add([]byte(strings.Repeat(`{"sessions":[`, 100)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeTokens(b, 3)
		if err != nil {
			return
		}
		for e := range r.all() {
			if e.token == 0 || e.key.DeviceSerial == "" {
				t.Fatalf("entry %v", e)
			}
		}
		again, err := decodeTokens(encodeTokens(&r), 3)
		if err != nil || again.order.Len() != r.order.Len() || r.order.Len() > 3 {
			t.Fatalf("not stable: %v", err)
		}
	})
}
