package otlp

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// F32, F33, case position-beyond-sink: a position is used only in the sink and for the receiver that it is of,
// and within the sink; otherwise nothing is sent and the file stays.
func TestPositionThatDoesNotFitIsRefused(t *testing.T) {
	r := newReceiver(t)
	for name, c := range map[string]struct {
		content string
		words   []string // of the refusal; none if it fits
		sent    int
	}{
		"none":                  {"", nil, 3},
		"of an earlier version": {"2\n", nil, 2},
		"fits":                  {`{"v":1,"sink":"A","sink_name":"a","receiver":"` + r.srv.URL + `","next":3}`, nil, 1},
		"at the end":            {`{"v":1,"sink":"A","sink_name":"a","receiver":"` + r.srv.URL + `","next":4}`, nil, 0},
		"another sink":          {`{"v":1,"sink":"B","sink_name":"the old one","receiver":"` + r.srv.URL + `","next":3}`, []string{"the old one", "sink in memory"}, 0},
		"another receiver":      {`{"v":1,"sink":"A","sink_name":"a","receiver":"http://other","next":3}`, []string{"http://other", r.srv.URL}, 0},
		"beyond the end":        {`{"v":1,"sink":"A","sink_name":"a","receiver":"` + r.srv.URL + `","next":5}`, []string{"record 5", "4 next"}, 0},
		"old and beyond":        {"21", []string{"record 21", "4 next"}, 0},
	} {
		src := &memorySource{id: "A"}
		for i := range 3 {
			src.add(logRecord(t, i, 3, 1, say(i)))
		}
		file := filepath.Join(t.TempDir(), "position")
		if c.content != "" {
			writeFile(t, file, c.content)
		}
		before := len(r.bodies())
		err := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file}).Drain(t.Context())
		if sent := len(r.bodies()) - before; sent != c.sent {
			t.Errorf("%s: %d sent, want %d", name, sent, c.sent)
		}

		if errors.Is(err, ErrPosition) != (len(c.words) > 0) || (err == nil) != (len(c.words) == 0) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.words)
		}
		for _, w := range c.words {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v, want one with %q", name, err, w)
			}
		}

		if b, _ := os.ReadFile(file); len(c.words) > 0 && string(b) != c.content {
			t.Errorf("%s: got file %q, want it unchanged: %q", name, b, c.content)
		}
	}
}

// What was removed from a sink before it was exported is a loss.
func TestRemovedBeforeExportedCountsAsLost(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{id: "A", first: 2}
	for i := range 4 {
		src.add(logRecord(t, i, 3, 1, say(i)))
	}
	file := filepath.Join(t.TempDir(), "position")
	writeFile(t, file, "1")
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file})
	if err := e.Drain(t.Context()); err != nil || e.Stats().Lost != 2 {
		t.Errorf("error %v, stats %+v, want 2 lost", err, e.Stats())
	}
}

