package sinks_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

// What keeps a sink from being opened has a class, so that nobody looks at its name.
func TestErrorsHaveAClass(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	nats := sinks.NATS{Stream: "S", Replicas: 1}
	log := slog.New(slog.DiscardHandler)
	for name, want := range map[string]error{
		"nonsense": mqttv5.ErrConfig, "file:": mqttv5.ErrConfig, "": mqttv5.ErrConfig, "http://127.0.0.1:1": mqttv5.ErrConfig,
		"nats://127.0.0.1:1": mqttv5.ErrNetwork,
	} {
		if _, err := sinks.Read(ctx, name, nats); !errors.Is(err, want) {
			t.Errorf("read %q: got %v, want class %v", name, err, want)
		}
		if _, err := sinks.Open(ctx, name, nats, dir, log); !errors.Is(err, want) {
			t.Errorf("open %q: got %v, want class %v", name, err, want)
		}
	}

	if _, err := sinks.Read(ctx, "file:"+dir, nats); !errors.Is(err, mqttv5.ErrConfig) || !errors.Is(err, sinks.ErrNoSink) || !sinks.Missing(err) {
		t.Errorf("got %v, want ErrNoSink of class ErrConfig", err)
	}
	if _, err := sinks.Open(ctx, "file:"+filepath.Join(file, "x"), nats, dir, log); err == nil || errors.Is(err, mqttv5.ErrNetwork) || errors.Is(err, mqttv5.ErrConfig) {
		t.Errorf("got %v, want an error of the disk", err)
	}
}

func TestSinkOfFilesIsWrittenAndReadByItsName(t *testing.T) {
	name := "file:" + filepath.Join(t.TempDir(), "sink")
	pair, err := sinks.Open(t.Context(), name, sinks.NATS{}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	good := ingest.Record{Time: time.Now(), Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: []byte("good")}
	bad := ingest.Record{Time: time.Now(), Topic: "binlog/v0/7/42", Payload: []byte("bad"), Reason: "no log"}
	if err := errors.Join(pair.Good.Append(t.Context(), []ingest.Record{good}), pair.Bad.Append(t.Context(), []ingest.Record{bad}), pair.Close()); err != nil {
		t.Fatal(err)
	}

	// All that is there has a name of the sink's own, and what others keep there has not.
	dir := strings.TrimPrefix(name, "file:")
	for _, dir := range []string{dir, filepath.Join(dir, "quarantine")} {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) < 4 {
			t.Fatalf("got %v, %v, want a sink", entries, err)
		}
		for _, e := range entries {
			if !sinks.Own(name, filepath.Join(dir, e.Name())) {
				t.Errorf("got %s as a stranger's, want it known as the sink's own", e.Name())
			}
		}
		if sinks.Own(name, filepath.Join(dir, "otlp.position")) || sinks.Own(name, filepath.Join(t.TempDir(), "lock")) {
			t.Error("got another file as the sink's own, want it as a stranger's")
		}
	}

	quarantine, _ := sinks.Quarantine(name, sinks.NATS{})
	for name, want := range map[string]string{name: "good", quarantine: "bad"} {
		source, err := sinks.Read(t.Context(), name, sinks.NATS{})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		r, err := source.Read(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := r.Next(t.Context())
		if err != nil || string(got.Payload) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got.Payload, err, want)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, ingest.ErrEnd) {
			t.Errorf("%s: got %v, want the end", name, err)
		}
	}

	if got, n := sinks.Quarantine("nats://h", sinks.NATS{Stream: "S"}); got != "nats://h" || n.Stream != "S_QUARANTINE" {
		t.Errorf("got %q, %+v, want nats://h and stream S_QUARANTINE", got, n)
	}
}

// A quarantine is a folder of the sink's own, and no link to another (F53).
func TestQuarantineIsNoLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, "quarantine")); err != nil {
		t.Skip(err)
	}
	_, opened := sinks.Open(t.Context(), "file:"+dir, sinks.NATS{}, "", slog.New(slog.DiscardHandler))
	for what, err := range map[string]error{"open": opened, "check": sinks.CheckQuarantine("file:" + dir)} {
		if !errors.Is(err, mqttv5.ErrStorage) || !strings.Contains(err.Error(), "quarantine is a symbolic link to "+elsewhere) {
			t.Errorf("%s: got %v, want %v about the link", what, err, mqttv5.ErrStorage)
		}
	}
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
		t.Errorf("got %v, %v behind the link, want nothing", entries, err)
	}
	for _, name := range []string{"file:" + elsewhere, "file:" + filepath.Join(dir, "absent"), "nats://127.0.0.1:1"} {
		if err := sinks.CheckQuarantine(name); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
