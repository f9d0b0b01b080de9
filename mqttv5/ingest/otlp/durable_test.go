package otlp

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
)

// A position is on the disk before the export goes on: a power cut must not bring back
// nothing, or half.
func TestPositionIsDurable(t *testing.T) {
	calls, failed := durabletest.Calls(t, t.TempDir(), func(dir string) error {
		return position{Version: 1, Next: 7}.store(filepath.Join(dir, "position"))
	})
	if got, want := strings.Join(calls, ", "), "fsync temp, rename position, fsync ."; got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

// What the receiver refused is nowhere else once the position is behind it.
func TestRefusedRecordsAreDurable(t *testing.T) {
	calls, failed := durabletest.Calls(t, t.TempDir(), func(dir string) error {
		name := filepath.Join(dir, "refused")
		return errors.Join(appendFile(name, []byte("a\n")), appendFile(name, []byte("b\n")))
	})
	if got, want := strings.Join(calls, ", "), "fsync refused, fsync ., fsync refused"; got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

// A position never names a record that the receiver has not taken yet, of the last
// batch, which is not full, neither.
func TestPositionFollowsTheLastBatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "position")
	r := newReceiver(t)
	requests := 0
	r.refuse = func([]byte) int { // looked at while a request is under way
		requests++
		p, err := loadPosition(file)
		if want := uint64(3*requests - 2); err != nil || p.Next != want && (requests > 1 || p.Next != 0) {
			t.Errorf("request %d: the position is %d, %v, want %d", requests, p.Next, err, want)
		}
		return 0
	}
	src := &memorySource{}
	for i := range 7 {
		src.add(logRecord(t, i, 3, 1, say(i)))
	}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file, BatchRecords: 3})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := loadPosition(file); requests != 3 || err != nil || p.Next != 8 {
		t.Errorf("got position %d, %v after %d requests, want 8 after 3", p.Next, err, requests)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}

	// Where the last batch is refused, nothing is written.
	os.Remove(file)
	r.refuse = func([]byte) int { return http.StatusForbidden }
	if err := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file}).Drain(t.Context()); err == nil {
		t.Error("got no error of a refused batch, want one")
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got a position file, %v, want none", err)
	}
}

// An answer is read to a bound: of a longer one the rest, without which it is no
// receipt, is not.
func TestAnswerHasABound(t *testing.T) {
	for n, want := range map[int]bool{1000: true, maxAnswer: false, 8 * maxAnswer: false} {
		r := newReceiver(t)
		r.script = []func(http.ResponseWriter){func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", typeJSON)
			w.Write([]byte(`{"partialSuccess":{},"x":"` + strings.Repeat("x", n) + `"}`))
		}}
		src := &memorySource{}
		src.add(logRecord(t, 1, 3, 1, say(1)))
		err := newExporter(t, Config{URL: r.srv.URL, Source: src}).Drain(t.Context())
		if (err == nil) != want || err != nil && (!errors.Is(err, errNoReceipt) || len(err.Error()) > 8<<10) {
			t.Errorf("%d bytes: got %v, want it taken: %v", n, err, want)
		}
	}
}

// Half of a line, which a crash has left, does not take the next with it.
func TestRefusedRecordsBeginALine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "refused")
	writeFile(t, name, `{"half":`)
	for range 2 {
		if err := appendFile(name, []byte("{}\n")); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "{\"half\":\n{}\n{}\n" {
		t.Errorf("got %q, %v, want two lines behind the half one", b, err)
	}
}

// F53: a link that somebody has put where the refused records go is not followed, and
// the export says so instead of losing them.
func TestRefusedRecordsFollowNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "refused")
	writeFile(t, victim, "precious")
	if err := os.Symlink(victim, link); err != nil {
		t.Skip(err)
	}
	if err := appendFile(link, []byte("x")); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v, want a refusal", err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
		t.Errorf("got %q behind the link, error %v, want it unchanged: precious", b, err)
	}
}

// A redirect carries neither records nor headers to another host, and is no success.
func TestRedirectSendsNothingToAnotherHost(t *testing.T) {
	other := newReceiver(t)
	r := newReceiver(t)
	for _, code := range []int{301, 302, 303, 307, 308} {
		r.script = []func(http.ResponseWriter){func(w http.ResponseWriter) { // with a body that would be a receipt
			w.Header().Set("Location", other.srv.URL+"/v1/logs")
			w.Header().Set("Content-Type", typeProtobuf)
			w.WriteHeader(code)
		}}
		src := &memorySource{}
		src.add(logRecord(t, 1, 3, 1, say(1)))
		e := newExporter(t, Config{URL: r.srv.URL, Source: src, Headers: map[string]string{"Authorization": "canary"}})
		if err := e.Drain(t.Context()); err == nil || e.Stats().LogRecords != 0 {
			t.Errorf("%d: got %v and stats %+v, want a failure", code, err, e.Stats())
		}
	}
	if other.requests != 0 {
		t.Errorf("got %d requests at the other host, want none", other.requests)
	}
}
