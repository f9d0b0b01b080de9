package sample

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

func mustDevice(t *testing.T, version uint8, seed uint64) *Device {
	t.Helper()
	d, err := NewDevice(version, seed)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// records calls visit for every record of a log that must be good.
func records(t *testing.T, log []byte, visit func(format.Frame, format.Payload)) int {
	t.Helper()
	if err := format.CheckLog(log); err != nil {
		t.Fatal(err)
	}
	l, _, err := format.ParseLog(log)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	frames := l.Frames()
	for frame := range frames.All() {
		p, err := format.ParsePayload(frame.Payload)
		if err != nil {
			t.Fatal(err)
		}
		visit(frame, p)
		n++
	}
	return n
}

func TestLogIsTheSameForTheSameSeed(t *testing.T) {
	for _, version := range Versions() {
		one, two, other := mustDevice(t, version, 7), mustDevice(t, version, 7), mustDevice(t, version, 8)
		for range 3 {
			a, err := one.Log(50, format.LevelDebug)
			if err != nil {
				t.Fatal(err)
			}
			b, err := two.Log(50, format.LevelDebug)
			if err != nil {
				t.Fatal(err)
			}
			c, err := other.Log(50, format.LevelDebug)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) || bytes.Equal(a, c) {
				t.Fatalf("version %d: got the same seed equal: %v, another seed equal: %v; want true and false", version, bytes.Equal(a, b), bytes.Equal(a, c))
			}
		}
	}
}

func TestLogHoldsWhatRealOnesHold(t *testing.T) {
	for _, version := range Versions() {
		d := mustDevice(t, version, 1)
		log, err := d.Log(500, format.LevelDebug)
		if err != nil {
			t.Fatal(err)
		}
		levels, types, dropped := map[format.Level]int{}, map[format.ArgType]int{}, 0

		n := records(t, log, func(_ format.Frame, p format.Payload) {
			levels[p.Level()]++
			text, known := linked().formats[p.FmtAddr()]
			if !known {
				t.Errorf("got no format string at 0x%08x, want one", p.FmtAddr())
			}
			if want := strings.Count(strings.ReplaceAll(text, "%%", ""), "%"); p.NumArgs() != want {
				t.Errorf("%q has %d arguments, want %d", text, p.NumArgs(), want)
			}
			args := p.Args()
			for arg := range args.All() {
				types[arg.Type()]++
				if !arg.Stored() {
					dropped++
				}
			}
		})
		if n != 500 || len(levels) != 6 || len(types) != 8 || dropped == 0 {
			t.Errorf("version %d: got %d frames, levels %v, types %v, %d dropped strings; want 500, 6 levels, 8 types, some dropped",
				version, n, levels, types, dropped)
		}
	}
}

func TestBootBannerHasEveryArgumentType(t *testing.T) {
	log, err := mustDevice(t, 3, 1).Log(len(linked().boot), format.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	types := map[format.ArgType]bool{}
	records(t, log, func(_ format.Frame, p format.Payload) {
		args := p.Args()
		for arg := range args.All() {
			types[arg.Type()] = true
		}
	})
	if len(types) != 8 {
		t.Errorf("got the types %v in the banner, want 8", types)
	}
}

func TestNoRecordIsBelowTheLevel(t *testing.T) {
	for lowest := format.LevelDebug; lowest <= format.LevelMetric; lowest++ {
		log, err := mustDevice(t, 3, 1).Log(60, lowest)
		if err != nil {
			t.Fatal(err)
		}
		n := records(t, log, func(_ format.Frame, p format.Payload) {
			if p.Level() < lowest {
				t.Errorf("got level %v, want %v or above", p.Level(), lowest)
			}
		})
		if n != 60 {
			t.Errorf("from %v up: got %d frames, want 60", lowest, n)
		}
	}
	if _, err := mustDevice(t, 3, 1).Log(1, format.LevelMetric+1); err == nil {
		t.Error("got no error of a level above metric, want one")
	}
}

// A version 1 device counts its frames, a version 3 device adds up its ticks,
// and both go on from log to log.
func TestFramesContinueFromLogToLog(t *testing.T) {
	v1, v3 := mustDevice(t, 1, 5), mustDevice(t, 3, 5)
	sequence, tick := uint16(0), uint32(0)

	for range 3 {
		log, err := v1.Log(20, format.LevelWarning)
		if err != nil {
			t.Fatal(err)
		}
		records(t, log, func(f format.Frame, _ format.Payload) {
			if f.Sequence != sequence {
				t.Errorf("sequence %d, want %d", f.Sequence, sequence)
			}
			sequence++
		})
		if log, err = v3.Log(20, format.LevelWarning); err != nil {
			t.Fatal(err)
		}
		records(t, log, func(f format.Frame, _ format.Payload) { tick += f.TickDelta })
		l, _, _ := format.ParseLog(log)
		if report, _, _ := l.Clock(); tick > report || report-tick > TickRateHz {
			t.Errorf("got the last frame at tick %d, want it within a second before the report at tick %d", tick, report)
		}
	}
}

func TestTooManyFramesAreRefused(t *testing.T) {
	d := mustDevice(t, 3, 1)
	if _, err := d.Log(100_000, format.LevelDebug); !errors.Is(err, format.ErrTooLong) {
		t.Errorf("error %v, want %v", err, format.ErrTooLong)
	}
}

func TestUnknownVersionIsRefused(t *testing.T) {
	if _, err := NewDevice(2, 1); !errors.Is(err, format.ErrVersion) {
		t.Errorf("error %v, want %v", err, format.ErrVersion)
	}
}

func TestCoreDumpIsGood(t *testing.T) {
	info := format.DeviceInfo{
		ApplicationID: 7, DeviceSerial: []byte("S-1"), DeviceType: []byte("sensor"),
		GitVersion: []byte("v1.4.0"), GitHash: []byte("0123456789abcdef0123456789abcdef01234567"),
	}

	b, err := mustDevice(t, 3, 1).CoreDump(info)
	if err != nil {
		t.Fatal(err)
	}
	if err := format.CheckCoreDump(b); err != nil {
		t.Fatal(err)
	}

	d, _, err := format.ParseCoreDump(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := format.ParseCrashCatcher(d.Crash)
	if err != nil {
		t.Fatal(err)
	}

	if string(d.Header.DeviceSerial()) != "S-1" || string(d.Header.GitHash()) != string(info.GitHash) {
		t.Errorf("got serial %q, git hash %q; want S-1, %q", d.Header.DeviceSerial(), d.Header.GitHash(), info.GitHash)
	}
	if faults := c.FaultRegisters(); faults == nil || faults.BFAR() != c.Registers.R0() {
		t.Errorf("got fault registers %v, want some with BFAR 0x%08x", faults, c.Registers.R0())
	}

	info.DeviceSerial = bytes.Repeat([]byte("x"), 100)
	if _, err := mustDevice(t, 3, 1).CoreDump(info); !errors.Is(err, format.ErrTooLong) {
		t.Errorf("error %v, want %v", err, format.ErrTooLong)
	}
}
