package crash

import (
	"slices"
	"strings"

	"github.com/ianlancetaylor/demangle"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// name gives the frames their functions and lines, and adds a frame for each
// function that the compiler has put into another.
func (fw *Firmware) name(t *Backtrace) {
	if fw == nil {
		return
	}
	pcs := make([]uint32, len(t.Frames))
	for i, f := range t.Frames {
		// A call may be the last instruction of its function.
		if pcs[i] = f.PC; f.How != FromPC && f.How != FromException {
			pcs[i]--
		}
	}

	order := slices.Clone(pcs)
	slices.Sort(order)
	order = slices.Compact(order)
	positions, scopes := fw.debug.Locate(order)

	named := make([]Frame, 0, len(t.Frames))
	outermost := len(t.Frames) - t.Outermost // the first of those
	outside := 0
	most := 2*len(t.Frames) + 1024 // inlined ones are few in number
	for i, f := range t.Frames {
		at, _ := slices.BinarySearch(order, pcs[i])
		if len(named) > most {
			scopes[at] = nil
		}
		group := fw.standing(f, pcs[i], positions[at], scopes[at])
		named = append(named, group...)
		if i >= outermost {
			outside += len(group)
		}
	}

	t.Frames = named
	if t.Outermost > 0 {
		t.Outermost = outside
	}
}

// standing returns the frames of the functions that stand at one place, the
// innermost first.
func (fw *Firmware) standing(f Frame, pc uint32, line firmware.Position, scopes []firmware.Scope) (frames []Frame) {
	f.File, f.Line = line.File, line.Line
	symbol := fw.function(pc)
	if symbol != nil {
		f.Function, f.Offset = display(symbol.Name), f.PC-symbol.Addr
	}
	if len(scopes) == 0 || !fw.hasCode(pc) {
		return append(frames, f)
	}

	for i := len(scopes) - 1; i >= 0; i-- {
		s := &scopes[i]
		g := f
		if name := nameOf(s); name != "" {
			// The linker's name of C++ says more than the one in the source.
			if s.Linkage != "" || symbol == nil || !mangled(symbol.Name) || i > 0 {
				g.Function = name
			}
		}

		if g.Inlined = s.Inlined; !g.Inlined && symbol == nil && s.Addr != 0 {
			g.Offset = f.PC - s.Addr
		}
		frames = append(frames, g)
		f.File, f.Line = s.Call.File, s.Call.Line
	}
	return frames
}

// nameOf returns the name of a function as a person reads it.
func nameOf(s *firmware.Scope) string {
	if s.Linkage != "" {
		return display(s.Linkage)
	}
	return display(s.Name)
}

func mangled(name string) bool { return strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "_R") }

// display returns a name of the linker as a person reads it: C++ and Rust
// demangled, without parameters and without what compilers add for copies and
// parts of a function.
func display(name string) string {
	name = plainName(name)
	const longest = 2048 // what a person reads; longer ones can take long
	if !mangled(name) || len(name) > longest {
		return name
	}
	return demangle.Filter(name, demangle.NoParams, demangle.NoEnclosingParams, demangle.MaxLength(11))
}

// plainName returns a name without what compilers add for copies and parts of a
// function: .constprop.0, .isra.0, .part.0, .cold, .lto_priv.0.
func plainName(name string) string {
	if end := rustHash(name); end > 0 {
		return name[:end] // has dots of its own
	}
	if i := strings.IndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}

// rustHash returns the end of the hash that ends a name of Rust's older kind, or 0: a
// path there is written with two dots, as in core..fmt..Write.
func rustHash(name string) (end int) {
	const mark, digits = "17h", 16
	i := strings.LastIndex(name, mark)
	end = i + len(mark) + digits + 1
	if !strings.HasPrefix(name, "_ZN") || i < 0 || len(name) < end || name[end-1] != 'E' || !isHex([]byte(name[i+len(mark):end-1])) {
		return 0
	}
	return end
}

// nameTask says which task it was, by its name or by the function that it began
// with.
func (u *unwinder) nameTask(d *Dump) {
	frames := u.trace.Frames
	if !u.task || len(frames) == 0 {
		return
	}
	if u.trace.Task = u.fw.taskName(d); u.trace.Task != "" || u.trace.Truncated {
		return
	}
	if last := frames[len(frames)-1]; u.whole && last.Confidence == Unwound {
		u.trace.Task = last.Function
	}
}
