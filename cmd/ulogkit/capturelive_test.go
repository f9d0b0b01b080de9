package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched is an output that can be waited for.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newWatched() *watched { return &watched{more: make(chan struct{}, 1)} }

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until the output holds a text.
func (w *watched) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !strings.Contains(w.String(), want) {
		select {
		case <-w.more:
		case <-deadline:
			t.Fatalf("got\n%s\nwant %q in it", w, want)
		}
	}
}

// What comes through a pipe is shown as it comes, and an interrupt ends it with a
// summary and the verdict on what was read.
func TestCaptureShowsAPipeAsItComes(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "wire", "testdata", "cases", "pcpp851-ack-before-data.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, interrupt := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		in, feed := io.Pipe()
		defer feed.Close()
		out, errs := newWatched(), newWatched()
		root := newRoot()
		root.SetIn(in)
		root.SetOut(out)
		root.SetErr(errs)
		done := make(chan int, 1)
		go func() { done <- run(ctx, root, []string{"capture", "-"}) }()

		// The header, the handshake and the connect.
		const connected = 24 + 3*(16+54) + 16 + 71
		if _, err := feed.Write(file[:connected]); err != nil {
			t.Fatal(err)
		}
		out.await(t, `connect, client "dev"`)
		if strings.Contains(out.String(), "connack") {
			t.Fatalf("got a connack before it was fed, want none:\n%s", out)
		}
		if _, err := feed.Write(file[connected:]); err != nil {
			t.Fatal(err)
		}
		out.await(t, "puback")
		if interrupt {
			cancel()
		} else if err := feed.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case code := <-done:
			if code != 0 {
				t.Errorf("interrupt %v: got exit code %d, want 0; %s", interrupt, code, errs)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("interrupt %v: got no end in two minutes, want one", interrupt)
		}
		const summary = "-: interrupted: 12 packets, 1 connection, 4 packets of MQTT, lossless\n"
		if got := errs.String(); interrupt && got != summary || !interrupt && got != "" {
			t.Errorf("interrupt %v: got %q on stderr, want %q", interrupt, got, summary)
		}
	}
}
