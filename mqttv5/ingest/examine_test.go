package ingest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

func TestVectorsAreStored(t *testing.T) {
	for _, v := range formattest.Logs(t) {
		if _, err := check(KindLog, v.Buffer); err != nil {
			t.Errorf("%s: got %v, want a good log", v.Name, err)
		}
	}
	for i, b := range formattest.DumpBytes(t) {
		if _, err := check(KindCoreDump, b); err != nil {
			t.Errorf("crash dump %d: got %v, want a good dump", i, err)
		}
	}
}

// Newer devices write bytes after the data and after the last frame: no reason to
// keep a log from the sink. Another log, which nobody would read, is one.
func TestTrailingBytesAreStored(t *testing.T) {
	var v3, v4 []byte
	for _, v := range formattest.Logs(t) {
		switch v.Header.Version {
		case 3:
			v3 = v.Buffer
		case 4:
			v4 = v.Buffer
		}
	}

	inside := append(bytes.Clone(v4), 1, 2, 3)
	h, data, err := format.ParseHeader(inside)
	if err != nil {
		t.Fatal(err)
	}
	h.SetLenData(uint16(len(data)))
	h.Seal(data)
	for name, c := range map[string]struct {
		payload []byte
		stored  bool
	}{
		"after version 3": {append(bytes.Clone(v3), 1, 2, 3), true},
		"after version 4": {append(bytes.Clone(v4), make([]byte, 16)...), true},
		"in version 4":    {inside, true},
		"another log":     {append(bytes.Clone(v3), v4...), false},
		"wrong checksum":  {append(append(bytes.Clone(v3[:len(v3)-1]), v3[len(v3)-1]^1), 1), false},
	} {
		if _, err := check(KindLog, c.payload); (err == nil) != c.stored {
			t.Errorf("%s: got %v, want stored %v", name, err, c.stored)
		}
	}
}

