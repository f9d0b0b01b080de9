package crash

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// Verdict is whether a dump is of a firmware.
type Verdict string

const (
	// Proven: an identity of the build is in both, and nothing speaks against it.
	Proven Verdict = "proven"
	// Fits: the code explains the registers and the stack.
	Fits Verdict = "fits"
	// Doubtful: something speaks against it, so that every frame may be false.
	Doubtful Verdict = "doubtful"
	// Wrong: the dump cannot be of it. Nothing that it says is true.
	Wrong Verdict = "wrong"
)

// rank orders verdicts, the best first.
func (v Verdict) rank() int { return slices.Index([]Verdict{Proven, Fits, Doubtful, Wrong}, v) }

// Match is how far a dump can be of a firmware.
type Match struct {
	Verdict Verdict
	Reasons []string // in sentences, those that decide first

	calls int // of the backtrace that the code makes
}

// Better reports whether m is the better match of the two.
func (m Match) Better(other Match) bool {
	if a, b := m.Verdict.rank(), other.Verdict.rank(); a != b {
		return a < b
	}
	return m.calls > other.calls
}

// evidence is what speaks for and against a match.
type evidence struct {
	fw       *Firmware
	d        *Dump
	proofs   []string
	helps    []string
	against  []string
	excludes []string // that it is of this build
}

// Match tells whether the dump can be of a device that runs this firmware, by
// what is in both: the commit or the build id, the core, memory that the device
// cannot change, the instruction at pc, lr and the calls on the stack.
func (fw *Firmware) Match(d *Dump) Match {
	e := &evidence{fw: fw, d: d}
	e.memory()
	e.identity()
	e.core()
	calls := e.code()
	m := Match{Verdict: Fits, calls: calls}
	switch {
	case len(e.excludes) > 0:
		m.Verdict = Wrong
		m.Reasons = append(e.excludes, e.against...)
	case len(e.against) > 0:
		m.Verdict = Doubtful
		m.Reasons = slices.Concat(e.against, e.proofs, e.helps)
	case len(e.proofs) > 0:
		m.Verdict = Proven
		m.Reasons = slices.Concat(e.proofs, e.helps)
	default:
		m.Reasons = e.helps
	}
	return m
}

// Fits reports whether the dump can be of a device that runs this firmware.
func (fw *Firmware) Fits(d *Dump) bool { return fw.Match(d).Verdict != Wrong }

// memory compares what the device cannot change: code and constants.
func (e *evidence) memory() {
	const enough = 32 // bytes
	same, differ, at := 0, 0, uint32(0)
	for i := range e.fw.blocks {
		b := &e.fw.blocks[i]
		if b.Writable {
			continue
		}

		for _, r := range e.d.mem {
			low, high := max(uint64(b.Addr), uint64(r.Start)), min(b.End(), uint64(r.Start)+uint64(len(r.Data)))
			if low >= high {
				continue
			}
			x, y := b.Data[low-uint64(b.Addr):high-uint64(b.Addr)], r.Data[low-uint64(r.Start):high-uint64(r.Start)]
			if bytes.Equal(x, y) {
				same += len(x)
				continue
			}

			for j := range x {
				if x[j] == y[j] {
					same++
				} else if differ++; differ == 1 {
					at = uint32(low) + uint32(j)
				}
			}
		}
	}

	switch {
	case differ > 0 && differ*8 > same: // a few bytes may be broken
		e.excludes = append(e.excludes, fmt.Sprintf("The memory of code and constants differs in %d of %d bytes, first at 0x%08x.", differ, differ+same, at))
	case differ > 0:
		e.against = append(e.against, fmt.Sprintf("The memory of code and constants differs in %d of %d bytes, first at 0x%08x.", differ, differ+same, at))
	case same >= enough:
		e.proofs = append(e.proofs, fmt.Sprintf("The %d bytes of code and constants in the dump are those of the firmware.", same))
	}
}

// core asks whether the dump can be of a core that the code was built for. What takes
// the dump is part of the firmware, and on a Cortex-M0 knows of no fault registers.
func (e *evidence) core() {
	f := fault(e.d)
	if small := e.fw.arch == firmware.ArchV6M || e.fw.arch == firmware.ArchV6SM; small && f.CFSR|f.HFSR != 0 {
		e.excludes = append(e.excludes, "The fault registers in the dump are set: the cores that the firmware was built for, Armv6-M as Cortex-M0, have none.")
	}
}

