package crash

import "fmt"

// Limits of a backtrace.
const (
	// maxFrames is how many frames are kept of the innermost.
	maxFrames = 4096
	// maxOutermost is how many more are kept of the outermost.
	maxOutermost = 64
	// maxUnwound is how many callers are followed.
	maxUnwound = 64 << 10
)

// Confidence is how far a frame can be trusted.
type Confidence string

const (
	// Unwound frames follow from the dump and the rules of the compiler and the
	// processor.
	Unwound Confidence = "unwound"
	// Scanned frames are return addresses that were found: calls that led here,
	// or left over from calls that had returned.
	Scanned Confidence = "scanned"
)

// How is where a frame was found.
type How string

const (
	FromPC        How = "pc"        // where the processor stopped
	FromLR        How = "lr"        // the link register
	FromCFI       How = "cfi"       // the rules of the compiler for debuggers
	FromExidx     How = "exidx"     // the table for C++ exceptions
	FromCode      How = "code"      // the instructions of the function
	FromException How = "exception" // the registers saved by the processor
	FromTail      How = "tail"      // a function that ended in a jump, so that it has no frame
	FromStack     How = "stack"     // a word of the stack
)

// Frame is a function that was running.
type Frame struct {
	PC         uint32 // where it goes on; of the first frame, where it stopped
	Function   string // empty where it is not known
	Offset     uint32 // of PC in the function whose code it is, in bytes
	File       string // as the compiler was given it; empty where it is not known
	Line       int    // of the call; of the first frame, where it stopped
	Inlined    bool   // the compiler has put the function into the next frame's
	Confidence Confidence
	How        How
}

// Backtrace is the functions that were running.
type Backtrace struct {
	Frames []Frame // the innermost first

	// Omitted is how many frames are left out before the last ones, those that
	// Outermost counts.
	Omitted, Outermost int
	// Truncated is true if frames are left out, or there may be more.
	Truncated bool
	// Notes says what is missing, in sentences.
	Notes []string
	// Task is the name that the operating system has for the task that was running
	// or was interrupted: FreeRTOS, Zephyr or ThreadX, if the dump holds it and the
	// debug information tells where. Otherwise it is the function that the task
	// began with, if that is known.
	Task string
}

// Backtrace returns the functions that were running. The first frame is where
// the processor stopped. On a nil Firmware that is pc and lr alone, without
// names.
func (fw *Firmware) Backtrace(d *Dump) *Backtrace {
	u := newUnwinder(fw, d)
	u.run(d)
	if u.refuted && fw != nil {
		// What the processor saved of the code tells where sp was.
		for _, sp := range d.stackPointers() {
			again := newUnwinder(fw, d)
			again.reg[regSP], again.floor = sp, uint64(sp)
			if again.run(d); !again.refuted && again.certain() > u.certain() {
				again.trace.Notes = append(again.trace.Notes, fmt.Sprintf(
					"sp 0x%08x of the dump does not fit what the processor saved: 0x%08x was used, as msp and psp have it.", d.Registers.SP(), sp))
				u = again
				break
			}
		}
	}
	fw.name(u.trace)
	u.nameTask(d)
	return u.trace
}

// certain returns how many frames are.
func (u *unwinder) certain() (n int) {
	for _, f := range u.trace.Frames {
		if f.Confidence == Unwound {
			n++
		}
	}
	return n
}

// stackPointers returns what sp can have been, by the registers that the
// processor saved at msp or psp before the handler ran that took the dump.
func (d *Dump) stackPointers() (all []uint32) {
	r := d.Registers
	want := [8]uint32{r.R0(), r.R1(), r.R2(), r.R3(), r.R12(), r.LR(), r.PC(), r.XPSR()}
	for _, base := range []uint32{r.MSP(), r.PSP()} {
		same := base != 0
		for i, w := range want {
			got, ok := d.mem.word(base + uint32(i)*4)
			same = same && ok && got&^1 == w&^1
		}

		if !same {
			continue
		}
		var align uint32
		if r.XPSR()>>9&1 == 1 {
			align = 4
		}

		for _, size := range []uint32{8 * 4, 26 * 4} {
			if sp := base + size + align; sp != r.SP() {
				all = append(all, sp)
			}
		}
	}
	return all
}

// run follows the callers as far as they go, then looks for more on the stack.
func (u *unwinder) run(d *Dump) {
	confidence := Unwound
	if d.Known(placePC) && fault(d).CFSR&lostBits == 0 {
		u.add(FromPC, Unwound)
	} else {
		confidence = Scanned // the registers may be of anything
		u.handler, u.found, u.nowhere = true, true, false
		u.add(FromPC, Scanned)
	}
	if !d.Known(placePC) {
		u.trace.Frames = nil
		return
	}
	if confidence == Unwound {
		u.follow()
	}
	if !u.whole {
		u.scan()
	}
	u.finish()
}

// follow goes from caller to caller by what is sure.
func (u *unwinder) follow() {
	for !u.whole && u.first < maxUnwound {
		how, through, ok := u.step()
		if !ok {
			break
		}
		u.addTail(through)
		confidence := Unwound
		if u.found {
			confidence = Scanned
		}
		u.add(how, confidence)
	}
}

func (u *unwinder) add(how How, confidence Confidence) {
	u.append(Frame{PC: u.pc, How: how, Confidence: confidence})
}

// append keeps a frame: the innermost ones, and of the others the last.
func (u *unwinder) append(f Frame) {
	u.first++
	frames := u.trace.Frames
	if len(frames) == maxFrames+maxOutermost {
		copy(frames[maxFrames:], frames[maxFrames+1:])
		frames[len(frames)-1] = f
		u.trace.Omitted++
		return
	}
	u.trace.Frames = append(frames, f)
}

// finish says what is left out.
func (u *unwinder) finish() {
	t := u.trace
	if t.Omitted > 0 {
		t.Outermost = maxOutermost
		t.Truncated = true
		t.Notes = append(t.Notes, fmt.Sprintf("%d frames are left out between the %d innermost and the %d outermost.", t.Omitted, maxFrames, maxOutermost))
	}
	if u.first >= maxUnwound {
		t.Truncated = true
		t.Notes = append(t.Notes, fmt.Sprintf("There may be more: %d frames were followed.", u.first))
	}
}

// addTail adds the functions that ended in a jump to the last one.
func (u *unwinder) addTail(through []uint32) {
	last := u.trace.Frames[len(u.trace.Frames)-1].PC
	for _, pc := range through {
		confidence := Unwound
		if u.found {
			confidence = Scanned
		}
		if u.sameName(last, pc-1) {
			continue // a part of it that the compiler has put elsewhere
		}
		u.append(Frame{PC: pc, How: FromTail, Confidence: confidence})
	}
}

// sameName reports whether two addresses are in parts of one function.
func (u *unwinder) sameName(a, b uint32) bool {
	f, g := u.fw.function(a), u.fw.function(b)
	return f != nil && g != nil && plainName(f.Name) == plainName(g.Name)
}
