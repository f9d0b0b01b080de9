package dict

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// Source is a line of source code.
type Source struct {
	File string `json:"file"` // as the compiler was given it
	Line int    `json:"line"`
}

// String returns "file:line".
func (s Source) String() string { return s.File + ":" + strconv.Itoa(s.Line) }

// parseSource undoes String.
func parseSource(s string) (Source, bool) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return Source{}, false
	}
	line, err := strconv.Atoi(s[i+1:])
	return Source{File: s[:i], Line: line}, err == nil && line > 0
}

const (
	maxSources = 8       // lines that are kept for one string
	maxUses    = 1 << 18 // instructions that are kept for one firmware
)

// Sources returns the lines of code that use the string at addr, up to eight,
// or none where that cannot be told. The first call reads the line table.
func (d *Dictionary) Sources(addr uint32) []Source {
	if d.imports != nil {
		return d.imports[addr]
	}
	d.lineOnce.Do(d.findLines)
	i, _ := slices.BinarySearchFunc(d.uses, addr, func(u use, addr uint32) int { return cmp.Compare(u.addr, addr) })
	var all []Source
	for ; i < len(d.uses) && d.uses[i].addr == addr && len(all) < maxSources; i++ {
		if s := d.uses[i].source; s.Line > 0 && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// Source returns the line of code that uses the string at addr, if there is
// exactly one.
func (d *Dictionary) Source(addr uint32) (file string, line int, ok bool) {
	all := d.Sources(addr)
	if len(all) != 1 {
		return "", 0, false
	}
	return all[0].File, all[0].Line, true
}

func (d *Dictionary) addSources(addr uint32, sources []Source) {
	if len(sources) == 0 {
		return
	}
	if d.imports == nil {
		d.imports = map[uint32][]Source{}
	}
	d.imports[addr] = sources[:min(len(sources), maxSources)]
}

// use is an instruction that loads an address.
type use struct {
	addr   uint32 // that is loaded
	pc     uint32
	source Source
}

// findUses lists the instructions that load the address of a string.
func (d *Dictionary) findUses() {
	for i := range d.blocks {
		if b := &d.blocks[i]; b.code && d.thumb {
			d.findLoads(b)
		}
	}
}

// findLines gives the uses their source lines, and puts them in the order of
// the addresses that they load.
func (d *Dictionary) findLines() {
	d.refOnce.Do(d.findRefs)
	if d.lines.Empty() {
		d.uses = nil
		return
	}
	slices.SortFunc(d.uses, func(a, b use) int { return cmp.Compare(a.pc, b.pc) })
	pcs := make([]uint32, len(d.uses))
	for i := range d.uses {
		pcs[i] = d.uses[i].pc
	}
	for i, at := range d.lines.Locate(pcs) {
		d.uses[i].source = Source(at)
	}
	d.lines = firmware.Lines{}
	slices.SortStableFunc(d.uses, func(a, b use) int { return cmp.Compare(a.addr, b.addr) })
}

// findLoads finds the loads in the Thumb code of b. What is data between the
// code is read as code too; it rarely names a string.
//
// Source: Arm v7-M architecture reference manual, A7.7: LDR (literal) T1 and
// T2, ADR T1, MOV (immediate) T3, MOVT T1.
func (d *Dictionary) findLoads(b *block) {
	var low [16]struct { // by register, what MOVW has set
		value uint32
		pc    uint32
		set   bool
	}

	half := func(i int) uint32 {
		if i+2 > len(b.data) {
			return 0
		}
		return uint32(b.data[i]) | uint32(b.data[i+1])<<8
	}
	for i := int(b.addr & 1); i+2 <= len(b.data); i += 2 {
		pc := b.addr + uint32(i)
		base := (pc + 4) &^ 3
		h, h2 := half(i), half(i+2)
		switch {
		case h&0xf800 == 0x4800: // LDR Rt, [PC, #imm8*4]
			d.addLoad(pc, base+h&0xff*4)
		case h&0xf800 == 0xa000: // ADR Rd, PC, #imm8*4
			d.addUse(pc, base+h&0xff*4)
		case h == 0xf8df: // LDR.W Rt, [PC, #imm12]
			d.addLoad(pc, base+h2&0xfff)
		case h == 0xf85f: // LDR.W Rt, [PC, #-imm12]
			d.addLoad(pc, base-h2&0xfff)
		case h&0xfbf0 == 0xf240 && h2&0x8000 == 0: // MOVW Rd, #imm16
			r := &low[h2>>8&15]
			r.value, r.pc, r.set = wideImmediate(h, h2), pc, true
		case h&0xfbf0 == 0xf2c0 && h2&0x8000 == 0: // MOVT Rd, #imm16
			if r := &low[h2>>8&15]; r.set {
				d.addUse(pc, wideImmediate(h, h2)<<16|r.value)
				r.set = false
			}
		}

		if h >= 0xe800 {
			i += 2 // an instruction of 32 bits
		}
	}
}

func wideImmediate(h, h2 uint32) uint32 {
	return h&15<<12 | h>>10&1<<11 | h2>>12&7<<8 | h2&0xff
}

// addLoad adds the use of an address that lies in the literal pool.
func (d *Dictionary) addLoad(pc, pool uint32) {
	if b, i := d.find(pool); b != nil && i+4 <= len(b.data) {
		d.addUse(pc, uint32(b.data[i])|uint32(b.data[i+1])<<8|uint32(b.data[i+2])<<16|uint32(b.data[i+3])<<24)
	}
}

func (d *Dictionary) addUse(pc, addr uint32) {
	if b, i := d.find(addr); b != nil && isText(b.data[i]) && len(d.uses) < maxUses {
		d.uses = append(d.uses, use{addr: addr, pc: pc})
	}
}