// identity looks for the build id or the commit of the dump in the firmware.
func (e *evidence) identity() {
	if e.d.Header == nil {
		return
	}

	commit, version := e.d.Header.GitHash(), e.d.Header.VersionString()
	const shortest = 7
	if id := e.fw.buildID; len(id) >= 8 {
		text := []byte(hex.EncodeToString(id))
		for _, field := range [][]byte{commit, version} {
			if len(field) >= shortest && bytes.HasPrefix(text, bytes.ToLower(field)) || bytes.Contains(field, text) {
				e.proofs = append(e.proofs, fmt.Sprintf("The dump names the build id of the firmware, %s.", text))
				return
			}
		}

		for _, r := range e.d.mem {
			if bytes.Contains(r.Data, id) {
				e.proofs = append(e.proofs, fmt.Sprintf("The build id of the firmware, %s, is in the memory of the dump.", text))
				return
			}
		}
	}

	if len(commit) < shortest || !isHex(commit) {
		return
	}
	others := map[string]bool{}
	for i := range e.fw.blocks {
		data := e.fw.blocks[i].Data
		if bytes.Contains(data, commit) {
			e.proofs = append(e.proofs, fmt.Sprintf("The commit of the dump, %s, is in the firmware.", commit))
			return
		}
		commits(data, func(text []byte) {
			if len(others) < 4 {
				others[string(text)] = true
			}
		})
	}

	const whole = 40
	if len(commit) == whole && len(others) == 1 {
		for other := range others {
			e.against = append(e.against, fmt.Sprintf("The firmware holds the commit %s, the dump is of %s.", other, commit))
		}
	}
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

// commits calls found for each text of 40 hexadecimal digits, the whole of a
// string.
func commits(b []byte, found func([]byte)) {
	const whole = 40
	run := 0
	for i, c := range b {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			run++
			continue
		}
		if run == whole && c == 0 {
			found(b[i-whole : i])
		}
		run = 0
	}
}