// F34: of two exports on one position the second is refused, and a link in place of
// the lock as well.
func TestPositionIsUsedByOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "position")
	var second error
	r := newReceiver(t)
	r.script = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		src := &memorySource{}
		src.add(logRecord(t, 9, 3, 1, say(9)))
		second = newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file}).Drain(t.Context())
		w.Header().Set("Content-Type", "application/x-protobuf")
	}}
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 1, say(1)))
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, ErrPosition) || !strings.Contains(second.Error(), "another export") {
		t.Errorf("the second export ended with %v, want a refusal", second)
	}

	if info, err := os.Stat(file + ".lock"); err != nil || info.Mode() != 0o600 {
		t.Errorf("got a lock of mode %v, %v, want 0600", info.Mode(), err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	writeFile(t, victim, "precious")
	os.Remove(file + ".lock")
	if err := os.Symlink(victim, file+".lock"); err != nil {
		t.Skip(err)
	}
	if err := e.Drain(t.Context()); !errors.Is(err, ErrPosition) {
		t.Errorf("error %v with a link in place of the lock, want a refusal", err)
	}
}

// What is no position's place is refused before anything is sent, and no fault of the
// receiver.
func TestPositionInABadPlaceIsAStorageError(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := newReceiver(t)
	src := &memorySource{id: "A"}
	src.add(logRecord(t, 1, 3, 1, say(1)))
	writeFile(t, at("target"), "1\n")
	if err := errors.Join(os.Symlink("target", at("link")), os.Symlink("nothing", at("dangling"))); err != nil {
		t.Skip(err)
	}

	places := []string{"link", "dangling", "absent/position"}
	writeFile(t, at("one"), "1\n")
	if err := os.Link(at("one"), at("other")); err == nil && runtime.GOOS != "windows" {
		places = append(places, "one", "other")
	}
	for _, name := range places {
		err := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: at(name)}).Drain(t.Context())
		if !errors.Is(err, fault.ErrStorage) || errors.Is(err, fault.ErrNetwork) {
			t.Errorf("%s: got %v, want %v", name, err, fault.ErrStorage)
		}
	}
	if n := len(r.bodies()); n > 0 {
		t.Errorf("got %d records at the receiver, want none", n)
	}
	if b, err := os.ReadFile(at("one")); err != nil || string(b) != "1\n" {
		t.Errorf("got %q in the file of two names, error %v, want it as it was", b, err)
	}
	if b, err := os.ReadFile(at("target")); err != nil || string(b) != "1\n" {
		t.Errorf("got %q behind the link, error %v, want it unchanged: \"1\\n\"", b, err)
	}
	if _, err := os.Lstat(at("nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v where the link leads, want %v: nothing is made through it", err, fs.ErrNotExist)
	}
}

// Each receiver has a position of its own (case export-second-receiver-empty).
func TestEachReceiverHasItsOwnDefaultPosition(t *testing.T) {
	dir := t.TempDir()
	first := DefaultPosition(dir, "http://user:pw@a:1/")
	if first != filepath.Join(dir, "otlp.position") {
		t.Errorf("got %s for the first receiver, want otlp.position in %s", first, dir)
	}
	if err := (position{Version: 1, Receiver: "http://a:1", Next: 3}).store(first); err != nil {
		t.Fatal(err)
	}
	if got := DefaultPosition(dir, "http://other@a:1"); got != first {
		t.Errorf("got %s for the same receiver, want %s", got, first)
	}
	if got := DefaultPosition(dir, "http://b:1"); got == first || filepath.Dir(got) != dir {
		t.Errorf("got %s for another receiver, want another file than %s in %s", got, first, dir)
	}
}

// A file that holds no position is refused and left alone.
func TestFileThatHoldsNoPositionIsRefused(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "position")
	for _, content := range []string{"", "0", "-1", "x", "{}", `{"v":2,"next":1}`, `{"v":1,"next":1} 2`, `{"v":1,"next":1,"more":1}`, strings.Repeat("1", 70_000), `{"v":1,"next":1}` + strings.Repeat(" ", maxPosition)} {
		writeFile(t, file, content)
		_, err := New(Config{URL: srv.URL, Source: &memorySource{}, PositionFile: file})
		if err == nil || !strings.Contains(err.Error(), "holds no position") {
			t.Errorf("%.20q: error %v, want an error that says \"holds no position\"", content, err)
		}
		if b, _ := os.ReadFile(file); string(b) != content {
			t.Errorf("%.20q: got file %.20q, want it unchanged", content, b)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte("21\n"))
	f.Add([]byte(`{"v":1,"sink":"A","sink_name":"a","receiver":"http://x","next":3}`))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePosition(b)
		if !ok {
			return
		}
		if p.Next == 0 {
			t.Fatal("got a position of number 0, want it refused")
		}
		p.Version = 1
		file := filepath.Join(t.TempDir(), "p")
		if err := p.store(file); err != nil {
			t.Fatal(err)
		}
		if again, err := loadPosition(file); err != nil || again.Next != p.Next {
			t.Fatalf("got %+v, error %v, want number %d as it was stored", again, err, p.Next)
		}
	})
}
