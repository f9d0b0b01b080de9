package crash

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// The code of the tests: functions of 0x100 bytes each from 0x1000 on, with a
// call (BL) at 0x10, which returns to 0x14, and one through r3 that returns to
// 0x22. They are named leaf, middle, outer and start.
const (
	leafAt   = 0x1000
	middleAt = 0x1100
	outerAt  = 0x1200
	startAt  = 0x1300

	ofsReturn = 0x14
)

// calls returns the return address of the call in a function.
func calls(function uint32) uint32 { return function + ofsReturn | 1 }

func testFirmware(cfi []byte, eh bool) *Firmware {
	code := bytes.Repeat([]byte{0x00, 0xbf}, 0x200)
	fw := &Firmware{rules: ruleTable{data: cfi, eh: eh, addr: 0x3000}}
	for i, name := range []string{"leaf", "middle", "outer", "start"} {
		copy(code[i*0x100+ofsReturn-2:], "\x98\x47") // blx r3, which may call any
		copy(code[i*0x100+0x20:], "\x98\x47")        // blx r3
		fw.functions = append(fw.functions, firmware.Function{Addr: leafAt + uint32(i)*0x100, Size: 0x100, Name: name})
	}
	copy(code[0x1fe:], "\x98\x47")        // middle ends in a call
	copy(code[0x30:], "\x00\xbf\xfe\xd8") // nop; bhi, which is not the end of a BL
	pointers := u32(leafAt|1, middleAt|1, outerAt|1, startAt|1)
	fw.blocks = []firmware.Block{{Addr: leafAt, Data: code, Code: true}, {Addr: 0x8000, Data: pointers}}
	fw.rules.readIndex()
	return fw
}

// entry is a .debug_frame or .eh_frame entry with its length.
func entry(parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	return append(u32(uint32(len(b))), b...)
}

