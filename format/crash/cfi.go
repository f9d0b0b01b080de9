package crash

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/go-delve/delve/pkg/dwarf/frame"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// Limits of what is read of the rules.
const (
	maxRuleSection = 16 << 20 // bytes
	maxRuleEntry   = 4 << 10  // bytes of a function's entry, which has a few dozen
	maxCommonEntry = 512      // bytes of a shared one
	// maxCost is what the programs of a backtrace may cost: their bytes, times
	// how often they save all their rules, each at the cost of a copy.
	// Compilers do so once for each early return.
	maxCost = 256 << 10
)

// ruleTable is the call frame information of a firmware: for each instruction,
// where the registers of the caller are.
//
// The table is indexed here. Delve's package runs the programs in it: one entry
// at a time, since it gives up on a whole section for one bad entry and takes
// memory many times its size.
//
// Source: DWARF 5, section 6.4.1.
type ruleTable struct {
	data  []byte
	addr  uint32 // of the section, for what is relative to it
	eh    bool   // .eh_frame
	index []ruleEntry
}

// ruleEntry is where the rules of one function are.
type ruleEntry struct {
	begin, size  uint32 // of its code
	common       uint32 // offset of the entry that it shares with others
	instructions span
}

// span is a range of the section.
type span struct{ from, to uint32 }

func loadRules(f *firmware.File) (t ruleTable, err error) {
	for _, name := range []string{".debug_frame", ".eh_frame"} {
		s := f.Section(name, maxRuleSection)
		if s == nil {
			continue
		}
		t = ruleTable{addr: s.Addr, eh: name == ".eh_frame"}
		if t.data, err = f.Read(s); err != nil {
			return ruleTable{}, fmt.Errorf("section %d: %w", s.Index, err)
		}
		if t.readIndex(); len(t.index) > 0 {
			return t, nil
		}
	}
	return t, nil
}

// commonEntry is what several functions share.
type commonEntry struct {
	codeAlign, dataAlign []byte // as they stand there, LEB128
	returnAddress        uint64
	augmented            bool
	encoding             uint8 // of addresses
	instructions         []byte
}

// sharedEntry is the one that was read last, for those that follow it.
type sharedEntry struct {
	at    uint32
	read  bool
	entry *commonEntry
}

// readIndex lists the entries of all functions in the order of their code. It
// ends at what it cannot read, since what follows would be a guess.
func (t *ruleTable) readIndex() {
	var last sharedEntry
	for at := uint32(0); int64(at)+4 <= int64(len(t.data)); {
		n := binary.LittleEndian.Uint32(t.data[at:])
		body := at + 4
		if int64(n) > int64(len(t.data))-int64(body) { // also 64-bit DWARF, which no 32-bit firmware has
			break
		}
		end := body + n
		if n > 4 && n <= maxRuleEntry {
			t.readFunction(&last, body, end)
		}
		at = end
	}
	slices.SortStableFunc(t.index, func(a, b ruleEntry) int { return cmp.Compare(a.begin, b.begin) })
}

// readFunction adds the entry to the index if it is one of a function.
func (t *ruleTable) readFunction(last *sharedEntry, from, to uint32) {
	c := firmware.Cursor{B: t.data[from:to]}
	id := c.U32()
	switch {
	case t.eh && id == 0, !t.eh && id == 0xffffffff:
		return // it is shared
	case t.eh:
		id = from - id // counts back from itself
	}

	if !last.read || last.at != id {
		*last = sharedEntry{at: id, read: true, entry: t.readCommon(id)}
	}
	shared := last.entry
	if shared == nil {
		return
	}

	at := t.addr + to - uint32(len(c.B))
	begin, size := c.U32(), c.U32()
	if shared.encoding&0x70 == 0x10 { // relative to where it stands
		begin += at
	}
	if shared.augmented {
		c.Take(int64(min(c.Uleb(), maxRuleEntry+1)))
	}

	// Functions that the linker dropped stay in the table at address 0.
	if c.Bad || begin == 0 || size == 0 {
		return
	}
	t.index = append(t.index, ruleEntry{begin: begin &^ 1, size: size, common: id, instructions: span{to - uint32(len(c.B)), to}})
}

