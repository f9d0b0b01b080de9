package format

import (
	"math"
	"strconv"
	"testing"

	"github.com/ulogkit/ulogkit/format/formattest"
)

// logVectors are what real agents wrote, of every header version.
func logVectors(t testing.TB) []formattest.Log {
	t.Helper()
	vectors := formattest.Logs(t)
	seen := map[uint8]bool{}
	for _, v := range vectors {
		seen[v.Header.Version] = true
	}
	for i := range logLayouts {
		if version := logLayouts[i].version; !seen[version] {
			t.Errorf("got no vector of header version %d, want one", version)
		}
	}
	return vectors
}

func TestLogVectorsAreReadAsRecorded(t *testing.T) {
	for _, v := range logVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			l, rest, err := ParseLog(v.Buffer)
			if err != nil || len(rest) != 0 {
				t.Fatalf("ParseLog: got %d bytes left, error %v, want neither", len(rest), err)
			}
			checkHeader(t, l, &v)
			if err := l.Verify(); err != nil {
				t.Error(err)
			}

			if err := CheckLog(v.Buffer); err != nil {
				t.Error(err)
			}
			frames := l.Frames()
			count, shown := 0, 0
			for frames.Next() {
				if want := v.FrameAt(count); want != nil {
					checkFrame(t, frames.Frame(), want)
					shown++
				}
				count++
			}

			if err := frames.Err(); err != nil {
				t.Error(err)
			}
			if count != v.FrameCount || shown != len(v.Frames) {
				t.Errorf("walked %d frames and compared %d, want %d and %d", count, shown, v.FrameCount, len(v.Frames))
			}
		})
	}
}

func checkHeader(t *testing.T, l Log, v *formattest.Log) {
	t.Helper()
	h := &v.Header
	if l.Version() != h.Version || l.SessionToken() != h.SessionToken || len(l.Data()) != int(h.DataLen) || l.Checksum() != h.Checksum {
		t.Errorf("header is version %d, token %d, %d data bytes, checksum %#x; want %+v",
			l.Version(), l.SessionToken(), len(l.Data()), l.Checksum(), h)
	}
	tick, rate, hasClock := l.Clock()
	if hasClock != (h.Tick != nil) || hasClock && (tick != *h.Tick || rate != *h.TickRateHz) {
		t.Errorf("got clock %d, %d, %v, want %+v", tick, rate, hasClock, h)
	}
	if us, ok := l.Epoch(); ok != (h.EpochTimeUs != nil) || ok && us != *h.EpochTimeUs {
		t.Errorf("got epoch %d, %v, want %+v", us, ok, h)
	}
	if n, ok := l.Sequence(); ok != (h.Sequence != nil) || ok && n != *h.Sequence {
		t.Errorf("got sequence %d, %v, want %+v", n, ok, h)
	}
	if l.FramesNumbered() != (h.Sequence != nil) || l.FramesTimed() != (h.Tick != nil) {
		t.Errorf("frames numbered %v, timed %v, want %+v", l.FramesNumbered(), l.FramesTimed(), h)
	}
}

func checkFrame(t *testing.T, f Frame, want *formattest.Frame) {
	t.Helper()
	if f.Sequence != want.Sequence || f.TickDelta != want.TickDelta {
		t.Errorf("frame has sequence %d and tick delta %d, want %d and %d", f.Sequence, f.TickDelta, want.Sequence, want.TickDelta)
	}
	p, err := ParsePayload(f.Payload)
	if err != nil {
		t.Errorf("payload of %q: %v", want.Fmt, err)
		return
	}

	if uint8(p.Level()) != want.Level || p.Module() != want.Module || p.FmtAddr() != want.FmtAddr || p.NumArgs() != len(want.Args) {
		t.Errorf("%q: level %d, module %d, fmt_addr %d, %d arguments; want %+v", want.Fmt, p.Level(), p.Module(), p.FmtAddr(), p.NumArgs(), want)
	}
	args := p.Args()
	for i, wa := range want.Args {
		if !args.Next() {
			t.Fatalf("%q: walked %d arguments, want %d", want.Fmt, i, len(want.Args))
		}
		checkArg(t, want.Fmt, args.Arg(), wa)
	}

	if args.Next() {
		t.Errorf("%q: more than %d arguments", want.Fmt, len(want.Args))
	}
}

// vectorTypes maps the vectors' names of argument types to ours.
var vectorTypes = map[string]ArgType{
	"i32": ArgTypeI32, "u32": ArgTypeU32, "i64": ArgTypeI64, "u64": ArgTypeU64,
	"ptr": ArgTypePointer, "chr": ArgTypeChar, "dbl": ArgTypeDouble, "str": ArgTypeString,
}