func u32(words ...uint32) []byte {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// common is what GCC writes: the caller's sp is sp, lr is the return address.
var common = entry(u32(0xffffffff), []byte("\x01\x00\x02\x7c\x0e\x0c\x0d\x00\x00"))

// saves is the rules of a function that has pushed r7 and lr.
var saves = []byte("\x0e\x08\x87\x02\x8e\x01")

func rulesOf(addr uint32, instructions []byte) []byte {
	return entry(u32(0, addr, 0x100), instructions)
}

// plain has all four functions; leaf saves nothing.
func plain() []byte {
	return slices.Concat(common, rulesOf(leafAt, nil), rulesOf(middleAt, saves), rulesOf(outerAt, saves), rulesOf(startAt, saves))
}

// chain is a stack on which leaf was called by middle, that by outer, and that
// by start, which nothing called.
func chain() []uint32 {
	return []uint32{7, calls(outerAt), 8, calls(startAt), 9, 0xffffffff}
}

func show(frames []Frame) string {
	var all []string
	for _, f := range frames {
		name := f.Function
		if name == "" {
			name = "?"
		}
		name += "+" + strconv.FormatUint(uint64(f.Offset), 16) + " " + string(f.How)
		if f.Confidence == Scanned {
			name += "?"
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

// inInterrupt is the xpsr of the handler of interrupt 4.
const inInterrupt = thumbBit | 20

const whole = "leaf+8 pc, middle+14 cfi, outer+14 cfi, start+14 cfi"

func TestUnwindFollowsRulesElseScansTheStack(t *testing.T) {
	inLeaf := [16]uint32{3: 0x9001, 7: 70, 14: calls(middleAt), 15: leafAt + 8}
	withPC := func(pc, lr uint32) [16]uint32 {
		reg := inLeaf
		reg[15], reg[14] = pc, lr
		return reg
	}
	replace := func(function uint32, instructions string) []byte {
		b := common
		for _, f := range []uint32{leafAt, middleAt, outerAt, startAt} {
			rules := saves
			switch f {
			case function:
				rules = []byte(instructions)
			case leafAt:
				rules = nil
			}
			b = slices.Concat(b, rulesOf(f, rules))
		}
		return b
	}
	tests := []struct {
		name  string
		cfi   []byte
		eh    bool
		dump  testDump
		calls string
	}{
		{"plain", plain(), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"what is above the first caller is not looked at", plain(), false, testDump{reg: inLeaf, stack: append(chain(), calls(outerAt))}, whole},
		{"version 3", withCommon("\x03\x00\x02\x7c\x0e\x0c\x0d\x00"), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"no rules", nil, false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 code, outer+14 stack?, start+14 stack?"},
		{"clang, version 4", withCommon("\x04\x00\x04\x00\x01\x7c\x0e\x0c\x0d\x00"), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"version 4 with wide addresses", withCommon("\x04\x00\x08\x00\x01\x7c\x0e\x0c\x0d\x00"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 code, outer+14 stack?, start+14 stack?"},
		{"eh_frame, absolute", ehFrame("\x01\x00\x02\x7c\x0e\x0c\x0d\x00", false), true, testDump{reg: inLeaf, stack: chain()}, whole},
		{"eh_frame, relative", ehFrame("\x01zR\x00\x02\x7c\x0e\x01\x1b\x0c\x0d\x00", true), true, testDump{reg: inLeaf, stack: chain()}, whole},
		{"eh_frame of C++", ehFrame("\x01zPLR\x00\x02\x7c\x0e\x07\x00\x00\x00\x00\x00\x00\x1b\x0c\x0d\x00", true), true, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 code, outer+14 stack?, start+14 stack?"},
		// def_cfa_offset 8, lr saved; advance to 6; lr restored, def_cfa_offset 0.
		{"lr restored before the pc", replace(leafAt, "\x0e\x08\x8e\x01\x43\xce\x0e\x00"), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"row after the pc", replace(leafAt, "\x45\x0e\x40\x8e\x01"), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"lr in r3", replace(leafAt, "\x09\x0e\x03"), false, testDump{reg: [16]uint32{3: calls(middleAt), 14: 5, 15: leafAt + 8}, stack: chain()}, whole},
		{"frame pointer", replace(middleAt, "\x0c\x07\x08\x87\x02\x8e\x01"), false, testDump{
			reg: [16]uint32{7: testStack + 8, 14: calls(middleAt), 15: leafAt + 8}, stack: append([]uint32{0, 0}, chain()...),
		}, whole},
		{"frame pointer of a caller", replace(outerAt, "\x0c\x07\x08\x87\x02\x8e\x01"), false, testDump{
			reg: inLeaf, stack: []uint32{testStack + 16, calls(outerAt), 0, 0, 9, calls(startAt), 9, 0xffffffff},
		}, whole},
		{"frame pointer that is unknown", replace(middleAt, "\x0c\x03\x08\x8e\x01"), false, testDump{reg: [16]uint32{3: testStack, 14: calls(middleAt), 15: leafAt + 8}, stack: chain()}, "leaf+8 pc, middle+14 cfi, outer+14 stack?, start+14 cfi?"},
		{
			"frame pointer that a function gave up", slices.Concat(common, rulesOf(leafAt, nil), rulesOf(middleAt, []byte("\x0e\x08\x07\x07\x8e\x01")), rulesOf(outerAt, []byte("\x0c\x07\x08\x8e\x01"))),
			false,
			testDump{reg: inLeaf, stack: chain()},
			"leaf+8 pc, middle+14 cfi, outer+14 cfi, start+14 stack?",
		},
		{"outermost by the compiler's word", replace(middleAt, "\x07\x0e"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 cfi"},
		{"a caller that has not saved lr", replace(middleAt, ""), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 cfi, outer+14 stack?, start+14 cfi?"},
		{"lr of a call that the function made", plain(), false, testDump{reg: withPC(leafAt+0x18, calls(leafAt)), stack: chain()}, "leaf+18 pc, outer+14 stack?, start+14 cfi?"},
		{"sp that would not grow", replace(middleAt, "\x0e\x00\x8e\x7f"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 cfi, outer+14 stack?, start+14 cfi?"},
		{"sp that stays", replace(middleAt, "\x0e\x00\x11\x0e\x7f"), false, testDump{reg: inLeaf, stack: []uint32{7, calls(middleAt), 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi, middle+14 stack?, start+14 cfi?, start+14 cfi?"},
		{"sp that goes down", replace(leafAt, "\x13\x02\x8e\x01"), false, testDump{
			reg: [16]uint32{13: testStack + 16, 14: 5, 15: leafAt + 8}, stack: append([]uint32{0, calls(middleAt), 0, 0}, chain()...),
		}, "leaf+8 pc, outer+14 stack?, start+14 cfi?"},
		{"sp that would go down", replace(leafAt, "\x13\x04\x8e\x01"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 lr?, outer+14 cfi?, start+14 cfi?"},
		{"sp by an expression", replace(leafAt, "\x0f\x02\x7d\x00"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 lr?, outer+14 cfi?, start+14 cfi?"},
		{"sp that is odd", replace(leafAt, "\x0e\x02"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 lr?, outer+14 cfi?, start+14 cfi?"},
		{"saved outside of the dump", replace(middleAt, "\x0e\x80\x08\x8e\x01"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 cfi, outer+14 stack?, start+14 cfi?"},
		{"a return address that is none", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, outerAt + 0x31, 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi, start+14 stack?"},
		{"an even return address", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, outerAt + ofsReturn, 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi, start+14 stack?"},
		{"a task ends in a function", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, startAt | 1, 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi"},
		{"lr is null", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, 0, 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi, start+14 stack?"},
		{"lr is null and has the Thumb bit", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, 1, 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi, start+14 stack?"},
		{"lr is null and nothing follows", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, 0, 8, 9}}, "leaf+8 pc, middle+14 cfi"},
		{"nothing called it", plain(), false, testDump{reg: inLeaf, stack: []uint32{7, 0xffffffff, 8, calls(startAt)}}, "leaf+8 pc, middle+14 cfi"},
		{"call at the end of a function", replace(middleAt, "\x0e\x10\x87\x04\x8e\x03"), false, testDump{reg: withPC(leafAt+8, outerAt|1), stack: append([]uint32{7, calls(outerAt), 0, 0}, chain()[2:]...)}, "leaf+8 pc, middle+100 cfi, outer+14 cfi, start+14 cfi"},
		{"program that pops too much", replace(leafAt, "\x0b"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 lr?, outer+14 cfi?, start+14 cfi?"},
		{"program with an unknown opcode", replace(leafAt, "\x3e"), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 lr?, outer+14 cfi?, start+14 cfi?"},
		{"entry of 4 GiB", append(plain(), "\xf0\xff\xff\xff\xff"...), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"dropped function below", slices.Concat(common, entry(u32(0, 0, 0x2000), saves)), false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 code, outer+14 stack?, start+14 stack?"},
		{"lr that the function has saved", nil, false, testDump{reg: inLeaf, stack: append([]uint32{7, calls(middleAt)}, chain()...)}, "leaf+8 pc, middle+14 code, middle+14 stack?, outer+14 stack?, start+14 stack?"},
		{"lr that is there twice", nil, false, testDump{reg: inLeaf, stack: append([]uint32{calls(middleAt), calls(middleAt)}, chain()...)}, "leaf+8 pc, middle+14 code, middle+14 stack?, middle+14 stack?, outer+14 stack?, start+14 stack?"},
		{"odd words that are no return addresses", nil, false, testDump{reg: withPC(leafAt+8, 0), stack: []uint32{leafAt + 0x35, leafAt + 1, 1, 3, 0xfffffff3, calls(outerAt) - 1, calls(startAt)}}, "leaf+8 pc, start+14 stack?"},
		{
			"handler that calls nothing", nil, false,
			testDump{reg: withPC(leafAt+8, 0), xpsr: inInterrupt, stack: slices.Concat(
				[]uint32{0xfffffff1, 0, 1, 2, 3, 12, 0xfffffff9, leafAt + 0x40, thumbBit | 20, 7, 7, 7}, []uint32{0, 1, 2, 3, 12, calls(middleAt), leafAt + 8, thumbBit}, chain())},
			"leaf+8 pc, leaf+40 exception?, leaf+8 exception?, middle+14 code?, outer+14 stack?, start+14 stack?",
		},
		{
			"left over from another exception", nil, false,
			testDump{reg: withPC(leafAt+8, 0), xpsr: inInterrupt, stack: []uint32{
				0xfffffff9, 0, 1, 2, 3, 12, 5, leafAt + 8, thumbBit, 0xfffffff9, 0, 1, 2, 3, 12, 5, leafAt + 8, thumbBit,
			}},
			"leaf+8 pc, leaf+8 exception?",
		},
		{"dropped function", append(plain(), rulesOf(0, []byte("\x0e\x40"))...), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"entry of no known common one", append(plain(), entry(u32(3, 0x900, 16))...), false, testDump{reg: inLeaf, stack: chain()}, whole},
		{"common entry alone", common, false, testDump{reg: inLeaf, stack: chain()}, "leaf+8 pc, middle+14 code, outer+14 stack?, start+14 stack?"},

		{"called through r3", plain(), false, testDump{reg: withPC(0x9000, middleAt+0x23), stack: chain()}, "?+0 pc, middle+22 lr, outer+14 cfi, start+14 cfi"},
		{"r3 is another", plain(), false, testDump{reg: withPC(0xa000, middleAt+0x23), stack: chain()}, "?+0 pc, middle+22 lr?, outer+14 cfi?, start+14 cfi?"},
		{"returned to nothing", plain(), false, testDump{reg: withPC(0x9000, calls(middleAt)), stack: chain()}, "?+0 pc, middle+14 lr, outer+14 cfi, start+14 cfi"},
		{"nothing in lr", plain(), false, testDump{reg: withPC(0x9000, 0), stack: chain()}, "?+0 pc, outer+14 stack?, start+14 cfi?"},
		{"registers lost", plain(), false, testDump{faults: []uint32{bitSTKERR}, reg: inLeaf, stack: chain()}, "leaf+8 pc?, outer+14 stack?, start+14 cfi?"},
		{"registers not read back", plain(), false, testDump{faults: []uint32{bitUNSTKERR}, reg: inLeaf, stack: chain()}, "leaf+8 pc?, outer+14 stack?, start+14 cfi?"},
		{"registers not read back for the protection unit", plain(), false, testDump{faults: []uint32{bitMUNSTKERR}, reg: inLeaf, stack: chain()}, "leaf+8 pc?, outer+14 stack?, start+14 cfi?"},
		{
			"registers lost, and whether it was a handler", plain(), false,
			testDump{faults: []uint32{bitSTKERR}, reg: inLeaf, stack: slices.Concat(
				[]uint32{0xfffffff9, 0, 1, 2, 3, 12, calls(middleAt), leafAt + 8, thumbBit}, chain())},
			"leaf+8 pc?, leaf+8 exception?, middle+14 cfi?, outer+14 cfi?, start+14 cfi?",
		},
		{"sp below the stack", plain(), false, testDump{reg: [16]uint32{13: testStack - 0x100, 14: 5, 15: leafAt + 8}, stack: chain()}, "leaf+8 pc, outer+14 stack?, start+14 cfi?"},
		{"sp far below the stack", plain(), false, testDump{reg: [16]uint32{13: testStack - 0x20000, 14: 5, 15: leafAt + 8}, stack: chain()}, "leaf+8 pc"},
		{"sp at the end of memory", plain(), false, testDump{reg: [16]uint32{13: 0xffffffff, 14: 5, 15: leafAt + 8}, stack: chain()}, "leaf+8 pc"},
		{"no stack", plain(), false, testDump{reg: inLeaf}, "leaf+8 pc, middle+14 cfi"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fw := testFirmware(tt.cfi, tt.eh)
			if got := show(fw.Backtrace(tt.dump.parse(t)).Frames); got != tt.calls {
				t.Errorf("calls are %s\nwant %s", got, tt.calls)
			}
		})
	}
}

// withCommon is plain with another common entry.
func withCommon(body string) []byte {
	return slices.Concat(entry(u32(0xffffffff), []byte(body)), plain()[len(common):])
}

// ehFrame is plain as .eh_frame, at address 0x3000.
func ehFrame(body string, augmented bool) []byte {
	b := entry(u32(0), []byte(body))
	for _, f := range []uint32{leafAt, middleAt, outerAt, startAt} {
		at := uint32(len(b)) + 4
		begin, instructions := f, saves
		if f == leafAt {
			instructions = nil
		}
		var data []byte
		if augmented {
			begin -= 0x3000 + at + 4
			data = []byte{0}
		}
		b = append(b, entry(u32(at, begin, 0x100), data, instructions)...)
	}
	return b
}

// TestExceptionIsUnwoundToWhatItInterrupted goes through what the processor saves.
func TestExceptionIsUnwoundToWhatItInterrupted(t *testing.T) {
	const thread, handler, task = 0xfffffff9, 0xfffffff1, 0xfffffffd
	saved := func(lr, pc, xpsr uint32) []uint32 { return []uint32{0, 1, 2, 3, 12, lr, pc, xpsr} }
	inMiddle := saved(calls(middleAt), leafAt+8, thumbBit)
	fp := make([]uint32, 18)
	const all = "leaf+8 exception, middle+14 cfi, outer+14 cfi, start+14 cfi"
	join := slices.Concat[[]uint32]
	tests := []struct {
		name  string
		lr    uint32
		dump  testDump
		calls string
	}{
		{"basic", thread, testDump{stack: join(inMiddle, chain())}, all},
		{"aligned", thread, testDump{stack: join(saved(calls(middleAt), leafAt+8, thumbBit|1<<9), []uint32{0}, chain())}, all},
		{"with floating point", thread &^ 0x10, testDump{stack: join(inMiddle, fp, chain())}, all},
		{"with floating point, aligned", thread &^ 0x10, testDump{stack: join(saved(calls(middleAt), leafAt+8, thumbBit|1<<9), fp, []uint32{0}, chain())}, all},
		{"of a task", task, testDump{psp: 0x2000_8000, taskStack: join(inMiddle, chain()), stack: []uint32{calls(startAt)}}, all},
		{"of a task, with floating point", task &^ 0x10, testDump{psp: 0x2000_8000, taskStack: join(inMiddle, fp, chain())}, all},
		{"Armv8-M", 0xffffffb8, testDump{stack: join(inMiddle, chain())}, all},
		{"Armv8-M, secure code", 0xffffffd9, testDump{stack: join([]uint32{0xfefa125b, 0, 4, 5, 6, 7, 8, 9, 10, 11}, inMiddle, chain())}, all},
		{"Armv8-M, secure code with floating point", 0xffffffc9, testDump{stack: join([]uint32{0xfefa125a, 0, 4, 5, 6, 7, 8, 9, 10, 11}, inMiddle, fp, chain())}, all},
		{"Armv8-M, secure code with another mark", 0xffffffd9, testDump{stack: join([]uint32{0xfefa125a, 0, 4, 5, 6, 7, 8, 9, 10, 11}, inMiddle, chain())}, "middle+14 stack?, outer+14 stack?, start+14 cfi?"},
		{"Armv8-M, secure code without a mark", 0xffffffd9, testDump{stack: join(inMiddle, chain())}, "middle+14 stack?, outer+14 stack?, start+14 cfi?"},
		{"at the beginning of a function", thread, testDump{stack: join(saved(calls(outerAt), outerAt, thumbBit), chain())}, "outer+0 exception, outer+14 cfi, start+14 cfi"},
		{"of a handler", handler, testDump{stack: join(saved(thread, leafAt+8, thumbBit|16), inMiddle, chain())}, "leaf+8 exception, leaf+8 exception, middle+14 cfi, outer+14 cfi, start+14 cfi"},
		{"handler that says it was a thread", handler, testDump{stack: join(inMiddle, chain())}, "middle+14 stack?, outer+14 stack?, start+14 cfi?"},
		{"thread that says it was a handler", thread, testDump{stack: join(saved(calls(middleAt), leafAt+8, thumbBit|16), chain())}, "middle+14 stack?, outer+14 stack?, start+14 cfi?"},
		{"not Thumb", thread, testDump{stack: join(saved(calls(middleAt), leafAt+8, 0), chain())}, "middle+14 stack?, outer+14 stack?, start+14 cfi?"},
		{"stack of the tasks is not there", task, testDump{psp: 0x2000_8000, stack: []uint32{calls(startAt)}}, ""},
		{"short", thread, testDump{stack: inMiddle[:7]}, "middle+14 stack?"},
		{"task that a task interrupted", task, testDump{psp: 0x2000_8000, taskStack: join(saved(task, leafAt+8, thumbBit), chain())}, "leaf+8 exception, outer+14 stack?, start+14 cfi?"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.dump.reg, tt.dump.xpsr = [16]uint32{14: tt.lr, 15: leafAt + 0x40}, inInterrupt
			fw := testFirmware(plain(), false)
			// The handler has not saved lr yet.
			if got, want := show(fw.Backtrace(tt.dump.parse(t)).Frames), strings.TrimSuffix("leaf+40 pc, "+tt.calls, ", "); got != want {
				t.Errorf("calls are %s\nwant %s", got, want)
			}
			// Without rules the same is found by looking for it.
			fw.rules = ruleTable{}
			tt.dump.stack = join([]uint32{calls(middleAt), tt.lr}, tt.dump.stack)
			got := show(fw.Backtrace(tt.dump.parse(t)).Frames)
			if strings.Contains(tt.calls, "leaf+8") && !strings.Contains(got, "leaf+8 exception?") || strings.Contains(strings.Replace(got, "pc", "", 1), " cfi") {
				t.Errorf("without rules: got calls %s, want \"leaf+8 exception?\" if leaf+8 is in %q, and no cfi", got, tt.calls)
			}
		})
	}
}

// TestNullReturnIsNoCallOfAddressZero has a function at address 0, as a vector table
// may be called: a zeroed return address is not its address.
func TestNullReturnIsNoCallOfAddressZero(t *testing.T) {
	fw := testFirmware(plain(), false)
	fw.functions = slices.Insert(fw.functions, 0, firmware.Function{Size: 0x40, Name: "vectors"})
	dump := testDump{reg: [16]uint32{14: calls(middleAt), 15: leafAt + 8}, stack: []uint32{7, 1, 8, calls(startAt)}}
	if got, want := show(fw.Backtrace(dump.parse(t)).Frames), "leaf+8 pc, middle+14 cfi, start+14 stack?"; got != want {
		t.Errorf("calls are %s\nwant %s", got, want)
	}
}

// TestThreadCodeInterruptedNothing has thread code whose lr, or a word of its stack,
// looks like the return of a handler: it interrupted nothing, so what was saved is of
// its own fault or left over.
func TestThreadCodeInterruptedNothing(t *testing.T) {
	const sp = testStack + 32
	for _, lr := range []uint32{0xfffffffd, 0xfffffff9} {
		own := []uint32{0, 1, 2, 3, 12, lr, leafAt + 8, thumbBit}
		dump := testDump{
			reg: [16]uint32{13: sp, 14: lr, 15: leafAt + 8}, psp: 0x2000_8000, taskStack: own,
			stack: slices.Concat(own, []uint32{lr}, own, []uint32{calls(middleAt)}),
		}
		fw := testFirmware(plain(), false)
		const want = "leaf+8 pc, middle+14 stack?"
		if got := show(fw.Backtrace(dump.parse(t)).Frames); got != want {
			t.Errorf("with rules calls are %s\nwant %s", got, want)
		}
		fw.rules = ruleTable{}
		if got := show(fw.Backtrace(dump.parse(t)).Frames); got != want {
			t.Errorf("without rules calls are %s\nwant %s", got, want)
		}
		dump.reg[15] = 0x9000 // no code
		if got, want := show(testFirmware(plain(), false).Backtrace(dump.parse(t)).Frames), "?+0 pc, middle+14 stack?"; got != want {
			t.Errorf("nowhere calls are %s\nwant %s", got, want)
		}
	}
}

// TestSplitMarkOfSecureCodeIsFound has what Secure code saved in two pieces of memory:
// the mark at the end of one, what the processor saved after it in another.
func TestSplitMarkOfSecureCodeIsFound(t *testing.T) {
	for _, saved := range [][]uint32{
		{0, 1, 2, 3, 12, 5, leafAt + 8, thumbBit},
		{0, 1, 2, 3, 12, calls(middleAt), leafAt + 8, thumbBit, calls(outerAt)},
	} {
		dump := testDump{
			reg: [16]uint32{14: 5, 15: leafAt + 0x40}, xpsr: inInterrupt, stack: []uint32{0xffffffd9, 0xfefa125b},
			psp: testStack + 4 + 10*4, taskStack: saved,
		}
		want := "leaf+40 pc, leaf+8 exception?"
		if len(saved) > 8 { // lr is what is scanned next
			want += ", middle+14 code?, outer+14 stack?"
		}
		if got := show(testFirmware(nil, false).Backtrace(dump.parse(t)).Frames); got != want {
			t.Errorf("calls are %s\nwant %s", got, want)
		}
	}
}

// TestSecureRegistersGiveTheFramePointer has r4 to r11 saved by the processor, since
// the handler was given others: the caller's frame pointer is among them.
func TestSecureRegistersGiveTheFramePointer(t *testing.T) {
	cfi := slices.Concat(common, rulesOf(leafAt, nil), rulesOf(middleAt, []byte("\x0c\x07\x08\x87\x02\x8e\x01")), rulesOf(outerAt, saves), rulesOf(startAt, saves))
	const frame = testStack + 4*(10+8) // after all that was saved
	saved := []uint32{0xfefa125b, 0, 4, 5, 6, frame + 8, 8, 9, 10, 11, 0, 1, 2, 3, 12, calls(middleAt), leafAt + 8, thumbBit}
	dump := testDump{
		reg: [16]uint32{7: 70, 14: 0xffffffd9, 15: leafAt + 0x40}, xpsr: inInterrupt,
		stack: slices.Concat(saved, []uint32{0, 0}, chain()),
	}
	const want = "leaf+40 pc, leaf+8 exception, middle+14 cfi, outer+14 cfi, start+14 cfi"
	if got := show(testFirmware(cfi, false).Backtrace(dump.parse(t)).Frames); got != want {
		t.Errorf("calls are %s\nwant %s", got, want)
	}
	// The piece with the mark ends before them, so that they are unknown.
	dump.reg[7] = frame + 8
	dump.stack, dump.psp, dump.taskStack = dump.stack[:2], testStack+10*4, dump.stack[10:]
	if got, want := show(testFirmware(cfi, false).Backtrace(dump.parse(t)).Frames), "leaf+40 pc, leaf+8 exception, middle+14 cfi, outer+14 stack?, start+14 cfi?"; got != want {
		t.Errorf("without them calls are %s\nwant %s", got, want)
	}
}

// TestExceptionReturnsAreThoseOfTheArchitecture goes through all values that an
// exception return may have.
//
// Source: Armv7-M ARM, table B1-8 and B1-9; Armv8-M ARM, EXC_RETURN.
func TestExceptionReturnsAreThoseOfTheArchitecture(t *testing.T) {
	valid := map[uint32]bool{
		// Armv7-M, and Secure code of Armv8-M: to a handler, to a thread on the
		// main stack and on that of the tasks; with floating point and without.
		0xffffffe1: true, 0xffffffe9: true, 0xffffffed: true, 0xfffffff1: true, 0xfffffff9: true, 0xfffffffd: true,
		// Secure code of which r4 to r11 are saved too.
		0xffffffc1: true, 0xffffffc9: true, 0xffffffcd: true, 0xffffffd1: true, 0xffffffd9: true, 0xffffffdd: true,
		// Armv8-M without the Security Extension, or Non-secure.
		0xffffffa0: true, 0xffffffa8: true, 0xffffffac: true, 0xffffffb0: true, 0xffffffb8: true, 0xffffffbc: true,
	}
	for lr := uint32(0xfffffe00); lr != 0; lr++ {
		if got := isExceptionReturn(lr); got != valid[lr] {
			t.Errorf("0x%08x: %v, want %v", lr, got, valid[lr])
		}
	}
}

// TestLRIsShownIfItCanBeAReturn has no firmware: lr is shown if it can be a return
// address.
func TestLRIsShownIfItCanBeAReturn(t *testing.T) {
	for lr, want := range map[uint32]string{
		calls(middleAt): "?+0 pc, ?+0 lr?", calls(middleAt) - 1: "?+0 pc", leafAt + 9: "?+0 pc",
		0: "?+0 pc", 1: "?+0 pc", 0xffffffff: "?+0 pc", 0xfffffff9: "?+0 pc", 0xffffffbd: "?+0 pc",
	} {
		dump := testDump{reg: [16]uint32{14: lr, 15: leafAt + 8}, stack: chain()}
		if got := show((*Firmware)(nil).Backtrace(dump.parse(t)).Frames); got != want {
			t.Errorf("lr 0x%08x: calls are %s, want %s", lr, got, want)
		}
	}
}

// TestMissingHandlerDoesNotEndTheCalls has an exception whose handler is nowhere.
func TestMissingHandlerDoesNotEndTheCalls(t *testing.T) {
	dump := testDump{
		faults: []uint32{bitIBUSERR}, reg: [16]uint32{14: 0xfffffff9, 15: 0x9000}, xpsr: thumbBit | 16,
		stack: slices.Concat([]uint32{0, 1, 2, 3, 12, calls(middleAt), leafAt + 8, thumbBit}, chain()),
	}
	const want = "?+0 pc, leaf+8 exception, middle+14 cfi, outer+14 cfi, start+14 cfi"
	if got := show(testFirmware(plain(), false).Backtrace(dump.parse(t)).Frames); got != want {
		t.Errorf("calls are %s\nwant %s", got, want)
	}
}

// TestFunctionWithoutSizeEndsAtTheNext has a function of assembly, which goes up to
// the next.
func TestFunctionWithoutSizeEndsAtTheNext(t *testing.T) {
	fw := testFirmware(nil, false)
	fw.functions = fw.functions[:2]
	fw.functions[1].Size = 0
	for pc, want := range map[uint32]string{leafAt: "leaf", middleAt: "middle", middleAt + 0x2ff: "middle", middleAt + 0x300: "", leafAt - 1: ""} {
		name := ""
		if f := fw.function(pc); f != nil {
			name = f.Name
		}
		if name != want {
			t.Errorf("%#x is in %q, want %q", pc, name, want)
		}
	}
}

// TestLongRecursionKeepsBothEnds keeps the innermost and the outermost of many calls,
// and says how many are between.
func TestLongRecursionKeepsBothEnds(t *testing.T) {
	const depth = 10000
	var stack []uint32
	for range depth {
		stack = append(stack, 7, calls(middleAt))
	}
	dump := testDump{reg: [16]uint32{14: calls(middleAt), 15: leafAt + 8}, stack: stack}.parse(t)
	for name, fw := range map[string]*Firmware{"rules": testFirmware(plain(), false), "scan": testFirmware(nil, false)} {
		got := fw.Backtrace(dump)
		n := len(got.Frames)
		if n != maxFrames+maxOutermost || got.Omitted < depth-n || got.Omitted > depth+2-n || !got.Truncated || len(got.Notes) != 1 {
			t.Errorf("%s: got %d calls, %d left out, truncated %v, notes %q, want %d, %d to %d left out, truncated and one note", name, n, got.Omitted, got.Truncated, got.Notes,
				maxFrames+maxOutermost, depth-n, depth+2-n)
		}
	}
}

// TestCostlyRulesAreLeftOut has programs that save their rules over and over, each time
// at the cost of a copy: they are left out.
func TestCostlyRulesAreLeftOut(t *testing.T) {
	var program []byte
	for i := range 1000 {
		program = append(program, 0x05, byte(i)|0x80, byte(i>>7), 1) // offset_extended
	}
	fits := append(slices.Clone(program[:1000]), bytes.Repeat([]byte{0x0a}, 100)...)
	tooMuch := append(slices.Clone(program[:2000]), bytes.Repeat([]byte{0x0a}, 2000)...)
	for _, tt := range []struct {
		program []byte
		ok      bool
	}{{fits, true}, {tooMuch, false}, {append(program, program...), false}} {
		fw := testFirmware(slices.Concat(common, rulesOf(leafAt, tt.program)), false)
		ok := false
		took := quickest(time.Minute, func() {
			budget := maxCost
			_, ok = fw.rules.at(leafAt+8, &budget)
		})
		if ok != tt.ok || took > time.Minute {
			t.Errorf("a program of %d bytes: got %v after %v, want %v within a minute", len(tt.program), ok, took, tt.ok)
		}
	}
}

// TestManyEntriesTakeFewAllocations has a section of nothing but short entries, each
// with another common one.
func TestManyEntriesTakeFewAllocations(t *testing.T) {
	b := bytes.Clone(common)
	for len(b) < 1<<20 {
		at := uint32(len(b))
		b = append(b, entry(u32(at%512, leafAt+at, 8))...)
	}
	before := testing.AllocsPerRun(1, func() { testFirmware(b, false) })
	if before > 3*float64(len(b))/16 {
		t.Errorf("got %v allocations for %d bytes, want at most 3 for 16", before, len(b))
	}
}

// TestBadELFIsRefused reads the bad files that package dict refuses.
func TestBadELFIsRefused(t *testing.T) {
	paths, err := filepath.Glob("../dict/testdata/elf/bad/*.elf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files, %v, want some", len(paths), err)
	}
	refused := 0
	for _, path := range paths {
		fw, err := Load(path)
		if err != nil && fw == nil && strings.HasPrefix(err.Error(), path+": ") {
			refused++
		} else if strings.Contains(path, "line-table-outside") { // lines can be done without
			if err != nil || len(fw.Notes) == 0 {
				t.Errorf("%s: got error %v, want none and a note", path, err)
			}
		} else if !strings.Contains(path, "modules-outside") {
			t.Errorf("%s: got error %v, want it read", path, err)
		}
	}
	if refused < len(paths)-2 {
		t.Errorf("%d of %d refused, want at least %v", refused, len(paths), len(paths)-2)
	}
}

func TestLoadErrorsSayWhatToGive(t *testing.T) {
	dir := t.TempDir()
	json, csv, text := filepath.Join(dir, "a.json"), filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.elf")
	for path, content := range map[string]string{json: `{"v":1}`, csv: "address,text\n", text: "hello"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const dictionary = ": not an ELF file but a dictionary, which holds strings and no code: give the ELF file that it was made of"
	for path, want := range map[string]string{
		json: json + dictionary, csv: csv + dictionary, text: text + ": not an ELF file: give the file that the linker wrote",
		dir: dir + ": not a regular file: give the firmware's ELF file",
	} {
		if _, err := Load(path); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "missing")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// FuzzRules reads any bytes as the rules of the test's code, and any as a stack.
func FuzzRules(f *testing.F) {
	for _, seed := range []struct {
		cfi []byte
		eh  bool
	}{
		{plain(), false},
		{withCommon("\x04\x00\x04\x00\x01\x7c\x0e\x0c\x0d\x00"), false},
		{ehFrame("\x01zR\x00\x02\x7c\x0e\x01\x1b\x0c\x0d\x00", true), true},
		{slices.Concat(common, rulesOf(leafAt, []byte("\x0e\x08\x8e\x01\x0a\x41\xce\x0e\x00\x0b\x09\x07\x03"))), false},
	} {
		f.Add(seed.cfi, u32(chain()...), seed.eh, calls(middleAt))
		f.Add(seed.cfi, slices.Concat(u32(0, 1, 2, 3, 12, calls(middleAt), leafAt+8, thumbBit), u32(chain()...)), seed.eh, uint32(0xfffffff9))
	}

	f.Fuzz(func(t *testing.T, cfi, stack []byte, eh bool, lr uint32) {
		if len(stack) > 1<<16 {
			return
		}
		dump := testDump{reg: [16]uint32{14: lr, 15: leafAt + 8}, psp: 0x2000_8000}
		for word := range words(stack) {
			dump.stack = append(dump.stack, word)
		}
		dump.taskStack = dump.stack
		fw := testFirmware(cfi, eh)
		var frames []Frame
		took := quickest(time.Minute, func() { frames = fw.Backtrace(dump.parse(t)).Frames })
		if took > time.Minute {
			t.Errorf("got calls after %v, want them within a minute", took)
		}

		if len(frames) == 0 || len(frames) > maxFrames+maxOutermost {
			t.Fatalf("%d calls, want some and at most %v", len(frames), maxFrames+maxOutermost)
		}
		for i, frame := range frames {
			if frame.Confidence == Unwound && i > 0 && frame.How == FromCFI && !fw.isReturn(frame.PC|1) {
				t.Errorf("call %d of %s: got %#x, want an address behind a call", i, show(frames), frame.PC)
			}
		}
	})
}
