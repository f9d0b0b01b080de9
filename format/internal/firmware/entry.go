package firmware

import "encoding/binary"

// Tags and attributes that matter.
const (
	tagInlined, tagSubprogram = 0x1d, 0x2e
	tagCall, tagGNUCall       = 0x48, 0x4109

	tagVariable, tagMember, tagSubrange                       = 0x34, 0x0d, 0x21
	tagArray, tagPointer, tagStruct, tagUnion                 = 0x01, 0x0f, 0x13, 0x17
	tagTypedef, tagConst, tagVolatile, tagRestrict, tagAtomic = 0x16, 0x26, 0x35, 0x37, 0x47

	atName, atStmtList, atLowPC, atHighPC, atCompDir  = 0x03, 0x10, 0x11, 0x12, 0x1b
	atOrigin, atSpecification, atRanges, atProducer   = 0x31, 0x47, 0x55, 0x25
	atCallFile, atCallLine, atLinkage, atMIPSLinkage  = 0x58, 0x59, 0x6e, 0x2007
	atStrBase, atAddrBase, atRnglistsBase, atDWOName  = 0x72, 0x73, 0x74, 0x76
	atGNUName, atGNUID, atGNURangesBase, atGNUAddrBas = 0x2130, 0x2131, 0x2132, 0x2133

	atAllCalls, atCallReturn, atCallOrigin, atCallPC, atCallTail = 0x7a, 0x7d, 0x7f, 0x81, 0x82
	atType, atMember, atUpperBound, atCount                      = 0x49, 0x38, 0x2f, 0x37
	atGNUCallTail, atGNUAllCalls                                 = 0x2115, 0x2117
)

// entry is one entry of the debug information, as far as it matters.
type entry struct {
	tag      uint64
	children bool

	name, linkage       constant
	low, high, ranges   constant
	origin              constant
	callFile, callLine  uint64
	stmtList            constant
	strBase, addrBase   constant
	rnglistsBase, gnuRB constant
	dwoName, compDir    constant
	producer            constant
	dwoID               uint64

	// Of a call: the address behind it or its own, and that it is a jump. Of a function: that
	// all its calls are told.
	callReturn, callPC constant
	tail, allCalls     bool

	// Of a variable, a member or a type.
	typ, memberAt, upper, count constant
}

// constant is the value of an attribute. Form is 0 where there is none.
type constant struct {
	form  uint64
	value uint64
	text  []byte // of DW_FORM_string, a block or an expression
}

// read reads the entry at the beginning of c. It returns false at the end of a
// list of children, with ok.
func (d *Debug) read(c *Cursor, x *context, e *entry) (is, ok bool) {
	*e = entry{}
	code := c.Uleb()
	if c.Bad {
		return false, false
	}
	if code == 0 {
		return false, true
	}

	a := x.abbr.get(code)
	if a == nil {
		return false, false
	}
	e.tag, e.children = a.tag, a.children
	if d.steps -= len(a.attrs) + 1; d.steps < 0 {
		return false, false
	}

	for i := range a.attrs {
		at := &a.attrs[i]
		v := readForm(c, at.form, at.constant, x.unit.version, 0)
		switch at.name {
		case atName:
			e.name = v
		case atLinkage, atMIPSLinkage:
			e.linkage = v
		case atLowPC:
			e.low = v
		case atHighPC:
			e.high = v
		case atRanges:
			e.ranges = v
		case atOrigin, atSpecification, atCallOrigin:
			e.origin = v
		case atCallFile:
			e.callFile = v.value
		case atCallLine:
			e.callLine = v.value
		case atStmtList:
			e.stmtList = v
		case atStrBase:
			e.strBase = v
		case atAddrBase, atGNUAddrBas:
			e.addrBase = v
		case atRnglistsBase:
			e.rnglistsBase = v
		case atGNURangesBase:
			e.gnuRB = v
		case atDWOName, atGNUName:
			e.dwoName = v
		case atCompDir:
			e.compDir = v
		case atProducer:
			e.producer = v
		case atGNUID:
			e.dwoID = v.value
		case atCallReturn:
			e.callReturn = v
		case atType:
			e.typ = v
		case atMember:
			e.memberAt = v
		case atUpperBound:
			e.upper = v
		case atCount:
			e.count = v
		case atCallPC:
			e.callPC = v
		case atCallTail, atGNUCallTail:
			e.tail = v.value != 0
		case atAllCalls, atGNUAllCalls:
			e.allCalls = v.value != 0
		}
	}
	return true, !c.Bad
}

// context returns what the entries of a unit are read with, its first entry, and
// where those below it are.
func (d *Debug) context(data *unitData, u unit) (x context, root entry, c Cursor, ok bool) {
	x = context{data: data, unit: u, abbr: data.abbreviations(u.abbrev), addr: data.addr}
	if x.abbr == nil {
		return x, root, c, false
	}

	c = Cursor{B: data.info[u.entries:u.end]}
	is, ok := d.read(&c, &x, &root)
	if !is || !ok {
		return x, root, c, false
	}
	if u.version >= 5 && u.typ == unitSplit { // behind the headers
		x.strBase, x.rnglistsBase = 8, 12
	}
	if root.strBase.form != 0 {
		x.strBase = uint32(root.strBase.value)
	}

	x.addrBase = uint32(root.addrBase.value)
	if root.rnglistsBase.form != 0 {
		x.rnglistsBase = uint32(root.rnglistsBase.value)
	}
	if x.hasLines = root.stmtList.form != 0; x.hasLines {
		x.stmtList = uint32(root.stmtList.value)
	}

	x.low, _ = x.address(root.low)
	return x, root, c, true
}

// address returns the address that an attribute holds.
func (x *context) address(v constant) (uint32, bool) {
	switch v.form {
	case 0:
		return 0, false
	case formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4, formGNUAddr:
		return x.addressAt(v.value)
	}
	return uint32(v.value), true
}

// addressAt returns an address by its index.
func (x *context) addressAt(index uint64) (uint32, bool) {
	at := uint64(x.addrBase) + 4*index
	if index > 1<<30 || at+4 > uint64(len(x.addr)) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(x.addr[at:]), true
}

// text returns the text that an attribute holds.
func (x *context) text(v constant) string {
	switch v.form {
	case 0:
		return ""
	case formString:
		return string(v.text[:min(len(v.text), maxPath)])
	case formLineStrp:
		return textAt(x.data.lineStr, uint32(v.value))
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStr:
		at := uint64(x.strBase) + 4*v.value
		if v.value > 1<<30 || at+4 > uint64(len(x.data.strOffsets)) {
			return ""
		}
		return textAt(x.data.str, binary.LittleEndian.Uint32(x.data.strOffsets[at:]))
	case formStrp:
		return textAt(x.data.str, uint32(v.value))
	}
	return ""
}
