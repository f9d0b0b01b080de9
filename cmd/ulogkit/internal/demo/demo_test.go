package demo

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAllArrives(t *testing.T) {
	var uploaded atomic.Int32
	cfg := Config{Devices: 5, Logs: 3, Frames: 12, Uploaded: func() { uploaded.Add(1) }}
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Uploads() != 16 || result.Confirmed != 16 || len(result.Received) != 16 || uploaded.Load() != 16 {
		t.Errorf("%d uploads, %d confirmed, %d received, %d reported", cfg.Uploads(), result.Confirmed, len(result.Received), uploaded.Load())
	}
	logs, dumps, bytes, tokens := 0, 0, 0, map[uint32]bool{}
	for _, r := range result.Received {
		bytes += r.Bytes
		if r.Kind == localcloud.KindCoreDump {
			dumps++
			continue
		}
		logs++
		lines := 0
		for line := range Lines(r.Payload) {
			lines++
			if line.Text == "" || strings.ContainsAny(line.Text, "%<") && !strings.Contains(line.Text, "<missing>") && !strings.HasSuffix(line.Text, "%") {
				t.Errorf("record became %+v", line)
			}
		}
		if lines != cfg.Frames {
			t.Errorf("%d lines, want %d", lines, cfg.Frames)
		}
	}
	if logs != 15 || dumps != 1 || bytes != result.Bytes {
		t.Errorf("%d logs, %d dumps, %d bytes of %d", logs, dumps, bytes, result.Bytes)
	}
	versions := map[uint8]int{}
	for _, d := range result.Devices {
		tokens[d.Token] = true
		versions[d.Version]++
	}
	if len(tokens) != 5 || tokens[0] || versions[1] != 2 || versions[3] != 3 {
		t.Errorf("tokens %v, header versions %v", tokens, versions)
	}
}

// The comparison notices each way in which the far side can hold less.
func TestMissingBytesAreNoticed(t *testing.T) {
	sum := func(n byte) (s [32]byte) { s[0] = n; return s }
	uploads := [][]upload{{{what: "a", sum: sum(1), size: 10}, {what: "b", sum: sum(2), size: 20}}, {{what: "c", sum: sum(1), size: 10}}}
	good := []localcloud.Received{{SHA256: sum(1)}, {SHA256: sum(2)}, {SHA256: sum(1)}}
	for _, c := range []struct {
		name     string
		received []localcloud.Received
		want     string // in the error, or empty
	}{
		{"all", good, ""},
		{"one more", append(good, localcloud.Received{SHA256: sum(9)}), ""},
		{"one absent", good[:2], "1 of 3 uploads did not arrive as they were sent, the first is c"},
		{"one changed", []localcloud.Received{good[0], {SHA256: sum(3)}, good[2]}, "the first is b"},
		{"one bad", []localcloud.Received{{SHA256: sum(1), Err: errors.New("bad")}, good[1], good[2]}, "1 of 3"},
		{"none", nil, "3 of 3 uploads did not arrive as they were sent, the first is a"},
	} {
		r := Result{Uploads: 3, Received: c.received}
		err := r.compare(uploads)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || r.Bytes != 40 {
			t.Errorf("%s: error %v, %d bytes", c.name, err, r.Bytes)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{Devices: 2, Logs: 100, Frames: 1, Uploaded: cancel}
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the context was cancelled", err)
	}
}