func TestMissingFramesAreCountedBySequence(t *testing.T) {
	for _, c := range []struct {
		sequences []uint16
		want      int
	}{
		{nil, 0},
		{[]uint16{5}, 0},
		{[]uint16{5, 6, 7}, 0},
		{[]uint16{5, 8}, 2},
		{[]uint16{65535, 0}, 0},
		{[]uint16{65534, 1}, 2},
		{[]uint16{5, 5, 6}, 0}, // twice, after a reset
		{[]uint16{9, 3, 4}, 0},
		{[]uint16{0, 32768}, 0},
		{[]uint16{0, 32767}, 32766},
		{[]uint16{1, 3, 5}, 2},
	} {
		b, err := format.NewLogBuilder(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.sequences {
			if err := b.Add(&format.Record{Sequence: s}); err != nil {
				t.Fatal(err)
			}
		}
		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = check(KindLog, log)
		if got := missing(log); got != c.want || err != nil {
			t.Errorf("%v: got %d missing, %v, want %d and a good log", c.sequences, got, err, c.want)
		}
	}
}

func TestTopicTellsTheKind(t *testing.T) {
	for topic, want := range map[string]Kind{
		"binlog/v0/7/42": KindLog, "binlog/v0/7/G/42": KindLog, "binlog/v0/7": KindUnknown, "binlog/v0/7/G/42/x": KindUnknown,
		"core-dump/v0/7": KindCoreDump, "core-dump/v0/7/G": KindCoreDump, "core-dump/v0/7/G/x": KindUnknown,
		"binlog/v1/7/42": KindUnknown, "logs/v0/7/42": KindTextLog, "x/y/metrics/v0/7/G/42": KindMetrics, "events/v0/7/42": KindEvents, "config/v0/7/42/S": KindUnknown, "": KindUnknown, "x/binlog/v0/7/42": KindLog, "binlog/v0/7//42": KindUnknown,
	} {
		if got := topicKind(topic); got != want {
			t.Errorf("%s: %v, want %v", topic, got, want)
		}
	}
}

type nowhere struct{}

func (nowhere) Append(context.Context, []Record) error { return nil }

// From the link to the acknowledgement a message costs no allocation.
func TestAMessageCostsNoAllocation(t *testing.T) {
	cfg, err := Config{Connection: onLoopback(1), Group: "g", Name: "w", Sink: nowhere{}, Window: 500}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	count := newCounters("w")
	p := newPipeline(&cfg, &status{log: cfg.Connection.Hooks.Logger, count: count}, count)
	var payloads [100][]byte
	for i := range payloads {
		payloads[i] = testLog(t, 1, 1024)
	}
	dump := formattest.DumpBytes(t)[0]
	n := uint32(0)
	queue := make(chan link.Received, 100)
	stop := make(chan struct{})
	round := func() {
		for i := range 100 {
			n++
			payload := payloads[i]
			payload[5], payload[6], payload[7] = byte(n), byte(n>>8), byte(n>>16) // the tick
			d := link.Received{Topic: "binlog/v0/7/42", Payload: payload, ID: "0123456789abcdef-17", At: time.Now()}
			if i == 50 {
				d.Topic, d.Payload = "core-dump/v0/7", dump
			}
			queue <- d
		}

		if !p.collect(t.Context(), stop, queue) {
			t.Fatal("got nothing collected, want a batch")
		}
		p.examine()
		if len(p.batch) != 100 || len(p.good) < 99 || len(p.bad) != 0 || !p.store(t.Context()) {
			t.Fatalf("got a batch of %d, %d good, %d bad, want 100, at least 99 good, none bad, and all stored", len(p.batch), len(p.good), len(p.bad))
		}

		p.status.stored()
		p.release()
	}

	round()
	if a := testing.AllocsPerRun(50, round); a != 0 {
		t.Errorf("got %v allocations for 100 messages, want none", a)
	}
}

// setToken writes a session token into a log.
func setToken(t *testing.T, b []byte, token uint32) {
	t.Helper()
	if err := format.SetSessionToken(b, token); err != nil {
		t.Fatal(err)
	}
}

func TestKeyIgnoresTheTokenOfALogWithAnID(t *testing.T) {
	k := newKeyer()
	a := testLog(t, 1, 100)
	b := bytes.Clone(a)
	setToken(t, b, 77)
	c := bytes.Clone(a)
	c[len(c)-1] ^= 1
	if k.key(KindLog, "t", "id", a) != k.key(KindLog, "t", "id", b) {
		t.Error("got another key with another token, want the same")
	}
	for _, other := range []Key{
		k.key(KindLog, "t", "id", c), k.key(KindLog, "t", "i", a), k.key(KindLog, "ti", "d", a), k.key(KindLog, "t", "", a),
		k.key(KindCoreDump, "t", "id", b),
	} {
		if other == k.key(KindLog, "t", "id", a) {
			t.Error("got one key for different messages, want a key for each")
		}
	}
	if k.key(KindLog, "t", "", a) == k.key(KindLog, "t", "", b) {
		t.Error("got the same key with another token and no id, want another key")
	}
}

func TestGapsAreCountedInAndBetweenLogs(t *testing.T) {
	var g Gaps
	for i, c := range []struct {
		token          uint32
		sequences      []uint16
		inside, before int
	}{
		{1, []uint16{0, 1, 2}, 0, 0},
		{2, []uint16{10, 12}, 1, 0},
		{1, []uint16{3, 4}, 0, 0},
		{1, nil, 0, 0},
		{1, []uint16{8, 9}, 0, 3},
		{2, []uint16{14}, 0, 1},
		{1, []uint16{0}, 0, 0}, // restarted
		{1, []uint16{1}, 0, 0},
	} {
		b, err := format.NewLogBuilder(1)
		if err != nil {
			t.Fatal(err)
		}
		b.SessionToken = c.token
		for _, s := range c.sequences {
			if err := b.Add(&format.Record{Sequence: s}); err != nil {
				t.Fatal(err)
			}
		}
		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		r := Record{Kind: KindLog, Topic: "binlog/v0/7/1", Payload: log}
		if inside, before := g.Observe(&r); inside != c.inside || before != c.before {
			t.Errorf("log %d: %d inside, %d before, want %d and %d", i, inside, before, c.inside, c.before)
		}
	}
}
