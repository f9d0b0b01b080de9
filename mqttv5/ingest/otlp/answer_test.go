package otlp

import (
	"bytes"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An answer that is cut, or does not come, is no receipt, however good it began: the
// request is made again.
func TestAnswerThatIsCut(t *testing.T) {
	typed := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", typeProtobuf) // of which nothing is a whole answer
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	}
	gone := make(chan struct{})
	for name, answer := range map[string]func(http.ResponseWriter){
		"cut":         func(w http.ResponseWriter) { typed(w); panic(http.ErrAbortHandler) },
		"never ended": func(w http.ResponseWriter) { typed(w); <-gone },
		"never begun": func(http.ResponseWriter) { <-gone },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			r.script = []func(http.ResponseWriter){func(w http.ResponseWriter) {
				r.mu.Unlock() // others are to be answered meanwhile
				defer r.mu.Lock()
				answer(w)
			}}
			if name != "cut" {
				t.Cleanup(func() { gone <- struct{}{} })
			}

			var log bytes.Buffer
			src := &memorySource{}
			src.add(logRecord(t, 1, 3, 1, say(1)))
			e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: filepath.Join(t.TempDir(), "position"), Timeout: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err := e.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := e.Stats(); s.Retries < 1 || s.LogRecords != 1 || s.Position != 2 {
				t.Errorf("got stats %+v, want one record, sent again", s)
			}
			if slow := strings.Contains(log.String(), "no answer in time"); slow != (name != "cut") || strings.Contains(log.String(), "context") {
				t.Errorf("got log %s, want that no answer came in time: %v", &log, name != "cut")
			}
		})
	}
}

// To take empty answers is not to take pages.
func TestAcceptEmptyTakesNoPage(t *testing.T) {
	r := newReceiver(t)
	r.script = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<html>login"))
	}}
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 1, say(1)))
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, AcceptEmpty: true})
	if err := e.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "no receipt") || e.Stats().LogRecords != 0 {
		t.Errorf("got %v, stats %+v, want the page refused", err, e.Stats())
	}
}