func checkArg(t *testing.T, format string, a Arg, want formattest.Arg) {
	t.Helper()
	typ, known := vectorTypes[want.Type]
	if !known {
		t.Fatalf("vector has argument type %q", want.Type)
	}
	if a.Type() != typ {
		t.Errorf("%q: argument type %v, want %v", format, a.Type(), typ)
		return
	}

	var got, wanted string
	if want.Value != nil {
		wanted = *want.Value
	}
	switch typ {
	case ArgTypeI32, ArgTypeI64:
		got = strconv.FormatInt(a.Int(), 10)
	case ArgTypeDouble:
		bits, err := strconv.ParseUint(want.Bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		wanted = strconv.FormatUint(bits, 16)
		got = strconv.FormatUint(math.Float64bits(a.Float()), 16)
	case ArgTypeString:
		if a.Stored() != (want.Value != nil) {
			t.Errorf("%q: string stored %v, want %v", format, a.Stored(), want.Value != nil)
		}
		got = string(a.Text())
	default:
		got = strconv.FormatUint(a.Uint(), 10)
	}

	if got != wanted {
		t.Errorf("%q: %v argument is %q, want %q", format, typ, got, wanted)
	}
}

func TestCoreDumpVectorsAreReadAsRecorded(t *testing.T) {
	for _, v := range formattest.Dumps(t) {
		t.Run(v.Name, func(t *testing.T) {
			d, rest, err := ParseCoreDump(v.Core)
			if err != nil || len(rest) != 0 {
				t.Fatalf("ParseCoreDump: got %d bytes left, error %v, want neither", len(rest), err)
			}
			if err := d.Verify(); err != nil {
				t.Error(err)
			}

			if err := CheckCoreDump(v.Core); err != nil {
				t.Error(err)
			}
			h := d.Header
			if h.LenTotal() != v.TotalLen || h.Checksum() != v.Checksum || h.Version() != v.Version || h.ApplicationID() != v.ApplicationID ||
				string(h.GitHash()) != v.GitHash || string(h.DeviceType()) != v.DeviceType || string(h.DeviceSerial()) != v.DeviceSerial || string(h.VersionString()) != v.VersionString {
				t.Errorf("got header % x, want length %d, checksum %#x, version %d, application %#x and the texts %q", *h,
					v.TotalLen, v.Checksum, v.Version, v.ApplicationID, []string{v.GitHash, v.DeviceType, v.DeviceSerial, v.VersionString})
			}

			c, err := ParseCrashCatcher(d.Crash)
			if err != nil {
				t.Fatal(err)
			}
			if c.Header.Flags() != v.Flags || (c.FPRegisters != nil) != (v.FPRegisters != nil) || c.StackOverflow {
				t.Errorf("got flags %#x, floating point %v, stack overflow %v, want %#x, %v and false",
					c.Header.Flags(), c.FPRegisters != nil, c.StackOverflow, v.Flags, v.FPRegisters != nil)
			}

			checkRegisters(t, c.Registers, v.Registers)
			i := 0
			for region := range c.Regions() {
				if i == len(v.Regions) {
					t.Fatalf("got more than %d regions, want no more", i)
				}
				if w := v.Regions[i]; region.Start != w.Start || region.End != w.End || len(region.Data) != int(w.End-w.Start) {
					t.Errorf("region %d is %#x-%#x with %d bytes, want %#x-%#x", i, region.Start, region.End, len(region.Data), w.Start, w.End)
				}
				i++
			}

			if i != len(v.Regions) {
				t.Errorf("walked %d regions, want %d", i, len(v.Regions))
			}
			if faults := c.FaultRegisters(); faults == nil || faults.CFSR() == 0 && v.Name != "agent-1.2.2/assert" {
				t.Errorf("got fault registers %v, want some, with a CFSR that is not 0", faults)
			}
		})
	}
}

func checkRegisters(t *testing.T, r *Registers, want map[string]uint32) {
	t.Helper()
	got := map[string]uint32{
		"r0": r.R0(), "r1": r.R1(), "r2": r.R2(), "r3": r.R3(), "r4": r.R4(), "r5": r.R5(), "r6": r.R6(),
		"r7": r.R7(), "r8": r.R8(), "r9": r.R9(), "r10": r.R10(), "r11": r.R11(), "r12": r.R12(),
		"sp": r.SP(), "lr": r.LR(), "pc": r.PC(), "xpsr": r.XPSR(), "msp": r.MSP(), "psp": r.PSP(), "exception_psr": r.ExceptionPSR(),
	}
	if len(want) != len(got) {
		t.Errorf("vector has %d registers, want %d", len(want), len(got))
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %#x, want %#x", name, got[name], value)
		}
	}
}
