package crash

import (
	"iter"
	"slices"
	"strings"
)

// extent is the code of a function, from its first instruction to behind its
// last one.
type extent struct{ begin, end uint32 }

func (e extent) holds(pc uint32) bool { return pc >= e.begin && pc < e.end }

// extent returns the function that holds the instruction at pc, by the symbols,
// the rules for debuggers or the table of exceptions.
func (fw *Firmware) extent(pc uint32) (e extent, ok bool) {
	if f := fw.function(pc); f != nil {
		size := f.Size
		if size == 0 { // to the next one
			i, _ := slices.BinarySearchFunc(fw.functions, f.Addr+1, compareFunction)
			size = maxBody
			if i < len(fw.functions) {
				size = min(size, fw.functions[i].Addr-f.Addr)
			}
		}
		return extent{f.Addr, f.Addr + size}, true
	}

	if fw == nil {
		return extent{}, false
	}
	if r := fw.rules.find(pc); r != nil {
		return extent{r.begin, r.begin + r.size}, true
	}

	if _, begin, end, ok := fw.exidx.find(pc); ok && fw.code(pc) != nil {
		return extent{begin, end}, true
	}
	return extent{}, false
}

// verdict is what the code says about a call.
type verdict uint8

const (
	perhaps verdict = iota // the call goes through a register, or the code is not known
	refuted
	confirmed
)

// callGraph answers which function a call leads to. It remembers, since stacks
// repeat themselves.
type callGraph struct {
	fw    *Firmware
	known map[[2]uint32]route
	steps int // instructions that may still be read
	leave map[uint32]exits
	taken map[uint32]bool // functions whose address stands in the code or the data
	names map[uint32]bool // functions that are called by name
}

// route is how a call leads to a function.
type route struct {
	verdict verdict
	through []uint32 // pcs behind the jumps at the ends of the functions between, the innermost first
}

// exits are the jumps out of a function.
type exits struct {
	jumps  []jump
	calls  bool // it also calls others
	unsure bool // others go through a register
}

// jump is a jump out of a function.
type jump struct {
	after  uint32 // address behind it
	target uint32
}

// to returns how the call before the return address ret leads to the function
// that holds pc: at once, or by a function that ends in a jump to it.
func (g *callGraph) to(ret, pc uint32) route {
	target, ok := g.fw.called(ret &^ 1)
	if !ok {
		return route{}
	}
	callee, ok := g.fw.extent(pc)
	if !ok {
		return route{}
	}
	key := [2]uint32{target, callee.begin}
	r, ok := g.known[key]
	if !ok {
		r = g.search(target, callee)
		g.known[key] = r
	}
	return r
}

// called returns the function that the call before an address calls by name.
func (fw *Firmware) called(at uint32) (target uint32, ok bool) {
	if fw.blind {
		if c := fw.sites().before(at); c != nil {
			return c.Target, c.Target != 0
		}
		return 0, false
	}
	h, h2 := fw.half(at-4), fw.half(at-2)
	return callTarget(at, h, h2), isBL(h, h2)
}

// isBL reports whether two halfwords are a call by name.
func isBL(h, h2 uint32) bool { return h&0xf800 == 0xf000 && h2&0xd000 == 0xd000 }

// maxPassed is how many functions a chain of jumps is followed through.
const maxPassed = 16

// search goes from a function by the jumps at its end, breadth first.
func (g *callGraph) search(target uint32, callee extent) route {
	if callee.holds(target) {
		return route{verdict: confirmed}
	}

	first, ok := g.fw.extent(target)
	if !ok {
		if g.fw.code(target) == nil && len(g.fw.blocks) > 0 {
			return route{verdict: refuted}
		}
		return route{}
	}

	type step struct {
		function extent
		from     int
		after    uint32
	}
	steps := []step{{first, -1, 0}}
	unsure, found, ways := false, -1, 0
	for i := 0; i < len(steps); i++ {
		if len(steps) > maxPassed {
			unsure = true
			break
		}

		e := g.exitsOf(steps[i].function)
		unsure = unsure || e.unsure
		for _, j := range e.jumps {
			if callee.holds(j.target) {
				if ways++; found < 0 {
					found = len(steps)
					steps = append(steps, step{callee, i, j.after})
				}
				continue
			}

			next, ok := g.fw.extent(j.target)
			if !ok || slices.ContainsFunc(steps, func(s step) bool { return s.function == next }) {
				unsure = unsure || !ok
				continue
			}
			steps = append(steps, step{next, i, j.after})
		}
	}

	switch {
	case found >= 0 && (ways > 1 || unsure): // which way is not known
		return route{verdict: confirmed}
	case found >= 0:
		r := route{verdict: confirmed}
		for i := found; steps[i].from >= 0; i = steps[i].from {
			r.through = append(r.through, steps[i].after)
		}
		return r
	case unsure:
		return route{}
	}
	return route{verdict: refuted}
}

