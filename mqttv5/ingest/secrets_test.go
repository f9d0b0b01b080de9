package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/ulogkit/ulogkit/format"
)

// A canary is planted in the session token and in the payload of logs, intact and
// not, of crash dumps, and of a message that is neither. They reach the sink, and
// nothing that a person sees of the worker, whatever goes wrong.
func TestSecretsNeverShown(t *testing.T) {
	const token, payload = 3_141_592_653, "canaryPAYLOAD"
	build, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	build.SessionToken = token
	if err := build.Add(&format.Record{Args: []format.Arg{format.ArgString(payload)}}); err != nil {
		t.Fatal(err)
	}
	log, err := build.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	flipped, text := bytes.Clone(log), append(bytes.Clone(log), payload...)
	flipped[len(flipped)-1] ^= 1

	b, sink, bad := newFakeBroker(t), newMemorySink(), newMemorySink()
	var shown syncBuffer
	cfg := Config{Connection: onLoopback(b.port()), Sink: sink, Quarantine: bad}
	cfg.Connection.Hooks.Logger = slog.New(slog.NewTextHandler(&shown, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w, stop := startWorker(t, cfg)
	c := b.next()
	for i, m := range []struct {
		topic   string
		payload []byte
	}{
		{logTopic(1), log},
		{logTopic(1), flipped},
		{logTopic(1), text},
		{logTopic(1), []byte(payload)},
		{"core-dump/v0/7", []byte(payload)},
		{"core-dump/v0/7", bytes.Repeat([]byte(payload), 30)},
		{"other", log},
	} {
		c.publish(uint16(i+1), m.topic, "", m.payload)
		c.expectAcks(i+1, 1)
	}
	sink.fail(errors.New("medium error"))
	c.publish(8, logTopic(2), "", log)
	waitFor(t, "the failure", func() bool { return w.Health().Sink != "" })
	fmt.Fprintf(&shown, "%+v\n%s\n", w.Health(), get(t, w).Body)
	c.Send(&packets.Disconnect{ReasonCode: 0x8b, Properties: &packets.Properties{}})
	c.expectClosed()
	fmt.Fprintf(&shown, "%+v\n%s\n", w.Health(), get(t, w).Body)
	sink.fail(nil)
	c = b.next()
	c.publish(8, logTopic(2), "", log)
	c.expectAcks(8, 1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(w))
	list, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if _, err := expfmt.MetricFamilyToText(&shown, m); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if len(sink.all()) != 3 || len(bad.all()) != 5 { // bytes after a log are no reason
		t.Errorf("got %d records stored, %d in quarantine, want 3 and 5", len(sink.all()), len(bad.all()))
	}
	for _, r := range bad.all() {
		fmt.Fprintln(&shown, r.Reason)
	}
	shownText := shown.String()
	for _, must := range []string{"quarantine", "medium error", "not connected", "ulogkit_ingest_quarantined_total"} {
		if !strings.Contains(shownText, must) {
			t.Errorf("got no %q in what a person sees, want it there", must)
		}
	}
	for _, s := range []string{payload, fmt.Sprint(token), fmt.Sprintf("%x", token)} {
		if i := strings.Index(shownText, s); i >= 0 {
			t.Errorf("got %s shown, want it nowhere: ...%s...", s, shownText[max(0, i-80):min(len(shownText), i+20)])
		}
	}
}
