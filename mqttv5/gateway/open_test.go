package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// said is a log that tells of each line.
type said struct {
	bytes.Buffer
	each func()
}

// Write implements io.Writer.
func (s *said) Write(p []byte) (int, error) {
	s.each()
	return s.Buffer.Write(p)
}

// An upload that has the outbox open is waited for, and said once.
func TestOpenOutboxWaitsForItsHolder(t *testing.T) {
	dir := t.TempDir()
	held, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	release := sync.OnceFunc(func() { time.AfterFunc(3*openAgain, func() { closed <- held.Close() }) })

	log := said{each: release}
	o, err := OpenOutbox(t.Context(), mqttv5.OutboxConfig{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-closed, o.Close()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "another process has the outbox open"); n != 1 {
		t.Errorf("got %d lines about the open outbox, want 1:\n%s", n, log.String())
	}
}

func TestOpenOutboxEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	held, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, cancel := context.WithTimeout(t.Context(), openAgain)
	defer cancel()
	if _, err := OpenOutbox(ctx, mqttv5.OutboxConfig{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
}