// exitsOf returns the jumps out of a function.
func (g *callGraph) exitsOf(f extent) exits {
	if e, ok := g.leave[f.begin]; ok {
		return e
	}
	if g.fw.blind {
		return g.fw.sites().exits(f)
	}

	var e exits
	size := min(f.end-f.begin, maxBody)
	visited := make([]bool, size/2+1)
	paths := []uint32{f.begin}
	tables := false
	s := &body{}
	for next := f.begin; ; {
		if len(paths) == 0 {
			// Behind a table of jumps, all that follows may be code.
			for next-f.begin < size && visited[(next-f.begin)/2] {
				next += 2
			}
			if !tables || next-f.begin >= size {
				break
			}
			paths = append(paths, next)
		}

		at := paths[len(paths)-1]
		paths = paths[:len(paths)-1]
		for at >= f.begin && at-f.begin < size && !visited[(at-f.begin)/2] {
			if g.steps--; g.steps < 0 {
				e.unsure = true
				g.leave[f.begin] = e
				return e
			}

			visited[(at-f.begin)/2] = true
			// A constant is no code: a call before it does not return.
			for word := range g.fw.constants(at) {
				if word >= f.begin && word-f.begin+2 < size {
					visited[(word-f.begin)/2], visited[(word-f.begin)/2+1] = true, true
				}
			}
			i := g.fw.follow(at, s)
			e.calls = e.calls || i.call
			switch {
			case i.jump && g.isTable(at), i.call && strings.HasPrefix(g.nameAt(i.target), "__gnu_thumb1_case"):
				tables = true
			case i.jump:
				e.unsure = true
			case i.branch && !i.call && f.holds(i.target):
				paths = append(paths, i.target)
			case i.branch && !i.call && len(e.jumps) < 2*maxPassed:
				e.jumps = append(e.jumps, jump{at + i.size, i.target})
			case i.branch && !i.call:
				e.unsure = true
			}

			if i.ends {
				break
			}
			at += i.size
			// One without an end goes on in the next, as assembly may.
			if at >= f.end && !i.call {
				e.unsure = true
			}
		}
	}

	g.leave[f.begin] = e
	return e
}

// constants yields the addresses of the words that the instruction at an address
// loads from among the code.
func (fw *Firmware) constants(at uint32) iter.Seq[uint32] {
	h := fw.half(at)
	base, n := (at+4)&^3, uint32(4)
	switch {
	case h&0xf800 == 0x4800: // LDR
		base += h & 0xff * 4
	case h&0xff7f == 0xf85f: // LDR of four bytes
		offset := fw.half(at+2) & 0xfff
		if h&0x80 == 0 {
			offset = -offset
		}
		base += offset
	case h&0xff3f == 0xed1f && fw.half(at+2)>>9&7 == 5: // VLDR
		offset := fw.half(at+2) & 0xff * 4
		if h&0x80 == 0 {
			offset = -offset
		}
		if base += offset; fw.half(at+2)&0x100 != 0 {
			n = 8
		}
	default:
		n = 0
	}

	return func(yield func(uint32) bool) {
		for i := uint32(0); i < n; i += 4 {
			if !yield(base + i) {
				return
			}
		}
	}
}

// nameAt returns the name of the function that begins at addr, or nothing.
func (g *callGraph) nameAt(addr uint32) string {
	if f := g.fw.function(addr); f != nil && f.Addr == addr {
		return f.Name
	}
	return ""
}

// isTable reports whether the instruction jumps by a table of the function.
func (g *callGraph) isTable(at uint32) bool {
	h, h2 := g.fw.half(at), g.fw.half(at+2)
	return h&0xffd0 == 0xe8d0 && h2&0xffe0 == 0xf000
}

// index lists what the code calls by name and which addresses of functions
// stand anywhere.
func (g *callGraph) index() {
	if g.taken != nil {
		return
	}
	g.taken, g.names = map[uint32]bool{}, map[uint32]bool{}
	for _, b := range g.fw.blocks {
		for i := 0; i+4 <= len(b.Data); i += 2 {
			h, h2 := uint32(b.Data[i])|uint32(b.Data[i+1])<<8, uint32(b.Data[i+2])|uint32(b.Data[i+3])<<8
			if b.Code && isBL(h, h2) {
				target := callTarget(b.Addr+uint32(i)+4, h, h2)
				if f := g.fw.function(target); f != nil && f.Addr == target {
					g.names[target] = true
				}
			}
			if word := h | h2<<16; i%4 == 0 && word&1 == 1 {
				if f := g.fw.function(word &^ 1); f != nil && f.Addr == word&^1 {
					g.taken[f.Addr] = true
				}
			}
		}
	}
}

// isEntry reports whether nothing in the firmware calls the function that holds
// pc by name, but something holds its address, as of the function of a task.
func (g *callGraph) isEntry(pc uint32) bool {
	e, ok := g.fw.extent(pc)
	if !ok {
		return false
	}
	g.index()
	return g.taken[e.begin] && !g.names[e.begin]
}

// isCalled reports whether something calls the function that holds pc by name.
func (g *callGraph) isCalled(pc uint32) bool {
	e, ok := g.fw.extent(pc)
	if !ok {
		return false
	}
	g.index()
	return g.names[e.begin]
}

// byPointer reports whether the function that holds pc can be called through a
// register.
func (g *callGraph) byPointer(pc uint32) bool {
	e, ok := g.fw.extent(pc)
	if !ok {
		return true
	}
	g.index()
	return g.taken[e.begin]
}
