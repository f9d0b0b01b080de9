package crash

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// A function that jumps to another and has a call that does not return at its end,
// before its constants: which are not code that anything goes on in. GCC writes it for
// assertions and with -fstack-protector.
//
// Kind of crash/compressed-debug: a chain of tail calls.
func TestConstantsAfterATailCallAreNoCode(t *testing.T) {
	for name, last := range map[string][]uint16{
		"ldr":             {0x4b03, 0xbf00, 0xd102, 0xbf00, 0xf7ff, 0xbff9, 0xf000, 0xf8f4, 0x0dd8, 0x2000},
		"ldr, four bytes": {0xf8df, 0x300c, 0xd102, 0xbf00, 0xf7ff, 0xbff9, 0xf000, 0xf8f4, 0x0dd8, 0x2000},
		"vldr":            {0xed9f, 0x0a03, 0xd102, 0xbf00, 0xf7ff, 0xbff9, 0xf000, 0xf8f4, 0x0dd8, 0x2000},
	} {
		code := bytes.Repeat([]byte{0x00, 0xbf}, 0x200)
		const at = 0x100 // of middle, which jumps to leaf
		for i, h := range last {
			binary.LittleEndian.PutUint16(code[at+2*i:], h)
		}

		// b.w leaf, from middle+8
		offset := int32(leafAt) - int32(middleAt+8+4)
		binary.LittleEndian.PutUint16(code[at+8:], uint16(0xf000|offset>>12&0x7ff))
		binary.LittleEndian.PutUint16(code[at+10:], uint16(0xb800|offset>>1&0x7ff))
		if code[at+9]&4 != 0 { // negative: both J bits are those of the sign
			code[at+11] |= 0x28
		}
		fw := &Firmware{
			functions: []firmware.Function{{Addr: leafAt, Size: 0x100, Name: "leaf"}, {Addr: middleAt, Size: uint32(2 * len(last)), Name: "middle"}},
			blocks:    []firmware.Block{{Addr: leafAt, Data: code, Code: true}},
		}

		g := &callGraph{fw: fw, leave: map[uint32]exits{}, steps: 1000}
		e := g.exitsOf(extent{middleAt, middleAt + uint32(2*len(last))})
		if e.unsure || !e.calls || len(e.jumps) != 1 || e.jumps[0].target != leafAt {
			t.Errorf("%s: got %+v, want one jump to 0x%x, and all sure", name, e, leafAt)
		}
	}
}

// The stack overflowed so that not even the registers were saved, and the dump has no
// memory: nothing in it is of any code, which does not speak against a firmware.
//
// Kind of crash/wrong-firmware-silent, the other way round.
func TestDumpWithoutCodeSpeaksAgainstNoFirmware(t *testing.T) {
	fw := builds(t, readSet(t, crashset))["m33-Os"]
	dump := func(cfsr uint32) *Dump {
		registers := make([]uint32, 20)
		registers[13], registers[16] = 0x37fffff0, 3
		b := append([]byte("cC\x03\x00"), u32(append([]uint32{0}, registers...)...)...)
		return mustRead(t, append(b, u32(0xe000ed28, 0xe000ed3c, cfsr, 1<<30, 0, 0, 0x37ffffe8)...))
	}
	m := fw.Match(dump(0x9200))
	if m.Verdict != Fits || len(m.Reasons) != 1 || !strings.HasSuffix(m.Reasons[0], "nothing could be compared.") {
		t.Errorf("registers lost: got %s, %q, want fits, nothing could be compared", m.Verdict, m.Reasons)
	}
	if m = fw.Match(dump(0x100)); m.Verdict != Wrong {
		t.Errorf("registers saved: got %s, %q, want wrong", m.Verdict, m.Reasons)
	}
}

// Names of Rust have dots of their own, in the older kind.
//
// Kind of crash/alias-name: a name that is none.
func TestRustNamesAreShownDemangled(t *testing.T) {
	for name, want := range map[string]string{
		"_ZN57_$LT$firmware..uart..Uart$u20$as$u20$core..fmt..Write$GT$9write_str17habcdefabcdefabcdE":           "<firmware::uart::Uart as core::fmt::Write>::write_str",
		"_ZN57_$LT$firmware..uart..Uart$u20$as$u20$core..fmt..Write$GT$9write_str17habcdefabcdefabcdE.llvm.1234": "<firmware::uart::Uart as core::fmt::Write>::write_str",
		"_ZN8firmware4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE":                                    "firmware::main::{{closure}}",
		"_RNvCsgStHSCytQ6I_7mycrate3foo.llvm.1234":                                                               "mycrate::foo",
		"_ZN3app3runEi.part.0": "app::run",
		"17h.isra.0":           "17h",
	} {
		if got := display(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A processor in lockup has a pc that is no code's: nothing is said to have run there.
//
// Kind of crash/m0-no-reason.
func TestLockupIsBlamedOnNoCode(t *testing.T) {
	for _, pc := range []uint32{0xfffffffe, 0xeffffffe} {
		registers := make([]uint32, 20)
		registers[13], registers[15], registers[16] = 0x20001000, pc, thumbBit|numberHardFault
		raw := append([]byte("cC\x03\x00"), u32(append([]uint32{0}, registers...)...)...)
		for name, faults := range map[string][]byte{
			"recorded": u32(0xe000ed28, 0xe000ed3c, bitPRECISERR|bitBFARVALID, bitFORCED, 0, 0, 0xb0000000),
			"none":     nil,
		} {
			var fw *Firmware
			d := mustRead(t, append(bytes.Clone(raw), faults...))
			if got := fw.Summary(d, fw.Backtrace(d)); !strings.HasPrefix(got, "Lockup: ") {
				t.Errorf("pc 0x%08x, %s: got %q, want it to begin with \"Lockup: \"", pc, name, got)
			}
			reasons := strings.Join(fw.Explain(d).Reasons, "\n")
			if !strings.Contains(reasons, "the processor was in lockup") || strings.Contains(reasons, "The code at pc") {
				t.Errorf("pc 0x%08x, %s: got %q, want that the processor was in lockup and no word of the code at pc", pc, name, reasons)
			}
		}
	}
}