// code asks whether the code explains the registers and the stack, and returns
// how many calls of the backtrace it makes.
func (e *evidence) code() (calls int) {
	fw, d := e.fw, e.d
	r := d.Registers
	pc, lr := r.PC()&^1, r.LR()
	if !d.Known(placePC) {
		e.helps = append(e.helps, "pc is not in the dump, so nothing could be compared.")
		return 0
	}

	if fw.blind {
		defer func() {
			e.helps = append(e.helps, "The bytes of the code are not in the file: calls were checked as far as the compiler lists them.")
		}()
	}

	u := newUnwinder(fw, d)
	u.run(d)
	for _, sp := range d.stackPointers() {
		if u.refuted {
			again := newUnwinder(fw, d)
			again.reg[regSP], again.floor = sp, uint64(sp)
			if again.run(d); !again.refuted && again.certain() > u.certain() {
				u = again
			}
		}
	}
	lost := fault(d).CFSR&lostBits != 0
	behind := lr != 0xffffffff && fw.isReturn(lr)
	exception := isExceptionReturn(lr)

	_, stack := d.mem.stack(r.SP())
	if lost && len(stack) == 0 && !fw.hasCode(pc) && !behind {
		e.helps = append(e.helps, "The registers of the code that failed were lost, and no stack is in the dump, so nothing could be compared.")
		return 0
	}
	// Nothing at all in the code: it is another's.
	if !fw.hasCode(pc) && !behind && !e.stackHasCalls() && d.Known(placePC) {
		e.excludes = append(e.excludes, fmt.Sprintf("Neither pc 0x%08x nor lr 0x%08x nor any word of the stack is in its code.", pc, lr))
		return 0
	}

	agrees, why := e.instruction()
	switch {
	case lost:
	case agrees < 0:
		e.against = append(e.against, why)
	case agrees > 0:
		e.helps = append(e.helps, why)
	}

	known := len(fw.functions) > 0 || len(fw.rules.index) > 0 || len(fw.exidx.data) > 0
	switch {
	case u.contradicted && !lost:
		e.against = append(e.against, "The stack holds addresses of code where return addresses must be, and no call of this firmware is before them that leads there.")
	case u.confirmed > 0:
		e.helps = append(e.helps, fmt.Sprintf("%s on the stack and in lr %s by the code to the functions that were running.", count(u.confirmed, "call"), plural(u.confirmed, "was made", "were made")))
	case u.whole && !u.assumed && !u.found:
		e.helps = append(e.helps, "The function at pc is one that a task or the processor begins with.")
	case !lost && d.Known(regLR) && !behind && !exception && lr != 0xffffffff:
		e.against = append(e.against, fmt.Sprintf("lr 0x%08x is behind no call in the firmware's code.", lr))
	case known && len(stack) > 0 && (!fw.blind || u.certain() < 2 && !u.whole):
		e.against = append(e.against, fmt.Sprintf("No call in lr or on the stack leads to the function at pc 0x%08x.", pc))
	case behind && fw.blind && !fw.sites().told(lr&^1-1):
		e.helps = append(e.helps, fmt.Sprintf("lr 0x%08x is in the code of the firmware.", lr))
	case behind:
		e.helps = append(e.helps, fmt.Sprintf("lr 0x%08x is behind a call.", lr))
	}

	if !fw.hasCode(pc) && u.confirmed == 0 && !behind && !lost {
		e.against = append(e.against, fmt.Sprintf("pc 0x%08x is in no code of the firmware.", pc))
	}
	return u.confirmed
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// stackHasCalls reports whether a word of the stack is a return address.
func (e *evidence) stackHasCalls() bool {
	_, b := e.d.mem.stack(e.d.Registers.SP())
	for word := range words(b) {
		if e.fw.isReturn(word) {
			return true
		}
	}
	return false
}

// instruction holds the instruction at pc to what the fault says: above 0 if it
// agrees, below if it cannot have done that.
func (e *evidence) instruction() (agrees int, why string) {
	pc := e.d.Registers.PC() &^ 1
	f := fault(e.d)

	// Faults stay recorded, so that of several only one is of this instruction.
	const causes = knownBits &^ (addressBits | savingBits)
	if !f.Recorded || e.fw.code(pc) == nil || !e.d.Known(placePC) || bits.OnesCount32(f.CFSR&causes) != 1 {
		return 0, ""
	}

	i := e.fw.decode(pc)
	switch {
	case f.CFSR&bitDIVBYZERO != 0 && i.operation == divide:
		if value := newUnwinder(nil, e.d).reg[min(i.register, 15)]; value != 0 {
			return -1, fmt.Sprintf("The fault is a division by zero, but the divisor of the instruction at pc 0x%08x is %d.", pc, value)
		}
		return 1, "The instruction at pc divides by zero, as the fault says."
	case f.CFSR&bitDIVBYZERO != 0:
		return -1, fmt.Sprintf("The fault is a division by zero, but the instruction at pc 0x%08x divides nothing.", pc)
	case f.CFSR&bitUNDEFINSTR != 0 && i.operation == trap:
		return 1, "The instruction at pc is a trap, as the fault says."
	case f.CFSR&bitUNDEFINSTR != 0 && (i.operation == load || i.operation == store || i.operation == breakpoint):
		return -1, fmt.Sprintf("The fault is an instruction that the processor does not know, but that at pc 0x%08x is a common one.", pc)
	case f.CFSR&(bitDACCVIOL|bitPRECISERR) != 0 && f.CFSR&addressBits != 0 && i.accesses() && !i.indexed:
		addr := f.BFAR
		if f.CFSR&bitDACCVIOL != 0 && f.CFSR&bitMMARVALID != 0 {
			addr = f.MMFAR
		}
		base := newUnwinder(nil, e.d).reg[i.register]
		if distance(base, addr) < maxNear {
			return 1, "The instruction at pc uses the address of the fault."
		}
		return -1, fmt.Sprintf("The fault is at 0x%08x, but the instruction at pc 0x%08x uses %s, which is 0x%08x.", addr, pc, registerName(i.register), base)
	case f.CFSR&bitDACCVIOL != 0 && i.operation == other && !e.wide(pc):
		return -1, fmt.Sprintf("The fault is an access to memory, but the instruction at pc 0x%08x makes none.", pc)
	}
	return 0, ""
}

// wide reports whether the instruction is one of four bytes, of which not all
// are known.
func (e *evidence) wide(pc uint32) bool { return e.fw.half(pc) >= 0xe800 }

// Choose returns the firmware that fits a dump best, and how. It returns nil if
// there is none to choose from.
func Choose(firmware []*Firmware, d *Dump) (best *Firmware, match Match) {
	for _, fw := range firmware {
		if m := fw.Match(d); best == nil || m.Better(match) {
			best, match = fw, m
		}
	}
	return best, match
}
