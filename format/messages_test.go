package format

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ulogkit/ulogkit/format/formattest"
)

// goodBytes returns a log and a crash dump from the vectors.
func goodBytes(t *testing.T) (log, dump []byte) {
	t.Helper()
	return formattest.LogBytes(t)[0], formattest.DumpBytes(t)[0]
}

// changed returns a copy of b with bytes replaced from offset at on.
func changed(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// Every message says what is wrong, where, and with which values.
func TestCheckErrorsSayWhatAndWhere(t *testing.T) {
	log, dump := goodBytes(t)
	sealed := func(b []byte) []byte {
		if l, _, err := ParseLog(b); err == nil {
			l.Seal()
		}
		return b
	}

	for _, c := range []struct {
		name  string
		check func([]byte) error
		input []byte
		is    error
		want  string
	}{
		{
			"empty log", CheckLog, nil, ErrShort,
			"at offset 0: log.version: ends too early: the input is empty",
		},
		{
			"unknown version", CheckLog, changed(log, 0, 5), ErrVersion,
			"at offset 0: unknown header version: 5; known are 1, 3 and 4",
		},
		{
			"header cut", CheckLog, log[:5], ErrShort,
			"at offset 5: header_v1: ends too early: its header has 13 bytes, the input 5",
		},
		{
			"data cut", CheckLog, log[:100], ErrShort,
			"at offset 100: log_v1.data: ends too early: its header announces 605 bytes in all, the input has 100",
		},
		{
			"wrong data", CheckLog, changed(log, 20, 0xff), ErrChecksum,
			"at offset 11: log_v1.header.checksum: checksum mismatch: the header says 0x00d4, the 592 bytes after it give 0x002b",
		},
		{
			"wrong high byte", CheckLog, changed(log, 12, 1), ErrChecksum,
			"at offset 11: log_v1.header.checksum: checksum mismatch: the header says 0x01d4, the 592 bytes after it give 0x00d4",
		},
		{
			"frame too long", CheckLog, sealed(changed(log, 23, 0xff, 0x7f)), ErrShort,
			"at offset 23: frame_v1.payload: ends too early: frame 1, with 582 bytes left in the log",
		},
		{
			"frame too short", CheckLog, sealed(changed(log, 13, 5)), ErrValue,
			"at offset 13: frame_header_v1.len_payload: value not allowed: frame 0, with 592 bytes left in the log",
		},
		{
			"argument type", CheckLog, sealed(changed(log, 43, 0x90)), ErrValue,
			"at offset 33: payload.packed_types: value not allowed: frame 2 with a payload of 22 bytes",
		},
		{
			"glued logs", CheckLog, append(bytes.Clone(log), log...), ErrTrailing,
			"at offset 605: bytes are left over: 605 after the log of 605 bytes",
		},
		{
			"dump header cut", CheckCoreDump, dump[:100], ErrShort,
			"at offset 100: core_dump_header: ends too early: its header has 264 bytes, the input 100",
		},
		{
			"dump cut", CheckCoreDump, dump[:400], ErrShort,
			"at offset 400: core_dump.crash: ends too early: its header announces 684 bytes in all, the input has 400",
		},
		{
			"dump version", CheckCoreDump, changed(dump, 8, 2), ErrValue,
			"at offset 8: core_dump_header.version: value not allowed: len_total is 684, version 2",
		},
		{
			"dump length", CheckCoreDump, changed(dump, 0, 1, 0), ErrValue,
			"at offset 0: core_dump_header.len_total: value not allowed: len_total is 1, version 1",
		},
		{
			"dump checksum", CheckCoreDump, changed(dump, 300, 9), ErrChecksum,
			"at offset 4: core_dump.header.checksum: checksum mismatch: the header says 0x00002640, the 420 bytes after it give 0x00002647",
		},
		{
			"dump magic", CheckCoreDump, resealed(changed(dump, 264, 0)), ErrValue,
			"at offset 264: crash_header.magic: value not allowed: with 420 bytes left in the crash dump",
		},
		{
			"dump region", CheckCoreDump, resealed(changed(dump, 352, 0xff, 0xff, 0xff, 0xff)), ErrValue,
			"at offset 352: memory_region.end: value not allowed: with 332 bytes left in the crash dump",
		},
		{
			"dump without registers", CheckCoreDump, floating(dump[:360]), ErrShort,
			"at offset 352: fp_registers: ends too early: with 8 bytes left in the crash dump",
		},
	} {
		err := c.check(c.input)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
		if !errors.Is(err, c.is) {
			t.Errorf("%s: got %v, want one that is %v", c.name, err, c.is)
		}
		var check *CheckError
		if !errors.As(err, &check) {
			t.Errorf("%s: got an error of type %T, want %T", c.name, err, check)
		}
	}
}

// floating sets the bit that promises floating-point registers.
func floating(b []byte) []byte {
	b = changed(b, 268, 1)
	(*CoreDumpHeader)(b).SetLenTotal(uint32(len(b)))
	return resealed(b)
}

func resealed(b []byte) []byte {
	if d, _, err := ParseCoreDump(b); err == nil {
		d.Seal()
	}
	return b
}

// A number that no parser has seen is told, and costs no allocation.
func TestUnknownVersionIsToldWithoutAllocation(t *testing.T) {
	for version := range 256 {
		_, _, err := ParseLog(bytes.Repeat([]byte{byte(version)}, 70000))
		var v VersionError
		if got := errors.As(err, &v); got != (version != 1 && version != 3 && version != 4) || got && int(v) != version {
			t.Errorf("version %d: got error %v, want a %T of that number unless it is 1, 3 or 4", version, err, v)
		}
	}
}

func TestCrashDumpIsReadWithoutAllocation(t *testing.T) {
	_, dump := goodBytes(t)
	for name, b := range map[string][]byte{
		"good": dump, "cut": dump[:300], "empty": nil,
		"checksum": changed(dump, 300, 9), "region": resealed(changed(dump, 352, 0xff, 0xff, 0xff, 0xff)),
	} {
		var err error

		allocs := testing.AllocsPerRun(10, func() {
			var d CoreDump
			if d, _, err = ParseCoreDump(b); err != nil {
				return
			}
			if err = d.Verify(); err != nil {
				return
			}
			var c CrashCatcher
			if c, err = ParseCrashCatcher(d.Crash); err != nil {
				return
			}
			for region := range c.Regions() {
				_ = region.Data
			}
		})
		if allocs != 0 || (err == nil) != (name == "good") {
			t.Errorf("%s: got %v allocations, error %v, want none, and an error unless it is good", name, allocs, err)
		}
	}
}

func TestStackOverflowIsRecognized(t *testing.T) {
	_, dump := goodBytes(t)
	marked := append(bytes.Clone(dump), 0xac, 0xce, 0x55, 0xed) // as CrashCatcher writes it
	head := (*CoreDumpHeader)(marked)
	head.SetLenTotal(uint32(len(marked)))
	d, _, err := ParseCoreDump(resealed(marked))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCrashCatcher(d.Crash)
	if err != nil || !c.StackOverflow {
		t.Errorf("got stack overflow %v, error %v, want true and no error", c.StackOverflow, err)
	}
	if err := CheckCoreDump(marked); err != nil {
		t.Error(err)
	}
	marked[len(marked)-1]++
	if err := CheckCoreDump(resealed(marked)); !errors.Is(err, ErrValue) {
		t.Errorf("another last word: got error %v, want %v", err, ErrValue)
	}
}

func TestDeviceInfoMayLackItsLastTexts(t *testing.T) {
	full := append([]byte{0x78, 0x56, 0x34, 0x12}, "SN-001\x00MyDevice\x00v1.0.0\x00abc123\x00"...)
	for cut, want := range map[int][4]string{
		len(full): {"SN-001", "MyDevice", "v1.0.0", "abc123"},
		27:        {"SN-001", "MyDevice", "v1.0.0", "-"},
		20:        {"SN-001", "MyDevice", "-", "-"},
		11:        {"SN-001", "-", "-", "-"},
		4:         {"-", "-", "-", "-"},
	} {
		info, rest, err := ParseDeviceInfo(full[:cut])
		if err != nil || len(rest) > 0 || info.ApplicationID != 0x12345678 {
			t.Errorf("%d bytes: got %d left, application %#x, error %v, want none, 0x12345678 and no error", cut, len(rest), info.ApplicationID, err)
			continue
		}
		for i, got := range [][]byte{info.DeviceSerial, info.DeviceType, info.GitVersion, info.GitHash} {
			if missing := want[i] == "-"; (got == nil) != missing || !missing && string(got) != want[i] {
				t.Errorf("%d bytes: text %d is %q, want %q", cut, i, got, want[i])
			}
		}
		if back, err := info.AppendTo(nil); err != nil || !bytes.Equal(back, full[:cut]) {
			t.Errorf("%d bytes: got written as %q, error %v, want %q", cut, back, err, full[:cut])
		}
	}

	if _, _, err := ParseDeviceInfo(full[:10]); !errors.Is(err, ErrShort) {
		t.Errorf("text without NUL: got error %v, want %v", err, ErrShort)
	}
}

func TestLogConfigLevelIsChecked(t *testing.T) {
	b := []byte{2, 0xff, 0xff, 0xff, 0xff, 0x10, 0x0e, 0, 0}
	c, rest, err := ParseLogConfig(b)
	if err != nil || len(rest) > 0 || c.Level() != LevelWarning || c.ModuleFlags() != 0xffffffff || c.TimeoutSeconds() != 3600 {
		t.Errorf("got log config %v, %d bytes left, error %v, want %v, flags 0xffffffff, 3600 s and none left", c, len(rest), err, LevelWarning)
	}
	for level := range 256 {
		_, _, err := ParseLogConfig(changed(b, 0, byte(level)))
		if bad := level > 4; errors.Is(err, ErrValue) != bad || (err != nil) != bad {
			t.Errorf("level %d: got error %v, want %v: %v", level, err, ErrValue, bad)
		}
	}
}

// The cloud's message may hold names behind the nine bytes, and a level that no
// device has is INFO (case seed/config-names).
func TestMessageOfLogConfigMayHoldNames(t *testing.T) {
	b := []byte("\x02\x03\x00\x00\x00\x58\x02\x00\x00[\"COMM\",\"SENSOR\"]")
	v, names, err := ParseLogConfigMessage(b)
	if err != nil || v.Level() != LevelWarning || v.ModuleFlags() != 3 || v.TimeoutSeconds() != 600 || string(names) != `["COMM","SENSOR"]` {
		t.Errorf("got %v, %q, %v, want Level %v, ModuleFlags 3, TimeoutSeconds 600 and names \"[\\\"COMM\\\",\\\"SENSOR\\\"]\"", v, names, err, LevelWarning)
	}
	for level := range 256 {
		want := Level(level)
		if level > 4 {
			want = LevelInfo
		}
		if v, names, err := ParseLogConfigMessage(changed(b[:9], 0, byte(level))); err != nil || v.Level() != want || len(names) > 0 {
			t.Errorf("level %d: got %v, %q, %v, want Level %v and no names", level, v.Level(), names, err, want)
		}
	}
	if _, _, err := ParseLogConfigMessage(b[:8]); !errors.Is(err, ErrShort) {
		t.Errorf("8 bytes: error %v, want %v", err, ErrShort)
	}
}