// readCommon reads the shared entry at offset at, or returns nil.
func (t *ruleTable) readCommon(at uint32) *commonEntry {
	if int64(at)+8 > int64(len(t.data)) {
		return nil
	}

	n := binary.LittleEndian.Uint32(t.data[at:])
	if n < 4 || n > maxCommonEntry || int64(n) > int64(len(t.data))-int64(at)-4 {
		return nil
	}
	c := firmware.Cursor{B: t.data[at+4 : at+4+n]}
	if id := c.U32(); t.eh && id != 0 || !t.eh && id != 0xffffffff {
		return nil
	}
	var e commonEntry
	version := c.U8()
	augmentation := c.Text()
	if version == 4 {
		// Clang's form. Delve's package does not know these two.
		if size, selector := c.U8(), c.U8(); size != 4 || selector != 0 {
			return nil
		}
	}

	e.codeAlign, e.dataAlign = leb(&c), leb(&c)
	if version == 1 {
		e.returnAddress = uint64(c.U8())
	} else {
		e.returnAddress = c.Uleb()
	}

	if e.augmented = len(augmentation) > 0; e.augmented {
		if augmentation[0] != 'z' {
			return nil
		}
		data := firmware.Cursor{B: c.Take(int64(min(c.Uleb(), maxRuleEntry+1)))}
		for _, letter := range augmentation[1:] {
			switch letter {
			case 'R':
				e.encoding = data.U8()
			case 'S', 'B':
			default:
				return nil // of C++, which has no such tables on these cores
			}
		}

		// Addresses of four bytes, as they are or relative.
		if form := e.encoding & 0x8f; data.Bad || form != 0 && form != 0x03 && form != 0x0b || e.encoding&0x60 != 0 {
			return nil
		}
	}

	if e.instructions = c.B; c.Bad {
		return nil
	}
	return &e
}

// leb returns the bytes of a LEB128.
func leb(c *firmware.Cursor) []byte {
	b := c.B
	c.Uleb()
	return b[:len(b)-len(c.B)]
}

// find returns the entry of the function that holds the instruction at pc.
func (t *ruleTable) find(pc uint32) *ruleEntry {
	i, found := slices.BinarySearchFunc(t.index, pc, func(e ruleEntry, pc uint32) int { return cmp.Compare(e.begin, pc) })
	if !found {
		i--
	}
	if i < 0 || pc-t.index[i].begin >= t.index[i].size {
		return nil
	}
	return &t.index[i]
}

// rules are where the registers of the caller are.
type rules struct {
	cfa           frame.DWRule // the caller's sp
	regs          map[uint64]frame.DWRule
	returnAddress uint64    // register
	programs      [2][]byte // that gave these rules
}

// at returns the rules for the instruction at pc, if there are any and budget
// pays for them.
func (t *ruleTable) at(pc uint32, budget *int) (r rules, ok bool) {
	e := t.find(pc)
	if e == nil {
		return rules{}, false
	}
	shared := t.readCommon(e.common)
	instructions := t.data[e.instructions.from:e.instructions.to]
	if shared == nil {
		return rules{}, false
	}
	cost := (1 + bytes.Count(instructions, []byte{frame.DW_CFA_remember_state})) * len(instructions)
	if *budget -= cost; *budget < 0 {
		return rules{}, false
	}

	context := run(t.pair(e, shared, instructions), pc)
	if context == nil {
		return rules{}, false
	}
	return rules{
		cfa: context.CFA, regs: context.Regs, returnAddress: shared.returnAddress,
		programs: [2][]byte{shared.instructions, instructions},
	}, true
}

// of returns the rule for a register. One without a rule keeps its value.
func (r *rules) of(reg uint64) frame.DWRule {
	rule, ok := r.regs[reg]
	if !ok || rule.Rule == frame.RuleUndefined && !r.undefines(reg) {
		// Delve's package also calls a register undefined when its first rule
		// is restored and it had none.
		return frame.DWRule{Rule: frame.RuleSameVal}
	}
	return rule
}

// undefines reports whether the rules say of a register that its value is gone.
func (r *rules) undefines(reg uint64) bool {
	instruction := []byte{frame.DW_CFA_undefined, byte(reg)}
	return bytes.Contains(r.programs[0], instruction) || bytes.Contains(r.programs[1], instruction)
}

// pair writes a section of two entries in the one form that Delve's package
// gets right: version 3, with nothing left out and nothing relative.
func (t *ruleTable) pair(e *ruleEntry, shared *commonEntry, instructions []byte) []byte {
	le := binary.LittleEndian
	common := le.AppendUint32(nil, 0xffffffff)
	common = append(common, 3, 0)
	common = append(append(common, shared.codeAlign...), shared.dataAlign...)
	common = append(binary.AppendUvarint(common, shared.returnAddress), shared.instructions...)
	b := append(le.AppendUint32(nil, uint32(len(common))), common...)
	b = le.AppendUint32(b, uint32(len(instructions)+12))
	b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, 0), e.begin), e.size)
	return append(b, instructions...)
}

// run runs the program of the one function in a section up to pc. Delve's
// package panics on bad programs, so that is stopped here.
func run(section []byte, pc uint32) (context *frame.FrameContext) {
	defer func() {
		if recover() != nil {
			context = nil
		}
	}()
	entries, err := frame.Parse(section, binary.LittleEndian, 0, 4, 0)
	if err != nil || len(entries) != 1 {
		return nil
	}
	if context, err = entries[0].EstablishFrame(uint64(pc)); err != nil {
		return nil
	}
	return context
}
