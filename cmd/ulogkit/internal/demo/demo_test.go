package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
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
		t.Errorf("got %d uploads, %d confirmed, %d received, %d reported; want 16 of each",
			cfg.Uploads(), result.Confirmed, len(result.Received), uploaded.Load())
	}
	held, tokens := 0, map[uint32]bool{}
	for i, h := range result.Holdings() {
		held += len(h.Logs) + len(h.Dump)
		if h.Device != result.Devices[i] || h.NumLogs != cfg.Logs || h.Forgotten != 0 || (h.Dump != nil) != (i == 0) {
			t.Errorf("holding %d: got device %+v, %d logs, %d forgotten, a dump: %v; want device %+v, %d logs, none forgotten, a dump: %v",
				i, h.Device, h.NumLogs, h.Forgotten, h.Dump != nil, result.Devices[i], cfg.Logs, i == 0)
		}
		var out strings.Builder
		if err := h.Decode(t.Context(), &out, false); err != nil {
			t.Fatal(err)
		}

		// Modules have their names, and times and numbers go on from log to log.
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != cfg.Logs*cfg.Frames || !strings.Contains(lines[0], " MAIN     boot: firmware v1.4.0") {
			t.Fatalf("got %d lines, want %d, and the boot of the firmware in the first:\n%s", len(lines), cfg.Logs*cfg.Frames, &out)
		}
		before := ""
		for n, line := range lines {
			when := line[:12]
			if h.Version == 1 && strings.TrimSpace(when) != fmt.Sprint("#", n) || h.Version == 3 && (when <= before || strings.Contains(when, "#")) {
				t.Errorf("version %d: got line %d of %s, want number %d, or a time after %q: %s", h.Version, n, h.DeviceSerial, n, before, line)
			}
			before = when
			if text := line[12:]; strings.ContainsAny(text, "%<") && !strings.Contains(text, "<missing>") && !strings.HasSuffix(text, "%") {
				t.Errorf("got record %q, want no conversion and no mark but <missing> in it", text)
			}
		}
	}

	if held != result.Bytes {
		t.Errorf("got %d bytes held, want %d", held, result.Bytes)
	}
	versions := map[uint8]int{}
	for _, d := range result.Devices {
		tokens[d.Token] = true
		versions[d.Version]++
	}

	if len(tokens) != 5 || tokens[0] || versions[1] != 2 || versions[3] != 3 {
		t.Errorf("got tokens %v, header versions %v; want 5 tokens, none 0, and 2 devices of version 1 and 3 of 3", tokens, versions)
	}
}

// What arrived is told device by device, each in its order, from the files of the
// workers if there are any; what the cloud has forgotten is counted.
func TestHoldingsAreToldByDevice(t *testing.T) {
	device := func(serial string, token uint32) Device {
		return Device{DeviceInfo: mqttv5.DeviceInfo{DeviceSerial: serial}, Token: token}
	}
	got := func(serial string, kind localcloud.Kind, bytes string) localcloud.Received {
		return localcloud.Received{DeviceSerial: serial, Kind: kind, Payload: []byte(bytes), SHA256: sha256.Sum256([]byte(bytes))}
	}
	r := Result{
		Devices: []Device{device("a", 1), device("unregistered", 0), device("b", 2)},
		Received: []localcloud.Received{
			got("b", localcloud.KindLog, "b1"), got("a", localcloud.KindCoreDump, "dump"), got("b", localcloud.KindLog, "b2"),
			got("a", localcloud.KindLog, "a1"), got("stranger", localcloud.KindLog, "x"),
		},
	}

	r.Received[0].Payload = nil
	check := func(want string) {
		t.Helper()
		var told strings.Builder
		for _, h := range r.Holdings() {
			fmt.Fprintf(&told, "%s: %d logs %q, %d forgotten, dump %q\n", h.DeviceSerial, h.NumLogs, h.Logs, h.Forgotten, h.Dump)
		}
		if told.String() != want {
			t.Errorf("holdings are\n%swant\n%s", &told, want)
		}
	}

	check("a: 1 logs \"a1\", 0 forgotten, dump \"dump\"\nb: 2 logs \"b2\", 1 forgotten, dump \"\"\n")
	for _, bytes := range []string{"b2", "a1", "dump", "b1"} {
		r.Stored = append(r.Stored, ingest.Record{Payload: []byte(bytes)})
	}
	check("a: 1 logs \"a1\", 0 forgotten, dump \"dump\"\nb: 2 logs \"b1b2\", 0 forgotten, dump \"\"\n")
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
			t.Errorf("%s: got error %v, %d bytes; want %q in the error, and 40 bytes", c.name, err, r.Bytes, c.want)
		}
	}
}

func TestInterruptEndsTheDemo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{Devices: 2, Logs: 100, Frames: 1, Uploaded: cancel}
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}
