package oracle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// What the library writes ours reads, and back; both at once lose no token, and
// nobody's file is renamed (case seed/store-concurrent).
func testTokenFile(t *testing.T, l *library) {
	dir := t.TempDir()
	path := filepath.Join(dir, "session_tokens.json")
	store := func(keep string) {
		l.call(t, request{Call: "SessionStore", Args: []any{path}, Keep: keep}, nil)
	}
	const each = 150
	key := func(serial string) mqttv5.SessionKey {
		return mqttv5.SessionKey{Broker: "b:1", CustomerID: customer, ApplicationID: application, DeviceSerial: serial, GitHash: "h"}
	}

	store("first")
	l.call(t, request{Call: "first.set_token", Args: []any{"PY-é", "h", 7}}, nil)
	ours, err := mqttv5.OpenFileStore(mqttv5.FileStoreConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if token, ok, err := ours.Token(t.Context(), key("PY-é")); token != 7 || !ok || err != nil {
		t.Errorf("got %d, %v, %v, want 7, true and no error", token, ok, err)
	}

	store("second")
	var wg sync.WaitGroup
	wg.Go(func() {
		r := request{Call: "second.set_token"}
		for i := range each {
			r.Each = append(r.Each, []any{fmt.Sprint("PY-", i), "h", i + 1})
		}
		if a, err := l.ask(r); err != nil || a.Error != "" {
			t.Errorf("got error %v, %q of the library, want the tokens set", err, a.Error)
		}
	})
	wg.Go(func() {
		for i := range each {
			if err := ours.SetToken(t.Context(), key(fmt.Sprint("GO-", i)), uint32(i+1)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	// The library has the last word without knowing ours; then ours looks once.
	l.call(t, request{Call: "second.set_token", Args: []any{"PY-last", "h", 9}}, nil)
	if token, ok, _ := ours.Token(t.Context(), key("PY-last")); token != 9 || !ok {
		t.Errorf("got %d, %v, want 9 and true", token, ok)
	}

	store("third")
	for i := range each {
		for _, name := range []string{"PY-", "GO-"} {
			serial := fmt.Sprint(name, i)
			if token, ok, err := ours.Token(t.Context(), key(serial)); token != uint32(i+1) || !ok || err != nil {
				t.Errorf("%s: got %d, %v, %v, want %d, true and no error", serial, token, ok, err, i+1)
			}
			var token int // 0 where the library has none
			l.call(t, request{Call: "third.get_token", Args: []any{serial, "h"}}, &token)
			if token != i+1 {
				t.Errorf("%s: got %d of the library, want %d", serial, token, i+1)
			}
		}
	}
	b, err := os.ReadFile(path)
	var members map[string]json.RawMessage
	if err != nil || json.Unmarshal(b, &members) != nil || len(members) != 2*each+2 {
		t.Errorf("got %d members, %v, want %d", len(members), err, 2*each+2)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		if name != path && name != path+".lock" {
			t.Errorf("got %s left, want only the file and its lock", name)
		}
	}
}
